//! What keeps a profile from being installed, each with what to do about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use spo_api::{Module, ProfileKind};

use super::{Step, Unsupported};
use crate::seccomp::CompileError;

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The file system takes no writes.
    #[error("{} is on a read-only file system; mount it writable", .path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// The disk, or the quota, is full.
    #[error("there is no space left for {}; free some on its file system", .path.display())]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// Something on the way to the file is not a folder.
    #[error("{} is not a folder; remove what is there", .path.display())]
    NotADirectory {
        /// What should be one.
        path: PathBuf,
    },
    /// The profiles folder is a link to somewhere else. The only one that is followed leads to the operator's own folder.
    #[error("{} is a symbolic link to {}, which is not followed; remove it", .path.display(), .target.display())]
    Symlink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A folder stands where the file belongs.
    #[error("{} is a folder, and a profile belongs there; remove it", .path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
    },
    /// This process may not.
    #[error("permission denied for {}; run as root, or give the folder to the user of this process", .path.display())]
    Permission {
        /// What was refused.
        path: PathBuf,
    },
    /// A name that is not a single path element ending in `.json`, or that the operator uses itself.
    #[error("{name:?} is no name for the file of a profile; choose another name for the profile")]
    FileName {
        /// The name.
        name: String,
    },
    /// It is for a module that this host does not install profiles of.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// There is no filter for it.
    #[error("the profile does not compile")]
    Compile(#[source] CompileError),
    /// The kernel does not take the filter.
    #[error(
        "the kernel did not load the filter of {instructions} instructions with flags {flags:#x}; look for what this kernel does not have, often a flag of the profile"
    )]
    Refused {
        /// How long the filter is.
        instructions: usize,
        /// The flags that it was loaded with, `SECCOMP_FILTER_FLAG_*`.
        flags: u32,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
    /// The process that was to load the filter could not be started, or ended without a word.
    #[error("cannot try the filter in a process of its own; raise the limit of processes or memory")]
    Prove(#[source] Errno),
    /// What was read back is not what was written.
    #[error("{} changed while it was written; look for another program that writes there", .path.display())]
    ReadBack {
        /// The file.
        path: PathBuf,
    },
    /// A profile of this name is on the host, and nobody of us put it there. It is never replaced or removed.
    #[error(
        "{name} is a profile of the host ({how}), which is left alone; choose another name for the profile, or remove that one"
    )]
    Foreign {
        /// The name.
        name: String,
        /// How that is known.
        how: String,
    },
    /// Another process is loading the profile, or the program that it has left at work.
    #[error("another process is loading {name}; try again when it has ended")]
    Busy {
        /// The name.
        name: String,
    },
    /// The host lacks a program.
    #[error("this host has no {tool} in {searched}; install the package that it is part of")]
    NoTool {
        /// The program.
        tool: &'static str,
        /// Where it was looked for.
        searched: String,
    },
    /// A program of the host did not do what it was asked to do.
    #[error("{tool} says: {message}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// What it said, or how it ended.
        message: String,
        /// Whether it may go better another time with the same profile.
        may_pass: bool,
    },
    /// A program of the host was stopped, because it took too long.
    #[error("{tool} did not end within {} seconds and was stopped; look at what keeps it busy on the host", .deadline.as_secs())]
    Deadline {
        /// The program.
        tool: &'static str,
        /// How long it had.
        deadline: Duration,
    },
    /// The kernel does not have what was installed.
    #[error("{name} was loaded, but the kernel {but}; look for what else changes policies on this host")]
    NotInForce {
        /// What was loaded.
        name: String,
        /// What it has instead.
        but: String,
    },
    /// What another process that does the work said.
    #[error("{message}")]
    Told {
        /// The error with its causes.
        message: String,
        /// Whether it may go better another time with the same profile.
        may_pass: bool,
    },
    /// Anything else.
    #[error("cannot {operation} {}", .path.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
}

impl HostError {
    /// Whether the same step may go better another time. What the profile itself is the reason of stays as it is until the profile
    /// changes.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Compile(_) | Self::FileName { .. } | Self::Unsupported(_) => false,
            Self::Tool { may_pass, .. } | Self::Told { may_pass, .. } => *may_pass,
            Self::ReadOnly { .. }
            | Self::NoSpace { .. }
            | Self::NotADirectory { .. }
            | Self::Symlink { .. }
            | Self::Occupied { .. }
            | Self::Permission { .. }
            | Self::Refused { .. }
            | Self::Prove(_)
            | Self::ReadBack { .. }
            | Self::Foreign { .. }
            | Self::Busy { .. }
            | Self::NoTool { .. }
            | Self::Deadline { .. }
            | Self::NotInForce { .. }
            | Self::Io { .. } => true,
        }
    }

    /// The step, if it is about a profile of `module`.
    pub(super) fn unless_of(module: Module, step: &Step) -> Result<(), Self> {
        let kind = step.key().kind;
        if kind.module() == module { Ok(()) } else { Err(Self::other_module(module, kind)) }
    }

    /// What comes of steps about profiles of another module.
    pub(super) fn other_module(module: Module, kind: ProfileKind) -> Self {
        Self::Unsupported(Unsupported {
            reason: format!("{kind} is for {}, and this host installs profiles of {module}", kind.module()),
            next_step: "give it to the host of that module".to_owned(),
        })
    }

    /// The error of an operation on a path, as a map for `map_err`.
    pub(super) fn at(operation: &'static str, path: &Path) -> impl FnOnce(Errno) -> Self {
        let path = path.to_owned();
        move |errno| match errno {
            Errno::ROFS => Self::ReadOnly { path },
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace { path },
            Errno::NOTDIR => Self::NotADirectory { path },
            Errno::ISDIR => Self::Occupied { path },
            Errno::ACCESS | Errno::PERM => Self::Permission { path },
            _ => Self::Io { operation, path, errno },
        }
    }
}
