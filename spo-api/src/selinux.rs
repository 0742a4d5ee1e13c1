//! SelinuxProfile: what an SELinux type of its own may do.

pub mod v1;
pub mod v1alpha2;
