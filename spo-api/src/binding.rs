//! ProfileBinding: which pods of a namespace get which profile.

pub mod v1;
pub mod v1alpha1;
