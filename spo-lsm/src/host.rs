//! The host: the only part of this crate that does I/O.
//!
//! There is a [`Host`] for each module of the kernel. It tells what is installed and takes [`Step`]s, which are idempotent: applying
//! one twice leaves what applying it once leaves. It decides nothing; which steps are wanted is the difference between desired and
//! installed profiles, and its caller's.

use std::collections::BTreeMap;

use spo_api::{Module, ProfileKey};

use crate::{Artifact, Checked, Digest};

pub mod apparmor;
pub mod seccomp;
pub mod selinux;

mod error;
mod folder;
mod prove;
mod sys;
mod tool;

pub use apparmor::AppArmorHost;
pub use error::HostError;
pub use seccomp::SeccompHost;
pub use selinux::SelinuxHost;

/// Where the profiles of one module are installed.
pub trait Host {
    /// The module. Steps about profiles of another one are refused.
    fn module(&self) -> Module;

    /// Whether profiles of the module can be used on this host.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    fn support(&self) -> Result<(), Unsupported>;

    /// What is installed.
    ///
    /// # Errors
    /// What keeps it from being known. A folder that does not exist is empty.
    fn installed(&mut self) -> Result<Installed, HostError>;

    /// Carries out `steps`, each on its own: one that fails does not keep the others from being tried. There is one outcome
    /// per step, in their order. What costs the host much is done once for all of them.
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

    /// The file that it is about.
    pub fn file_name(&self) -> &str {
        match self {
            Self::Install { artifact, .. } => &artifact.file_name,
            Self::Remove { file_name, .. } => file_name,
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
    /// The profiles that are ours, by [file name](Artifact::file_name).
    pub files: BTreeMap<String, Content>,
    /// What is in a folder of ours under the name of a profile, but is none. It is never followed or read.
    pub foreign: Vec<Foreign>,
}

/// What is known of a profile that is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// It was rendered to bytes of this digest, and is in force.
    Profile(Digest),
    /// It is not as it should be: changed, not loaded, loaded in another mode. Installing it mends that, removing it removes it.
    Stale,
}

/// Something in the profiles folder that nobody of us put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// What it is: a symbolic link, a folder, …
    pub what: &'static str,
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
