//! Recording by eBPF: the kernel notes which system calls are made, and by whom.
//!
//! *A slot* is one thing that is recorded: a process tree, an executable, or a container. Tasks carry the mark of their slot,
//! their children and threads get it before their first instruction, and no name that a process gives itself, no namespace
//! that it enters and no parent that dies first makes a difference.
//!
//! [`Recorder::start`] loads the programs that its [`Request`] needs, and attaches none. They are attached with the first slot, or the
//! first pod that is expected, and detached with the last, as an attached `sys_enter` costs every process of the machine.
//!
//! Linux 5.15 or newer with BTF, and root or CAP_BPF and CAP_PERFMON. The kernel side is in `ebpf/`, its object is committed.

use std::fmt;

pub use error::{BtfError, RecordError, SpawnError, StartError};
pub use notice::Notice;
pub use recorder::{Recorder, Waited};
pub use request::Request;

#[expect(dead_code, reason = "the kernel side uses the rest")]
pub(crate) mod wire;

mod btf;
mod cgroup;
mod decode;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod layout;
mod load;
mod notice;
mod object;
mod recorder;
mod request;
mod slots;

/// Something that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u64);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Attaches to the beginning of every system call a program that does nothing, as long as it lives: the yardstick for what
/// recording costs.
#[derive(Debug)]
pub struct EmptyProgram {
    _attached: load::Attached,
}

impl EmptyProgram {
    /// Loads and attaches it.
    ///
    /// # Errors
    /// As for [`Recorder::start`].
    pub fn attach() -> Result<Self, StartError> {
        Ok(Self { _attached: load::attach_empty()? })
    }
}
