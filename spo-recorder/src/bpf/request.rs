//! What a recorder is asked for, so that it loads that and no more.

use std::path::PathBuf;

use super::wire::{EXECUTABLES, SELECT_CONTAINER, SELECT_EXECUTABLE, SELECT_TREE};

/// What is to be recorded, and how it is chosen.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) select: Select,
    pub(super) cgroup_root: Option<PathBuf>,
    pub(super) object: Option<Vec<u8>>,
    pub(super) counts_refused: bool,
}

impl Request {
    fn new(select: Select) -> Self {
        Self { select, cgroup_root: None, object: None, counts_refused: false }
    }

    /// The system calls of process trees, each from the exec of its first process.
    #[must_use]
    pub fn tree() -> Self {
        Self::new(Select::Tree)
    }

    /// The system calls of every process that executes a file of a certain name from now on, and of its descendants.
    #[must_use]
    pub fn executable() -> Self {
        Self::new(Select::Executable)
    }

    /// The system calls of the containers of pods, each from the workload's first instruction.
    #[must_use]
    pub fn containers() -> Self {
        Self::new(Select::Containers)
    }

    /// Where the cgroup2 file system is mounted; found out where this is not said.
    #[must_use]
    pub fn cgroup_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.cgroup_root = Some(root.into());
        self
    }

    /// Counts how often the kernel refuses to say whether a task is recorded, also on a kernel that says to be new enough never to do so.
    ///
    /// Before Linux 6.2 this is always counted. It makes every call of the machine a little dearer.
    #[must_use]
    pub fn count_refused_lookups(mut self) -> Self {
        self.counts_refused = true;
        self
    }

    /// Loads these programs instead of the committed ones, to try out an object that was just built.
    #[must_use]
    pub fn object(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.object = Some(bytes.into());
        self
    }
}

/// How tasks are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Select {
    Tree,
    Executable,
    Containers,
}

impl Select {
    /// As the programs in the kernel know it.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Tree => SELECT_TREE,
            Self::Executable => SELECT_EXECUTABLE,
            Self::Containers => SELECT_CONTAINER,
        }
    }

    /// How many things are recorded at once.
    pub(super) const fn slots(self) -> u32 {
        match self {
            Self::Tree => 16,
            Self::Executable => EXECUTABLES,
            Self::Containers => 1024,
        }
    }
}
