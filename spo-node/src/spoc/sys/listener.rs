//! The listener of a filter: calls that wait for an answer.
//!
//! seccomp_unotify(2); Linux 5.0, `CONTINUE` since 5.5, the end of the last process as `POLLHUP` since 5.9.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::process::Pid;

/// The listener.
#[derive(Debug)]
pub(in crate::spoc) struct Listener(OwnedFd);

/// A call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spoc) struct Waiting {
    /// The kernel's name of this one wait.
    pub(in crate::spoc) id: u64,
    /// The thread that made the call.
    pub(in crate::spoc) tid: Pid,
    /// `AUDIT_ARCH_…` of the call.
    pub(in crate::spoc) audit_arch: u32,
    /// Its number.
    pub(in crate::spoc) number: u32,
    /// Its arguments, as registers held them.
    pub(in crate::spoc) args: [u64; 6],
}

/// What the call gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spoc) enum Reply {
    /// It is made, as if there were no listener. Safe only where the profile lets it through anyway: the caller can change what
    /// its pointers lead to.
    Continue,
    /// It is not made, and returns this error.
    Refuse {
        /// The error number, from 1 on.
        errno: i32,
    },
}

impl Listener {
    /// The listener behind this descriptor.
    pub(in crate::spoc) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Takes the next call that waits. `None` if its thread was gone before it could be taken. Blocks if there is none, so poll
    /// first.
    pub(in crate::spoc) fn take(&self) -> io::Result<Option<Waiting>> {
        // SAFETY: plain data, for which zeros are valid; the kernel demands them.
        let mut notif: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request reads and writes one `seccomp_notif`, which lives on this stack.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notif) };
        if result != 0 {
            return gone_or(io::Error::last_os_error(), None);
        }
        let Some(tid) = Pid::from_raw(notif.pid.cast_signed()) else { return Ok(None) };
        Ok(Some(Waiting {
            id: notif.id,
            tid,
            audit_arch: notif.data.arch,
            number: notif.data.nr.cast_unsigned(),
            args: notif.data.args,
        }))
    }

    /// Whether the call still waits: if so, its thread id has not been given to another thread meanwhile.
    pub(in crate::spoc) fn waits(&self, waiting: &Waiting) -> bool {
        // SAFETY: the request reads one u64, which lives through the call.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const waiting.id) == 0 }
    }

    /// Answers; that the thread is gone is no error.
    pub(in crate::spoc) fn answer(&self, waiting: &Waiting, reply: Reply) -> io::Result<()> {
        let (error, flags) = match reply {
            Reply::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Reply::Refuse { errno } => (-errno, 0),
        };
        let response = libc::seccomp_notif_resp { id: waiting.id, val: 0, error, flags };
        // SAFETY: the request reads one `seccomp_notif_resp`, which lives through the call.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response) };
        if result != 0 {
            return gone_or(io::Error::last_os_error(), ());
        }
        Ok(())
    }
}

/// A thread that was killed or interrupted does not wait any more: `ENOENT`, and that is `value`.
fn gone_or<T>(error: io::Error, value: T) -> io::Result<T> {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EINTR | libc::EINPROGRESS) => Ok(value),
        _ => Err(error),
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
