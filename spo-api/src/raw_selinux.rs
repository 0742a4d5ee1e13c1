//! RawSelinuxProfile: an SELinux policy module in CIL, written out.

pub mod v1;
pub mod v1alpha2;
