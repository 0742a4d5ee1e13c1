//! Marking tasks: a child between fork and exec marks itself, and what exists is marked through its descriptor.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, PidfdFlags};

use super::bpf;
use super::wire::bytes_of;
use crate::bpf::wire::Mark;

/// Has the child put `mark` on itself before it executes the command.
///
/// It is the child which does so, as nothing can come between, and as the descriptor of a process means the same in every PID
/// namespace. `marks` must stay open until the command was started; it does not survive the exec.
pub(crate) fn mark_before_exec(command: &mut Command, marks: BorrowedFd<'_>, mark: Mark) {
    let marks = marks.as_raw_fd();
    let before_exec = move || {
        // SAFETY: the caller keeps it open, and the child has its own copy.
        let marks = unsafe { BorrowedFd::borrow_raw(marks) };
        put(marks, &open(rustix::process::getpid())?, mark)
    };
    // SAFETY: three system calls and no allocation, so nothing that another thread of the parent could have left locked.
    unsafe { command.pre_exec(before_exec) };
}

/// Marks the thread that a descriptor is of; that of a process is of its first.
pub(crate) fn put(marks: BorrowedFd<'_>, thread: &OwnedFd, mark: Mark) -> io::Result<()> {
    bpf::update(marks, &thread.as_raw_fd().to_ne_bytes(), bytes_of(&mark), 0)
}

/// Opens a process.
pub(crate) fn open(pid: Pid) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Opens a thread. Before Linux 6.9 this is an invalid argument, unless it is the first of its process.
pub(crate) fn open_thread(thread: Pid) -> io::Result<OwnedFd> {
    /// PIDFD_THREAD of `linux/pidfd.h`.
    const THREAD: u32 = libc::O_EXCL.cast_unsigned();
    Ok(rustix::process::pidfd_open(thread, PidfdFlags::from_bits_retain(THREAD))?)
}
