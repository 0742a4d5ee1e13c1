//! A profile of any kind.

use spo_api::{AdminState, ProfileKey, ProfileKind, ProfileName, Violation};

#[cfg(feature = "apparmor")]
use crate::apparmor;
#[cfg(feature = "seccomp")]
use crate::seccomp;
#[cfg(feature = "selinux")]
use crate::selinux;

/// A well-formed profile of one of the modules.
#[derive(Debug, Clone, PartialEq)]
pub enum Profile {
    /// For seccomp.
    #[cfg(feature = "seccomp")]
    Seccomp(seccomp::Profile),
    /// For SELinux.
    #[cfg(feature = "selinux")]
    Selinux(selinux::Profile),
    /// For SELinux, written out in its language.
    #[cfg(feature = "selinux")]
    RawSelinux(selinux::raw::Profile),
    /// For AppArmor.
    #[cfg(feature = "apparmor")]
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
    ($feature:literal, $spec:path, $kind:ident, $parse:path) => {
        #[cfg(feature = $feature)]
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

spec!("seccomp", spo_api::seccomp::v1::SeccompProfileSpec, Seccomp, seccomp::parse);
spec!("selinux", spo_api::selinux::v1::SelinuxProfileSpec, Selinux, selinux::parse);
spec!("selinux", spo_api::raw_selinux::v1::RawSelinuxProfileSpec, RawSelinux, selinux::raw::parse);
spec!("apparmor", spo_api::apparmor::v1::AppArmorProfileSpec, AppArmor, apparmor::parse);

/// The same of `Self`, an enumeration with a variant for each kind, whichever kind there is.
macro_rules! of_any_kind {
    ($value:expr, $one:ident => $answer:expr) => {
        match $value {
            #[cfg(feature = "seccomp")]
            Self::Seccomp($one) => $answer,
            #[cfg(feature = "selinux")]
            Self::Selinux($one) => $answer,
            #[cfg(feature = "selinux")]
            Self::RawSelinux($one) => $answer,
            #[cfg(feature = "apparmor")]
            Self::AppArmor($one) => $answer,
        }
    };
}
pub(crate) use of_any_kind;

impl Profile {
    /// Its kind.
    pub fn kind(&self) -> ProfileKind {
        match self {
            #[cfg(feature = "seccomp")]
            Self::Seccomp(_) => ProfileKind::Seccomp,
            #[cfg(feature = "selinux")]
            Self::Selinux(_) => ProfileKind::Selinux,
            #[cfg(feature = "selinux")]
            Self::RawSelinux(_) => ProfileKind::RawSelinux,
            #[cfg(feature = "apparmor")]
            Self::AppArmor(_) => ProfileKind::AppArmor,
        }
    }

    /// Its name.
    pub fn name(&self) -> &ProfileName {
        of_any_kind!(self, profile => profile.name())
    }

    /// Which profile of the cluster it is.
    pub fn key(&self) -> ProfileKey {
        ProfileKey { kind: self.kind(), name: self.name().clone() }
    }

    /// What is no reason to refuse it, but should be told to whoever wrote it.
    pub fn warnings(&self) -> &[Violation] {
        of_any_kind!(self, profile => profile.warnings())
    }
}
