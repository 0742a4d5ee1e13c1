//! ProfileBinding: which pods of a namespace get which profile.

pub mod v1;
