//! The annotations by which containers of a pod are recorded.
//!
//! The key says for which kind of profile, by what, and which container; the value, a [`RecordingId`](super::RecordingId),
//! for which recording.

use super::v1::{RecordedKind, Recorder};

/// How a key begins; the name of the container follows.
///
/// The reference operator has four of the six pairs. `SelinuxProfile` by `Bpf` and `AppArmorProfile` by `Logs` are additions.
pub const fn key_prefix(kind: RecordedKind, recorder: Recorder) -> &'static str {
    match (kind, recorder) {
        (RecordedKind::SeccompProfile, Recorder::Logs) => "io.containers.trace-logs/",
        (RecordedKind::SeccompProfile, Recorder::Bpf) => "io.containers.trace-bpf/",
        (RecordedKind::SelinuxProfile, Recorder::Logs) => "io.containers.trace-avcs/",
        (RecordedKind::SelinuxProfile, Recorder::Bpf) => "io.containers.trace-bpf-selinux/",
        (RecordedKind::AppArmorProfile, Recorder::Logs) => "io.containers.trace-logs-apparmor/",
        (RecordedKind::AppArmorProfile, Recorder::Bpf) => "io.containers.trace-bpf-apparmor/",
    }
}

/// The key that has `container` recorded.
pub fn key(kind: RecordedKind, recorder: Recorder, container: &str) -> String {
    format!("{}{container}", key_prefix(kind, recorder))
}

/// What the key of an annotation has recorded, if it is such a key: the kind of profile, by what, and the container.
pub fn parse_key(key: &str) -> Option<(RecordedKind, Recorder, &str)> {
    let pairs = RecordedKind::ALL.into_iter().flat_map(|kind| Recorder::ALL.map(|recorder| (kind, recorder)));
    pairs.into_iter().find_map(|(kind, recorder)| {
        key.strip_prefix(key_prefix(kind, recorder)).map(|container| (kind, recorder, container))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(RecordedKind::SeccompProfile, Recorder::Logs, "io.containers.trace-logs/web")]
    #[case(RecordedKind::SeccompProfile, Recorder::Bpf, "io.containers.trace-bpf/web")]
    #[case(RecordedKind::SelinuxProfile, Recorder::Logs, "io.containers.trace-avcs/web")]
    #[case(RecordedKind::SelinuxProfile, Recorder::Bpf, "io.containers.trace-bpf-selinux/web")]
    #[case(RecordedKind::AppArmorProfile, Recorder::Logs, "io.containers.trace-logs-apparmor/web")]
    #[case(RecordedKind::AppArmorProfile, Recorder::Bpf, "io.containers.trace-bpf-apparmor/web")]
    fn a_key_says_what_is_recorded(#[case] kind: RecordedKind, #[case] recorder: Recorder, #[case] text: &str) {
        assert_eq!(key(kind, recorder, "web"), text);
        assert_eq!(parse_key(text), Some((kind, recorder, "web")));
    }

    #[test]
    fn keys_of_others_are_none() {
        for key in ["", "io.containers.trace-syscall", "io.containers.trace-logs", "x/io.containers.trace-logs/web"] {
            assert_eq!(parse_key(key), None, "{key}");
        }
    }
}
