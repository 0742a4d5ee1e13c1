//! Two profiles of one kind, whichever it is: merged, and compared.

use std::fmt;

use serde::Serialize;
use spo_api::{ProfileKind, ProfileName};

use crate::Profile;
#[cfg(feature = "apparmor")]
use crate::apparmor;
use crate::profile::of_any_kind;
#[cfg(feature = "seccomp")]
use crate::seccomp;
#[cfg(feature = "selinux")]
use crate::selinux;

/// Why two profiles cannot become one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// They are of different kinds.
    #[error(transparent)]
    Kinds(#[from] KindsDiffer),
    /// A policy that is written out has no parts that could be put together.
    #[cfg(feature = "selinux")]
    #[error(
        "{name} is a RawSelinuxProfile, whose policy is text; write what both need into one, or use SelinuxProfiles"
    )]
    Raw {
        /// The first profile.
        name: ProfileName,
    },
    /// Seccomp profiles.
    #[cfg(feature = "seccomp")]
    #[error(transparent)]
    Seccomp(#[from] seccomp::MergeError),
    /// SELinux profiles.
    #[cfg(feature = "selinux")]
    #[error(transparent)]
    Selinux(#[from] selinux::MergeError),
    /// AppArmor profiles.
    #[cfg(feature = "apparmor")]
    #[error(transparent)]
    AppArmor(#[from] apparmor::MergeError),
}

/// Two profiles are of different kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{first} is a {first_kind} and {second} a {second_kind}; only profiles of one kind can be put side by side")]
pub struct KindsDiffer {
    /// The first profile.
    pub first: ProfileName,
    /// Its kind.
    pub first_kind: ProfileKind,
    /// The second profile.
    pub second: ProfileName,
    /// Its kind.
    pub second_kind: ProfileKind,
}

/// What tells two profiles apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Diff {
    /// Seccomp profiles.
    #[cfg(feature = "seccomp")]
    Seccomp(seccomp::Diff),
    /// SELinux profiles.
    #[cfg(feature = "selinux")]
    Selinux(selinux::Diff),
    /// SELinux profiles that are written out.
    #[cfg(feature = "selinux")]
    RawSelinux(selinux::raw::Diff),
    /// AppArmor profiles.
    #[cfg(feature = "apparmor")]
    AppArmor(apparmor::Diff),
}

/// The profile that permits what `base` or `other` permits.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(base: &Profile, other: &Profile) -> Result<Profile, MergeError> {
    match (base, other) {
        #[cfg(feature = "seccomp")]
        (Profile::Seccomp(base), Profile::Seccomp(other)) => Ok(Profile::Seccomp(seccomp::merge(base, other)?)),
        #[cfg(feature = "selinux")]
        (Profile::Selinux(base), Profile::Selinux(other)) => Ok(Profile::Selinux(selinux::merge(base, other)?)),
        #[cfg(feature = "selinux")]
        (Profile::RawSelinux(base), Profile::RawSelinux(_)) => Err(MergeError::Raw { name: base.name().clone() }),
        #[cfg(feature = "apparmor")]
        (Profile::AppArmor(base), Profile::AppArmor(other)) => Ok(Profile::AppArmor(apparmor::merge(base, other)?)),
        #[cfg(any(feature = "selinux", all(feature = "seccomp", feature = "apparmor")))]
        (base, other) => Err(differ(base, other).into()),
    }
}

/// What tells `first` and `second` apart.
///
/// # Errors
/// Their kinds differ.
pub fn diff(first: &Profile, second: &Profile) -> Result<Diff, KindsDiffer> {
    match (first, second) {
        #[cfg(feature = "seccomp")]
        (Profile::Seccomp(first), Profile::Seccomp(second)) => Ok(Diff::Seccomp(seccomp::diff(first, second))),
        #[cfg(feature = "selinux")]
        (Profile::Selinux(first), Profile::Selinux(second)) => Ok(Diff::Selinux(selinux::diff(first, second))),
        #[cfg(feature = "selinux")]
        (Profile::RawSelinux(first), Profile::RawSelinux(second)) => {
            Ok(Diff::RawSelinux(selinux::raw::diff(first, second)))
        }
        #[cfg(feature = "apparmor")]
        (Profile::AppArmor(first), Profile::AppArmor(second)) => Ok(Diff::AppArmor(apparmor::diff(first, second))),
        #[cfg(any(feature = "selinux", all(feature = "seccomp", feature = "apparmor")))]
        (first, second) => Err(differ(first, second)),
    }
}

/// There is more than one kind.
#[cfg(any(feature = "selinux", all(feature = "seccomp", feature = "apparmor")))]
fn differ(first: &Profile, second: &Profile) -> KindsDiffer {
    KindsDiffer {
        first: first.name().clone(),
        first_kind: first.kind(),
        second: second.name().clone(),
        second_kind: second.kind(),
    }
}

impl Diff {
    /// Whether the profiles do the same.
    pub fn is_empty(&self) -> bool {
        of_any_kind!(self, diff => diff.is_empty())
    }
}

/// For people.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        of_any_kind!(self, diff => diff.fmt(f))
    }
}
