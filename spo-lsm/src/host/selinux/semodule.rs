//! Calls of the host's `semodule`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SEMODULE;
use super::said::{self, Blame};
use super::scratch::Scratch;
use super::store::Store;
use crate::host::HostError;
use crate::host::tool::{Ended, Tool};

/// Rebuilding a distribution's policy takes a fast machine some seconds, and a slow one a minute.
const DEADLINE: Duration = Duration::from_secs(300);

/// The program, and what it can do.
#[derive(Debug, Clone)]
pub(super) struct Semodule {
    tool: Tool,
    /// Whether it is too old to tell checksums of modules, which came with version 3.4.
    is_old: bool,
}

/// One change of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// A module is installed from a file of its name.
    Install(u16, PathBuf),
    /// A module is removed.
    Remove(u16, String),
}

impl Semodule {
    pub(super) fn find() -> Result<Self, HostError> {
        Ok(Self { tool: Tool::find(SEMODULE)?, is_old: false })
    }

    /// All modules of the store.
    pub(super) fn list(&mut self) -> Result<Store, Unlisted> {
        let arguments: &[&str] = if self.is_old { &["-lfull"] } else { &["-lfull", "--checksum"] };
        let ended = self.run(arguments).map_err(Unlisted::Other)?;
        if ended.status.success() {
            return Ok(Store::parse(&ended.output));
        }
        if !self.is_old && ended.said.contains("unrecognized option") {
            self.is_old = true;
            return self.list();
        }
        Err(match said::blame(&ended.said) {
            Blame::Host(error) => Unlisted::Other(error),
            Blame::Module { priority, name } => Unlisted::Damaged { priority, name, error: said::error(ended) },
            Blame::Unknown => Unlisted::Other(said::error(ended)),
        })
    }

    /// Makes all changes in one transaction: one rebuild, one load.
    pub(super) fn change(&self, changes: &[Change]) -> Result<Ended, HostError> {
        let mut arguments = Vec::new();
        for change in changes {
            let (priority, what) = match change {
                Change::Install(priority, path) => (priority, [Path::new("-i").into(), path.clone()]),
                Change::Remove(priority, name) => (priority, [Path::new("-r").into(), Path::new(name).into()]),
            };
            arguments.extend([Path::new("-X").into(), PathBuf::from(priority.to_string())]);
            arguments.extend(what);
        }
        self.run(&arguments)
    }

    /// Builds what is in the store as it is, and throws it away.
    pub(super) fn try_build(&self) -> Result<Ended, HostError> {
        self.run(&["-n", "-B"])
    }

    /// Builds what is in the store, and loads it. Loading alone would not do where what was built last is not where it is loaded from.
    pub(super) fn rebuild(&self) -> Result<(), HostError> {
        let ended = self.run(&["-B"])?;
        if ended.status.success() { Ok(()) } else { Err(said::error(ended)) }
    }

    /// The text of a module.
    pub(super) fn text(&self, priority: u16, name: &str, scratch: &Scratch) -> Result<Vec<u8>, HostError> {
        let arguments = ["-X", &priority.to_string(), "--cil", "-E", name].map(str::to_owned);
        self.tool.run_in(scratch.path(), &arguments, DEADLINE)?.success(true)?;
        let path = scratch.path().join(format!("{name}.cil"));
        let io = |error: std::io::Error| {
            HostError::at("read", &path)(rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))
        };
        let text = std::fs::read(&path).map_err(io)?;
        std::fs::remove_file(&path).map_err(io)?;
        Ok(text)
    }

    fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Result<Ended, HostError> {
        self.tool.run(arguments, DEADLINE)
    }
}

/// Why a store cannot be listed.
#[derive(Debug)]
pub(super) enum Unlisted {
    /// Because of what is left of one module.
    Damaged {
        /// Its priority.
        priority: u16,
        /// Its name.
        name: String,
        /// What was said.
        error: HostError,
    },
    /// Because of something else.
    Other(HostError),
}

impl Unlisted {
    pub(super) fn into_error(self) -> HostError {
        match self {
            Self::Damaged { error, .. } | Self::Other(error) => error,
        }
    }
}
