//! The annotations by which a node knows that a container is to be recorded, by what, and for which recording.

use spo_api::recording::v1::{RecordedKind, Recorder};

/// Every pair of what is recorded and what records it, and how the key of its annotations begins; the container's name follows.
const PREFIXES: [(RecordedKind, Recorder, &str); 6] = [
    (RecordedKind::SeccompProfile, Recorder::Logs, "io.containers.trace-logs/"),
    (RecordedKind::SeccompProfile, Recorder::Bpf, "io.containers.trace-bpf/"),
    (RecordedKind::SelinuxProfile, Recorder::Logs, "io.containers.trace-avcs/"),
    (RecordedKind::SelinuxProfile, Recorder::Bpf, "io.containers.trace-bpf-selinux/"),
    (RecordedKind::AppArmorProfile, Recorder::Logs, "io.containers.trace-logs-apparmor/"),
    (RecordedKind::AppArmorProfile, Recorder::Bpf, "io.containers.trace-bpf-apparmor/"),
];

/// The characters of a nonce: none that could be taken for another, and no vowels, so that no word comes up.
const NONCE_CHARACTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const NONCE_LENGTH: usize = 5;

/// The key for a container.
pub(crate) fn key(kind: RecordedKind, recorder: Recorder, container: &str) -> String {
    let pair = PREFIXES.iter().find(|(of, by, _)| (*of, *by) == (kind, recorder));
    format!("{}{container}", pair.map_or("", |(_, _, prefix)| prefix))
}

/// Whether a key is that of a recording.
pub(crate) fn is_recording(key: &str) -> bool {
    PREFIXES.iter().any(|(_, _, prefix)| key.starts_with(prefix))
}

/// The value: which recording, which container, and what tells this pod from others.
pub(crate) fn value(recording: &str, container: &str, random: u64, seconds: i64) -> String {
    format!("{recording}_{container}_{}_{seconds}", nonce(random))
}

fn nonce(mut random: u64) -> String {
    let digit = |_| {
        let base = NONCE_CHARACTERS.len() as u64;
        let index = usize::try_from(random % base).unwrap_or_default();
        random /= base;
        char::from(NONCE_CHARACTERS[index])
    };
    (0..NONCE_LENGTH).map(digit).collect()
}
