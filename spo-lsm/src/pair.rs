//! Two profiles of one kind, whichever it is: merged, and compared.

use std::fmt;

use serde::Serialize;
use spo_api::{ProfileKind, ProfileName};

use crate::{Profile, seccomp, selinux};

/// Why two profiles cannot become one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// They are of different kinds.
    #[error(transparent)]
    Kinds(#[from] KindsDiffer),
    /// A policy that is written out has no parts that could be put together.
    #[error(
        "{name} is a RawSelinuxProfile, whose policy is text; write what both need into one, or use SelinuxProfiles"
    )]
    Raw {
        /// The first profile.
        name: ProfileName,
    },
    /// Seccomp profiles.
    #[error(transparent)]
    Seccomp(#[from] seccomp::MergeError),
    /// SELinux profiles.
    #[error(transparent)]
    Selinux(#[from] selinux::MergeError),
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
    Seccomp(seccomp::Diff),
    /// SELinux profiles.
    Selinux(selinux::Diff),
    /// SELinux profiles that are written out.
    RawSelinux(selinux::raw::Diff),
}

/// The profile that permits what `base` or `other` permits.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(base: &Profile, other: &Profile) -> Result<Profile, MergeError> {
    match (base, other) {
        (Profile::Seccomp(base), Profile::Seccomp(other)) => Ok(Profile::Seccomp(seccomp::merge(base, other)?)),
        (Profile::Selinux(base), Profile::Selinux(other)) => Ok(Profile::Selinux(selinux::merge(base, other)?)),
        (Profile::RawSelinux(base), Profile::RawSelinux(_)) => Err(MergeError::Raw { name: base.name().clone() }),
        (base, other) => Err(differ(base, other).into()),
    }
}

/// What tells `first` and `second` apart.
///
/// # Errors
/// Their kinds differ.
pub fn diff(first: &Profile, second: &Profile) -> Result<Diff, KindsDiffer> {
    match (first, second) {
        (Profile::Seccomp(first), Profile::Seccomp(second)) => Ok(Diff::Seccomp(seccomp::diff(first, second))),
        (Profile::Selinux(first), Profile::Selinux(second)) => Ok(Diff::Selinux(selinux::diff(first, second))),
        (Profile::RawSelinux(first), Profile::RawSelinux(second)) => {
            Ok(Diff::RawSelinux(selinux::raw::diff(first, second)))
        }
        (first, second) => Err(differ(first, second)),
    }
}

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
        match self {
            Self::Seccomp(diff) => diff.is_empty(),
            Self::Selinux(diff) => diff.is_empty(),
            Self::RawSelinux(diff) => diff.is_empty(),
        }
    }
}

/// For people.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seccomp(diff) => diff.fmt(f),
            Self::Selinux(diff) => diff.fmt(f),
            Self::RawSelinux(diff) => diff.fmt(f),
        }
    }
}
