//! What is written to a node, and how it is recognised there.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use spo_api::{ProfileKey, ProfileKind};

/// A rendered profile: bytes, and the file they belong into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Which profile it is.
    pub key: ProfileKey,
    /// The name of its file in the folder of its kind: the kubelet's for seccomp, `/etc/apparmor.d` for AppArmor. For SELinux it is
    /// `<module>.cil`, from which `semodule` takes the name of the module.
    pub file_name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// The name of its file in a folder of files of all kinds, where the ending tells the kind.
    pub fn export_name(&self) -> String {
        match self.key.kind {
            ProfileKind::Seccomp | ProfileKind::Selinux | ProfileKind::RawSelinux => self.file_name.clone(),
            ProfileKind::AppArmor => format!("{}.apparmor", self.file_name),
        }
    }

    /// The digest of its bytes, to compare with what is installed.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// The [name of the file](Artifact::file_name) of a profile. Profiles of one module with equal names of their files cannot both be
/// installed.
pub fn file_name(key: &ProfileKey) -> String {
    match key.kind {
        ProfileKind::Seccomp => spo_api::seccomp::file_name(&key.name),
        ProfileKind::Selinux | ProfileKind::RawSelinux => format!("{}.cil", key.name),
        // A name of the API begins and ends with neither slash nor dot: see `apparmor::Name::file_name`.
        ProfileKind::AppArmor => key.name.to_string(),
    }
}

/// The SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest that is written so, in hexadecimal.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        if text.len() != 2 * digest.len() || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected sha256: and 64 hexadecimal digits")]
pub struct InvalidDigest;

/// As it is displayed.
impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        text.strip_prefix("sha256:").and_then(Self::from_hex).ok_or(InvalidDigest)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
