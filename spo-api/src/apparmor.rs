//! AppArmorProfile: which files, networks and capabilities a container may use.

pub mod v1;
pub mod v1alpha1;
