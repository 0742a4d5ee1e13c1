//! What can go wrong with recording by eBPF, and what to do about it.

use std::io;
use std::path::PathBuf;

pub use super::btf::BtfError;

/// Why recording cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel refuses eBPF to this process.
    #[error(
        "the kernel refuses eBPF to this process: run it as root, or give it CAP_BPF and CAP_PERFMON; \
         in a container, check that its seccomp profile allows bpf(2)"
    )]
    NoPermission(#[source] io::Error),
    /// The kernel does not describe its types.
    #[error(
        "cannot read {path}: recording needs a kernel with CONFIG_DEBUG_INFO_BTF=y, as those of the distributions are; \
         in a container, /sys must be mounted"
    )]
    NoKernelTypes {
        /// The file.
        path: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel's types are not as the recorder needs them.
    #[error("the types of this kernel, in {path}, cannot be used; Linux 5.15 or newer is needed")]
    KernelTypes {
        /// The file.
        path: &'static str,
        /// What is wrong.
        source: BtfError,
    },
    /// The kernel refused a program.
    #[error("the kernel refuses the eBPF program {program}; Linux 5.15 or newer is needed. The verifier says: {log}")]
    KernelRefused {
        /// Which program.
        program: &'static str,
        /// What the kernel said.
        source: io::Error,
        /// The end of what the verifier said, empty if it was not asked.
        log: String,
    },
    /// The kernel refused a map.
    #[error("the kernel refuses the eBPF map {map}; Linux 5.15 or newer is needed, and free memory")]
    MapRefused {
        /// Which map.
        map: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused the types of the object.
    #[error("the kernel refuses the types of the eBPF programs; Linux 5.15 or newer is needed")]
    TypesRefused(#[source] io::Error),
    /// The committed object is damaged: a defect of this program.
    #[error("the eBPF object is damaged: {0}. Build it again with `cargo xtask bpf`")]
    Object(String),
    /// Containers are chosen by their cgroup2 directory, and there is none.
    #[error(
        "no cgroup2 file system is mounted: mount one (`mount -t cgroup2 none /sys/fs/cgroup/unified`), or name its place"
    )]
    NoCgroup2,
}

/// Why recording cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The kernel refused to attach a program.
    #[error("the kernel refuses to attach the eBPF program {program}")]
    Attach {
        /// Which program.
        program: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A map could not be read or written.
    #[error("cannot {what} in the kernel")]
    Map {
        /// What was attempted.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nothing is recorded under this id any more.
    #[error("recording {0} is over, or was never begun")]
    NoSuchSlot(super::SlotId),
    /// As many things are recorded at once as there is room for.
    #[error("all {0} places are taken: end a recording first")]
    NoFreeSlot(u32),
    /// A process to be followed is not there.
    #[error("cannot open process {pid}: is it still there?")]
    NoProcess {
        /// Its id.
        pid: i32,
        /// What the kernel said.
        source: io::Error,
    },
    /// A process to be followed has threads that cannot be followed.
    #[error(
        "process {pid} has several threads, of which a kernel before Linux 6.9 can mark the first only: \
         follow it before it starts the others, or start it here"
    )]
    Threads {
        /// Its id.
        pid: i32,
        /// What the kernel said.
        source: io::Error,
    },
    /// A name that cannot be that of an executable or a cgroup.
    #[error("{name:?} cannot be the name of {of}: it must have 1 to {longest} bytes, without slashes", longest = super::wire::NAME - 1)]
    Name {
        /// The name.
        name: String,
        /// Of what.
        of: &'static str,
    },
    /// The recorder was not started for this.
    #[error("this recorder was not started for {0}")]
    NotRequested(&'static str),
    /// A cgroup could not be looked at.
    #[error("cannot read {}", path.display())]
    Cgroup {
        /// Its directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Waiting for the kernel failed.
    #[error("cannot wait for notifications of the kernel")]
    Wait(#[source] io::Error),
}

/// Why a command could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The recorder could not be made ready.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The command could not be executed.
    #[error("cannot start {program:?}")]
    Command {
        /// The program.
        program: std::ffi::OsString,
        /// What the system said.
        source: io::Error,
    },
}
