//! ProfileRecording: which pods of a namespace are recorded.

pub mod v1;
pub mod v1alpha1;
