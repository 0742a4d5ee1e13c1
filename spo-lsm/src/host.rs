//! The host: the only part of this crate that does I/O.
//!
//! A [`Host`] tells what is installed and takes [`Step`]s, which are idempotent: applying one twice leaves what applying it once
//! leaves. It decides nothing; which steps are wanted is the difference between desired and installed profiles, and its caller's.

use std::collections::BTreeMap;

use spo_api::ProfileKey;

use crate::{Artifact, Checked, Digest};

pub mod seccomp;

mod error;
mod folder;
mod prove;
mod sys;

pub use error::HostError;
pub use seccomp::SeccompHost;

/// Where profiles are installed.
pub trait Host {
    /// Which modules the kernel has.
    fn support(&self) -> Support;

    /// What is installed.
    ///
    /// # Errors
    /// What keeps the folder from being read. A folder that does not exist is empty.
    fn installed(&self) -> Result<Installed, HostError>;

    /// Carries out `steps` in order, each on its own: one that fails does not keep the others from being tried. There is one outcome
    /// per step, in their order.
    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome>;
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all steps are installs")]
pub enum Step {
    /// Make a profile available to containers.
    Install {
        /// The profile, which is proven to load.
        checked: Checked,
        /// What is written.
        artifact: Artifact,
    },
    /// Remove a profile.
    Remove {
        /// Which.
        key: ProfileKey,
        /// Its file.
        file_name: String,
    },
}

impl Step {
    /// The profile that it is about.
    pub fn key(&self) -> &ProfileKey {
        match self {
            Self::Install { artifact, .. } => &artifact.key,
            Self::Remove { key, .. } => key,
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The profile.
    pub key: ProfileKey,
    /// What changed, or why nothing could.
    pub result: Result<Change, HostError>,
}

/// What a step changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The file was written.
    Written,
    /// It was as it should be.
    Unchanged,
    /// The file was removed.
    Removed,
    /// There was none.
    Absent,
}

/// What is installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// The profiles: file name, and the digest of the content.
    pub files: BTreeMap<String, Digest>,
    /// What is in the folder under the name of a profile, but is none. It is never followed or read.
    pub foreign: Vec<Foreign>,
}

/// Something in the profiles folder that nobody of us put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// What it is: a symbolic link, a folder, …
    pub what: &'static str,
}

/// Which modules the kernel has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Whether seccomp filters can be used.
    pub seccomp: Result<(), Unsupported>,
}

/// Why a module cannot be used, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {next_step}")]
pub struct Unsupported {
    /// What is missing.
    pub reason: String,
    /// What to do about it.
    pub next_step: String,
}
