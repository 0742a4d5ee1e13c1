//! Signals as something to wait for, instead of handlers.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Signal;

/// SIGINT and SIGTERM, taken from this process while it is kept: they wait until they are read.
#[derive(Debug)]
pub(in crate::spoc) struct Signals {
    fd: OwnedFd,
    before: libc::sigset_t,
}

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spoc) struct Arrived {
    /// Which.
    pub(in crate::spoc) signal: Signal,
    /// Whether a key of the terminal sent it: then each process of the foreground group has it already.
    pub(in crate::spoc) from_terminal: bool,
}

impl Signals {
    /// Takes them.
    pub(in crate::spoc) fn take() -> io::Result<Self> {
        // SAFETY: `sigset_t` is a plain C struct, and `sigemptyset` fills it before it is read.
        let (mut taken, mut before): (libc::sigset_t, libc::sigset_t) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        // SAFETY: the pointers are to live values of this stack; the signals are valid numbers.
        let fd = unsafe {
            libc::sigemptyset(&raw mut taken);
            libc::sigaddset(&raw mut taken, libc::SIGINT);
            libc::sigaddset(&raw mut taken, libc::SIGTERM);
            if libc::sigprocmask(libc::SIG_BLOCK, &raw const taken, &raw mut before) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::signalfd(-1, &raw const taken, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just gave this descriptor to nobody else.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, before })
    }

    /// The next one that arrived, if any did.
    pub(in crate::spoc) fn next(&self) -> io::Result<Option<Arrived>> {
        // SAFETY: `signalfd_siginfo` is plain data, for which zeros are valid.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        let size = size_of_val(&info);
        // SAFETY: the buffer is `info`, which lives through the call and is written for at most its size.
        let read = unsafe { libc::read(self.fd.as_raw_fd(), (&raw mut info).cast(), size) };
        if usize::try_from(read) != Ok(size) {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        }
        let signal = if info.ssi_signo == Signal::TERM.as_raw().cast_unsigned() { Signal::TERM } else { Signal::INT };
        Ok(Some(Arrived { signal, from_terminal: info.ssi_code == libc::SI_KERNEL }))
    }

    /// The mask that this process had before; a child starts with it.
    pub(super) fn before(&self) -> &libc::sigset_t {
        &self.before
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Sends SIGSYS to thread `tid` of process `pid`, as a filter's `TRAP` would; that it is gone is no error.
pub(in crate::spoc) fn trap(pid: i32, tid: rustix::process::Pid) -> io::Result<()> {
    // SAFETY: tgkill(2) takes three numbers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid.as_raw_nonzero().get(), libc::SIGSYS) };
    match (result, io::Error::last_os_error()) {
        (0, _) => Ok(()),
        (_, error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        (_, error) => Err(error),
    }
}
