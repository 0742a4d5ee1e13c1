//! SelinuxProfile: what an SELinux type of its own may do.

use crate::ProfileName;

pub mod v1;
pub mod v1alpha2;

/// What a pod writes into `seLinuxOptions.type` to be confined by the profile: the type `process` of its block.
pub fn usage(profile: &ProfileName) -> String {
    format!("{profile}.process")
}
