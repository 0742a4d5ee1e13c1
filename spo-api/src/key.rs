//! Which profile is meant.

use std::fmt;

use crate::ProfileName;

/// The four kinds of profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProfileKind {
    /// `SeccompProfile`
    Seccomp,
    /// `SelinuxProfile`
    Selinux,
    /// `RawSelinuxProfile`
    RawSelinux,
    /// `AppArmorProfile`
    AppArmor,
}

impl ProfileKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Seccomp, Self::Selinux, Self::RawSelinux, Self::AppArmor];

    /// The kind of the Kubernetes object, as `kind` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seccomp => "SeccompProfile",
            Self::Selinux => "SelinuxProfile",
            Self::RawSelinux => "RawSelinuxProfile",
            Self::AppArmor => "AppArmorProfile",
        }
    }

    /// The name of the resource, as URLs and RBAC rules spell it.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Seccomp => "seccompprofiles",
            Self::Selinux => "selinuxprofiles",
            Self::RawSelinux => "rawselinuxprofiles",
            Self::AppArmor => "apparmorprofiles",
        }
    }

    /// The profile kind that an object's `kind` names, if it is one.
    pub fn from_kind(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind)
    }
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One profile of the cluster. Profiles are cluster-scoped, so kind and name suffice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileKey {
    /// Its kind.
    pub kind: ProfileKind,
    /// Its name.
    pub name: ProfileName,
}

impl fmt::Display for ProfileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_plural_are_those_of_the_types() {
        use kube::Resource;
        fn check<K: Resource<DynamicType = ()>>(kind: ProfileKind) {
            assert_eq!((kind.as_str(), kind.plural()), (&*K::kind(&()), &*K::plural(&())));
        }
        check::<crate::seccomp::v1::SeccompProfile>(ProfileKind::Seccomp);
        check::<crate::selinux::v1::SelinuxProfile>(ProfileKind::Selinux);
        check::<crate::raw_selinux::v1::RawSelinuxProfile>(ProfileKind::RawSelinux);
        check::<crate::apparmor::v1::AppArmorProfile>(ProfileKind::AppArmor);
    }

    #[test]
    fn kind_text_round_trips() {
        for kind in ProfileKind::ALL {
            assert_eq!(ProfileKind::from_kind(kind.as_str()), Some(kind));
        }
        assert_eq!(ProfileKind::from_kind("Pod"), None);
        assert_eq!(ProfileKind::from_kind("seccompprofile"), None);
    }
}
