//! Which profile is meant.

use std::fmt;

use crate::words::words;
use crate::{Kind, ProfileName};

words! {
    /// The four kinds of profile.
    #[derive(PartialOrd, Ord)]
    pub enum ProfileKind("a kind of profile") {
        /// `SeccompProfile`
        Seccomp = "SeccompProfile",
        /// `SelinuxProfile`
        Selinux = "SelinuxProfile",
        /// `RawSelinuxProfile`
        RawSelinux = "RawSelinuxProfile",
        /// `AppArmorProfile`
        AppArmor = "AppArmorProfile",
    }
}

words! {
    /// A security module of the kernel that enforces profiles.
    #[derive(PartialOrd, Ord)]
    pub enum Module("a security module") {
        /// Filters of system calls.
        Seccomp = "seccomp",
        /// Types, and what they may do to each other.
        Selinux = "SELinux",
        /// Paths, and what programs may do to them.
        AppArmor = "AppArmor",
    }
}

impl ProfileKind {
    /// The module that enforces profiles of this kind.
    pub const fn module(self) -> Module {
        match self {
            Self::Seccomp => Module::Seccomp,
            Self::Selinux | Self::RawSelinux => Module::Selinux,
            Self::AppArmor => Module::AppArmor,
        }
    }

    /// The kind among all eight.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Seccomp => Kind::SeccompProfile,
            Self::Selinux => Kind::SelinuxProfile,
            Self::RawSelinux => Kind::RawSelinuxProfile,
            Self::AppArmor => Kind::AppArmorProfile,
        }
    }

    /// The name of the resource, as URLs and RBAC rules spell it.
    pub const fn plural(self) -> &'static str {
        self.kind().plural()
    }

    /// The profile kind that an object's `kind` names, if it is one.
    pub fn from_kind(kind: &str) -> Option<Self> {
        kind.parse().ok()
    }
}

impl From<ProfileKind> for Kind {
    fn from(kind: ProfileKind) -> Self {
        kind.kind()
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
    fn a_kind_of_profile_is_one_of_the_kinds() {
        for kind in ProfileKind::ALL {
            assert_eq!((kind.as_str(), kind.plural()), (kind.kind().as_str(), kind.kind().plural()));
        }
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
