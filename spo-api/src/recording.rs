//! ProfileRecording: which pods of a namespace are recorded.

pub mod v1;
