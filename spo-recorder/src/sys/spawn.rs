//! Between fork and exec: the child marks itself.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
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

/// Marks a process that exists.
pub(crate) fn put(marks: BorrowedFd<'_>, process: &OwnedFd, mark: Mark) -> io::Result<()> {
    bpf::update(marks, &process.as_raw_fd().to_ne_bytes(), bytes_of(&mark), 0)
}

/// Takes the mark from a process.
pub(crate) fn remove(marks: BorrowedFd<'_>, process: &OwnedFd) -> io::Result<bool> {
    bpf::delete(marks, &process.as_fd().as_raw_fd().to_ne_bytes())
}

/// Opens a process: the first thread of it.
pub(crate) fn open(pid: Pid) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}
