//! ProfileRecording: pods that are watched, and what marks them.

pub mod annotation;
pub mod v1;
pub mod v1alpha1;

mod id;

pub use id::{InvalidRecordingId, Nonce, RecordingId};

/// The SeccompProfile under which containers are recorded from the log. The operator makes it; it logs every call.
pub const LOG_PROFILE: &str = "log-enricher-trace";
/// The SELinux type under which containers are recorded from the log.
pub const SELINUX_TYPE: &str = "selinuxrecording.process";
