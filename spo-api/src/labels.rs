//! Labels, annotations and derived names that tie the operator's objects together.
//!
//! Keys and values are those of the reference operator, so that scripts and selectors go on working.

use sha2::{Digest, Sha256};

use crate::{ProfileKey, ProfileKind};

/// On profiles and node statuses: which profile, see [`profile_id`].
pub const PROFILE_ID: &str = "spo.x-k8s.io/profile-id";
/// On node statuses: the node, see [`node_name_value`].
pub const NODE_NAME: &str = "spo.x-k8s.io/node-name";
/// On node statuses: the text of `status.status`.
pub const PROFILE_STATE: &str = "spo.x-k8s.io/profile-state";
/// On node statuses: the kind of the profile.
pub const PROFILE_KIND: &str = "spo.x-k8s.io/profile-kind";
/// On recorded profiles that wait to be merged: its presence makes a profile partial.
pub const PARTIAL: &str = "spo.x-k8s.io/partial";
/// On recorded and merged profiles: the name of the ProfileRecording.
pub const RECORDING_ID: &str = "spo.x-k8s.io/recording-id";
/// On recorded and merged profiles: the namespace of the ProfileRecording.
pub const RECORDING_NAMESPACE: &str = "spo.x-k8s.io/recording-namespace";
/// On recorded profiles: the name of the container; merged ones have none.
pub const CONTAINER_ID: &str = "spo.x-k8s.io/container-id";
/// On namespaces, with any value: its pods are offered to the recording webhook. On pods, with the value `true`: nodes
/// remember them where `enableMemoryOptimization` is on.
pub const ENABLE_RECORDING: &str = "spo.x-k8s.io/enable-recording";
/// On namespaces, with any value: its pods are offered to the binding webhook.
pub const ENABLE_BINDING: &str = "spo.x-k8s.io/enable-binding";
/// On objects that the operator made itself, with the value [`APP_VALUE`].
pub const APP: &str = "app";
/// The value of the label [`APP`].
pub const APP_VALUE: &str = "security-profiles-operator";
/// Annotation on recorded profiles: how complete the recording was, as JSON. An addition of this project.
pub const COMPLETENESS: &str = "spo.x-k8s.io/completeness";

/// Annotation on SeccompProfiles: the system calls with those of all base profiles, as JSON.
pub const SYSCALLS: &str = "syscalls";

/// Annotation on objects that are read in an older version: what that version cannot hold, as JSON. Conversion writes it and takes it
/// back; in `v1` there is none. An addition of this project.
pub const CONVERSION: &str = "spo.x-k8s.io/conversion-data";

/// Kubernetes lets a label value have 63 characters.
const LABEL_VALUE_MAX: usize = 63;

/// The value of the label [`PROFILE_ID`]: `<Kind>-<name>`, hashed where that would not fit.
pub fn profile_id(kind: ProfileKind, name: &str) -> String {
    let plain = format!("{kind}-{name}");
    if plain.len() < LABEL_VALUE_MAX {
        return plain;
    }
    let digest = hex::encode(Sha256::digest(&plain));
    format!("{kind}-{}", &digest[..LABEL_VALUE_MAX - kind.as_str().len() - 1])
}

/// The value of the label [`NODE_NAME`]: the node's name, or for one that no label value can hold (W-ND-3) its first 46
/// characters, `-`, and the first 16 hex digits of its SHA-256.
pub fn node_name_value(node: &str) -> String {
    if node.len() <= LABEL_VALUE_MAX {
        return node.to_owned();
    }
    let digest = hex::encode(Sha256::digest(node));
    format!("{}-{}", cut(node, 46), &digest[..16])
}

/// The name of a node status object: `<profile>-<node>-<8 hex digits>`, at most 253 characters.
///
/// The digits are the first of SHA-256 over `kind/profile/node`: two kinds with one profile name never meet (W-OP-18), nor do
/// names whose end had to be cut.
pub fn node_status_name(key: &ProfileKey, node: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("{}/{}/{node}", key.kind, key.name)));
    let readable = format!("{}-{node}", key.name);
    format!("{}-{}", cut(&readable, 253 - 9).trim_end_matches(['-', '.']), &digest[..8])
}

/// The name that the reference operator gives a node status: `<profile>-<node>`. Recognised, never written.
pub fn legacy_node_status_name(profile: &str, node: &str) -> String {
    format!("{profile}-{node}")
}

/// The first `max` bytes of a name, or fewer where a character would be cut in two.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_id_is_hashed_from_63_characters_on() {
        assert_eq!(profile_id(ProfileKind::Seccomp, &"x".repeat(47)), format!("SeccompProfile-{}", "x".repeat(47)));
        assert_eq!(
            profile_id(ProfileKind::Seccomp, &"x".repeat(48)),
            "SeccompProfile-598cc697adf5656f0430d2e6a06a6aee4f30c1c0b1235c91"
        );
    }

    #[test]
    fn w_nd_3_a_long_node_name_becomes_a_valid_label_value() {
        let node = format!("{}.example.org", "n".repeat(80));
        assert_eq!(node_name_value(&node).len(), 63);
        assert_ne!(node_name_value(&node), node_name_value(&format!("{node}x")));
        assert_eq!(node_name_value("node1"), "node1");
    }

    #[test]
    fn w_op_18_kinds_with_one_name_have_two_statuses() {
        let key = |kind| ProfileKey { kind, name: "web".parse().unwrap() };
        let seccomp = node_status_name(&key(ProfileKind::Seccomp), "node1");
        assert!(seccomp.starts_with("web-node1-"), "{seccomp}");
        assert_ne!(seccomp, node_status_name(&key(ProfileKind::AppArmor), "node1"));
    }

    #[test]
    fn w_op_18_cut_names_stay_different() {
        let name = "p".repeat(253);
        let key = ProfileKey { kind: ProfileKind::Seccomp, name: name.parse().unwrap() };
        let (one, two) = (node_status_name(&key, "node1"), node_status_name(&key, "node2"));
        assert_eq!(one.len(), 253);
        assert_ne!(one, two);
    }
}
