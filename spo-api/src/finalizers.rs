//! Finalizers: those that this project writes, and those of the reference operator, which are taken over and removed.

/// On profiles that a pod uses. Owned by the manager.
pub const IN_USE: &str = "in-use-by-active-pods";
/// On ProfileBindings that apply to some pod.
pub const BOUND: &str = "active-workload-lock";
/// On ProfileRecordings, of any kind of profile, that record some pod.
pub const RECORDING: &str = "active-seccomp-profile-recording-lock";
/// On ProfileRecordings with profiles that wait to be merged.
pub const UNMERGED: &str = "spo.x-k8s.io/has-unmerged-profiles";
/// The reference operator's, on partial profiles.
pub const PARTIAL: &str = "spo.x-k8s.io/partial-profile-finalizer";
/// What a reference operator's node finalizer ends with.
const NODE_SUFFIX: &str = "-deleted";
/// The longest node finalizer.
const NODE_MAX: usize = 63;

/// The finalizer that the reference operator's daemon on `node` puts on profiles: `<node>-deleted`, the node's name cut so
/// that the whole has at most 63 bytes.
pub fn legacy_node_finalizer(node: &str) -> String {
    let node = &node[..node.floor_char_boundary(NODE_MAX - NODE_SUFFIX.len())];
    format!("{node}{NODE_SUFFIX}")
}

/// Whether a finalizer is one that only a reference operator's daemon would ever remove.
///
/// This project needs none on a node: what has no object any more is removed by the node's own comparison.
pub fn is_legacy(finalizer: &str) -> bool {
    finalizer == PARTIAL
        || (finalizer.ends_with(NODE_SUFFIX) && !finalizer.contains('/') && finalizer.len() <= NODE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_finalizers_of_the_reference_are_recognised() {
        assert_eq!(legacy_node_finalizer("node1"), "node1-deleted");
        let long = legacy_node_finalizer(&"n".repeat(80));
        assert_eq!(long.len(), 63);
        assert!(is_legacy(&long) && is_legacy("node1-deleted") && is_legacy(PARTIAL));
    }

    #[test]
    fn finalizers_of_others_are_left_alone() {
        for other in [IN_USE, "foregroundDeletion", "example.org/x-deleted", "orphan"] {
            assert!(!is_legacy(other), "{other}");
        }
    }
}
