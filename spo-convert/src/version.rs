//! The versions of the API, and how an object names one.

use std::fmt;
use std::str::FromStr;

use spo_api::GROUP;

/// A version of the API. Each kind has [`Version::V1`] and one older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// The version that every kind has, and that all are stored in.
    V1,
    /// The older version of SeccompProfile.
    V1beta1,
    /// The older version of SelinuxProfile and RawSelinuxProfile.
    V1alpha2,
    /// The older version of the other kinds.
    V1alpha1,
}

/// A text that names no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version of this API; expected v1, v1beta1, v1alpha2 or v1alpha1")]
pub struct UnknownVersion(pub String);

impl Version {
    /// All of them, the stored one first.
    pub const ALL: [Self; 4] = [Self::V1, Self::V1beta1, Self::V1alpha2, Self::V1alpha1];

    /// The text, without the group.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1beta1 => "v1beta1",
            Self::V1alpha2 => "v1alpha2",
            Self::V1alpha1 => "v1alpha1",
        }
    }

    /// The version that an `apiVersion` names, if it is one of this group.
    pub fn of(api_version: &str) -> Option<Self> {
        api_version.strip_prefix(GROUP)?.strip_prefix('/')?.parse().ok()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let found = Self::ALL.into_iter().find(|version| version.as_str() == text);
        found.ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}
