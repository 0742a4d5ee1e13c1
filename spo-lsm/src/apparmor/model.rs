//! An AppArmor profile as it is reasoned about.

use std::collections::BTreeSet;

use spo_api::apparmor::v1::Mode;
use spo_api::{AdminState, ProfileName, Violation};

use super::{Capability, Name, Pattern, Ptrace};

/// A well-formed AppArmor profile; only [`parse`](super::parse) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(super) name: ProfileName,
    pub(super) loaded_as: Name,
    pub(super) state: Option<AdminState>,
    pub(super) mode: Mode,
    pub(super) executables: BTreeSet<Pattern>,
    pub(super) libraries: BTreeSet<Pattern>,
    pub(super) read: BTreeSet<Pattern>,
    pub(super) write: BTreeSet<Pattern>,
    pub(super) read_write: BTreeSet<Pattern>,
    pub(super) ptrace: BTreeSet<Ptrace>,
    pub(super) network: Option<Network>,
    pub(super) capabilities: BTreeSet<Capability>,
    pub(super) warnings: Vec<Violation>,
}

/// Which sockets may be made. What is not set is not permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Network {
    /// Raw sockets.
    pub raw: Option<bool>,
    /// TCP.
    pub tcp: Option<bool>,
    /// UDP.
    pub udp: Option<bool>,
}

impl Profile {
    /// Its name.
    pub fn name(&self) -> &ProfileName {
        &self.name
    }

    /// The same name, as the kernel lists it once it is loaded.
    pub fn loaded_as(&self) -> &Name {
        &self.loaded_as
    }

    /// Whether nodes install it.
    pub fn state(&self) -> Option<AdminState> {
        self.state
    }

    /// Whether what it does not allow is refused.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Programs that may be run.
    pub fn executables(&self) -> &BTreeSet<Pattern> {
        &self.executables
    }

    /// Files that may be loaded as libraries.
    pub fn libraries(&self) -> &BTreeSet<Pattern> {
        &self.libraries
    }

    /// Files that may be read.
    pub fn read(&self) -> &BTreeSet<Pattern> {
        &self.read
    }

    /// Files that may be written.
    pub fn write(&self) -> &BTreeSet<Pattern> {
        &self.write
    }

    /// Files that may be read and written.
    pub fn read_write(&self) -> &BTreeSet<Pattern> {
        &self.read_write
    }

    /// What it may do to other processes.
    pub fn ptrace(&self) -> &BTreeSet<Ptrace> {
        &self.ptrace
    }

    /// Sockets that may be made; nothing is said about them where there are none.
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// Capabilities that may be used.
    pub fn capabilities(&self) -> &BTreeSet<Capability> {
        &self.capabilities
    }

    /// What is no reason to refuse it, but should be told to whoever wrote it.
    pub fn warnings(&self) -> &[Violation] {
        &self.warnings
    }
}
