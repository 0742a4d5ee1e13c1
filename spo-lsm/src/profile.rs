//! A profile of any kind.

use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{AdminState, ProfileKey, ProfileKind, ProfileName, Violation};

use crate::{apparmor, seccomp, selinux};

/// A well-formed profile of one of the modules.
#[derive(Debug, Clone, PartialEq)]
pub enum Profile {
    /// For seccomp.
    Seccomp(seccomp::Profile),
    /// For SELinux.
    Selinux(selinux::Profile),
    /// For SELinux, written out in its language.
    RawSelinux(selinux::raw::Profile),
    /// For AppArmor.
    AppArmor(apparmor::Profile),
}

/// The `spec` of a kind of profile, as the API has it.
pub trait Spec {
    /// The kind.
    const KIND: ProfileKind;

    /// Whether nodes install the profile.
    fn state(&self) -> Option<AdminState>;

    /// Makes the profile.
    ///
    /// # Errors
    /// Everything that is wrong with it, by field of the object.
    fn parse(&self, name: ProfileName) -> Result<Profile, Vec<Violation>>;
}

/// Makes a profile of a `spec` of the API, whatever its kind.
///
/// # Errors
/// Everything that is wrong with it, by field of the object.
pub fn parse<S: Spec>(name: ProfileName, spec: &S) -> Result<Profile, Vec<Violation>> {
    spec.parse(name)
}

macro_rules! spec {
    ($spec:ident, $kind:ident, $parse:path) => {
        impl Spec for $spec {
            const KIND: ProfileKind = ProfileKind::$kind;

            fn state(&self) -> Option<AdminState> {
                self.state
            }

            fn parse(&self, name: ProfileName) -> Result<Profile, Vec<Violation>> {
                $parse(name, self).map(Profile::$kind)
            }
        }
    };
}

spec!(SeccompProfileSpec, Seccomp, seccomp::parse);
spec!(SelinuxProfileSpec, Selinux, selinux::parse);
spec!(RawSelinuxProfileSpec, RawSelinux, selinux::raw::parse);
spec!(AppArmorProfileSpec, AppArmor, apparmor::parse);

impl Profile {
    /// Its kind.
    pub fn kind(&self) -> ProfileKind {
        match self {
            Self::Seccomp(_) => ProfileKind::Seccomp,
            Self::Selinux(_) => ProfileKind::Selinux,
            Self::RawSelinux(_) => ProfileKind::RawSelinux,
            Self::AppArmor(_) => ProfileKind::AppArmor,
        }
    }

    /// Its name.
    pub fn name(&self) -> &ProfileName {
        match self {
            Self::Seccomp(profile) => profile.name(),
            Self::Selinux(profile) => profile.name(),
            Self::RawSelinux(profile) => profile.name(),
            Self::AppArmor(profile) => profile.name(),
        }
    }

    /// Which profile of the cluster it is.
    pub fn key(&self) -> ProfileKey {
        ProfileKey { kind: self.kind(), name: self.name().clone() }
    }

    /// What is no reason to refuse it, but should be told to whoever wrote it.
    pub fn warnings(&self) -> &[Violation] {
        match self {
            Self::Seccomp(profile) => profile.warnings(),
            Self::Selinux(profile) => profile.warnings(),
            Self::RawSelinux(profile) => profile.warnings(),
            Self::AppArmor(profile) => profile.warnings(),
        }
    }
}
