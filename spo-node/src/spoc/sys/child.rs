//! A child that is held before it becomes the command, until whoever started it has made ready to watch it.
//!
//! `std::process` cannot do that: its `spawn` returns only after `execve`, which may be the first call that a filter stops. So
//! this is a fork by hand, and between fork and `execve` the child allocates nothing, takes no lock, and once the filter is on
//! makes no system call but `execve`, because the profile was written for the command and not for us. What it has to say then it
//! says through a page of shared memory. Parent and child share one table of descriptors until `execve`, so the listener that
//! the kernel gives to the child is there for the parent as well; that needs no call, and no permission to trace.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use rustix::thread::futex;

use super::shared::{FilterState, Page, Stage};
use super::signals::Signals;
use crate::spoc::command::{Command, text};
use crate::spoc::filter::Filter;
use crate::spoc::identity::Identity;

/// A child that waits to be released, or that has been. It is killed when this is dropped before that.
#[derive(Debug)]
pub(in crate::spoc) struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    page: Page,
    program: CString,
    released: bool,
}

/// How a filter was loaded.
#[derive(Debug)]
pub(in crate::spoc) enum Loaded {
    /// With a listener, which this is.
    Asking(OwnedFd),
    /// Without one.
    Silent,
    /// Not at all: the child ended before.
    Never,
}

/// How a child ended.
#[derive(Debug)]
pub(in crate::spoc) enum Ended {
    /// It never became the command: what it was doing, and why that failed.
    NotStarted(Stage, io::Error),
    /// The command ended.
    Command(WaitIdStatus),
}

impl Child {
    /// Forks a child that will become `command`, as `identity` where there is one, under `filter` where there is one.
    pub(in crate::spoc) fn hold(
        command: &Command,
        identity: Option<&Identity>,
        filter: Option<&Filter>,
        signals: &Signals,
    ) -> Result<Self> {
        let environment = std::env::vars_os();
        let environment: Vec<(OsString, OsString)> =
            identity.map_or_else(|| std::env::vars_os().collect(), |identity| identity.environment(environment));
        let program = command.program_text()?;
        let argv = command.argv_texts()?;
        let envp = environment.iter().map(assignment).collect::<Result<Vec<_>>>()?;
        let (argv, envp) = (pointers(&argv), pointers(&envp));
        let page = Page::new().context("cannot map memory for the child")?;
        let parent = rustix::process::getpid();

        let becoming =
            Becoming { program: &program, argv: &argv, envp: &envp, identity, filter, signals, page: &page, parent };
        // SAFETY: the child runs `become_command` and nothing else, which keeps to what a forked child may do and never returns.
        let (pid, pidfd) = match unsafe { fork_sharing_files() }.context("cannot fork")? {
            Some(child) => child,
            None => become_command(&becoming),
        };
        Ok(Self { pid, pidfd, page, program, released: false })
    }

    /// Its process id.
    pub(in crate::spoc) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it become the command.
    pub(in crate::spoc) fn release(&mut self) -> io::Result<()> {
        self.released = true;
        self.page.go().store(1, Ordering::Release);
        futex::wake(self.page.go(), futex::Flags::empty(), 1)?;
        Ok(())
    }

    /// Waits until its filter is loaded. The listener is given away here, so ask once.
    pub(in crate::spoc) fn loaded(&self) -> io::Result<Loaded> {
        loop {
            match self.page.filter() {
                // SAFETY: the kernel made this descriptor in the table that the child shared with us, and the child leaves its
                // copy to be closed by `execve`; nobody else here knows the number.
                FilterState::Listener(number) => return Ok(Loaded::Asking(unsafe { OwnedFd::from_raw_fd(number) })),
                FilterState::Silent => return Ok(Loaded::Silent),
                // The one call of the child that is not over yet is seccomp(2), which takes some microseconds. Nothing can wake
                // us after it: any call that could may be one that the filter refuses.
                FilterState::Pending => {
                    if self.ends_within(Duration::from_micros(100))? && self.page.filter() == FilterState::Pending {
                        return Ok(Loaded::Never);
                    }
                }
            }
        }
    }

    fn ends_within(&self, time: Duration) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        match rustix::event::poll(&mut polled, Timespec::try_from(time).ok().as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a system call is the `execve` by which thread `tid` becomes the command: the only one that points at our own copy
    /// of its name.
    pub(in crate::spoc) fn is_start(&self, tid: Pid, first_argument: u64) -> bool {
        tid == self.pid && first_argument == self.program.as_ptr().addr() as u64
    }

    /// Sends it a signal; that it has ended already is no error.
    pub(in crate::spoc) fn signal(&self, signal: Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How it ended, if it has.
    pub(in crate::spoc) fn ended(&self) -> io::Result<Option<Ended>> {
        let status =
            rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?;
        Ok(status.map(|status| match self.page.failure() {
            Some((stage, error)) => Ended::NotStarted(stage, error),
            None => Ended::Command(status),
        }))
    }
}

/// Readable once the child has ended.
impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.released {
            let _ = self.signal(Signal::KILL);
            let _ = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
        }
    }
}

fn assignment((key, value): &(OsString, OsString)) -> Result<CString> {
    let mut both = key.clone();
    both.push("=");
    both.push(value);
    text(&both).with_context(|| format!("environment variable {:?}", String::from_utf8_lossy(key.as_bytes())))
}

/// What `execve` takes: a pointer to each text, and a null at the end. They hold as long as `texts` does.
fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// Forks, with one table of descriptors for both. `None` is the child.
///
/// # Safety
/// The child may only do what is sound in a forked process of one thread, and must end by `execve` or `_exit`.
unsafe fn fork_sharing_files() -> io::Result<Option<(Pid, OwnedFd)>> {
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_FILES | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: without a stack of its own the child goes on here on a copy of ours, like after fork(2); the kernel writes the
    // descriptor of the child to `pidfd`, which lives on this stack. The last two arguments are not used with these flags.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, ptr::null_mut::<u8>(), &raw mut pidfd, 0, 0) };
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // SAFETY: the kernel just made this descriptor for us.
        Some(pid) if pid.as_raw_nonzero().get() > 0 => Ok(Some((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))),
        _ if pid == 0 => Ok(None),
        _ => Err(io::Error::last_os_error()),
    }
}

/// All that the child needs, made before the fork.
struct Becoming<'a> {
    program: &'a CString,
    argv: &'a [*const libc::c_char],
    envp: &'a [*const libc::c_char],
    identity: Option<&'a Identity>,
    filter: Option<&'a Filter>,
    signals: &'a Signals,
    page: &'a Page,
    parent: Pid,
}

/// What the child does. A failure is left in the shared page.
fn become_command(child: &Becoming<'_>) -> ! {
    if let Err(errno) = prepare(child) {
        child.page.set_errno(errno.raw_os_error());
    } else {
        child.page.set_stage(Stage::Exec);
        // SAFETY: the three arguments are NUL-terminated texts and null-terminated arrays of such, all alive in this copy.
        unsafe { libc::execve(child.program.as_ptr(), child.argv.as_ptr(), child.envp.as_ptr()) };
        child.page.set_errno(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO));
    }
    // SAFETY: ends this process without running anything of the parent's. Where the filter refuses even this, `abort` ends it
    // by an instruction that cannot be executed.
    unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    std::process::abort()
}

fn prepare(child: &Becoming<'_>) -> rustix::io::Result<()> {
    wait_for_release(child)?;
    default_signals(child.signals);
    child.page.set_stage(Stage::Identity);
    if child.filter.is_some() && child.identity.is_some() {
        rustix::thread::set_keep_capabilities(true)?;
    }
    if let Some(identity) = child.identity {
        rustix::thread::set_thread_groups(&identity.groups)?;
        rustix::thread::set_thread_res_gid(identity.gid, identity.gid, identity.gid)?;
        rustix::thread::set_thread_res_uid(identity.uid, identity.uid, identity.uid)?;
    }
    if let Some(filter) = child.filter {
        child.page.set_stage(Stage::Filter);
        let listener = filter.load(child.identity.is_some())?;
        child.page.set_filter(listener);
    }
    Ok(())
}

/// Sleeps until the parent releases this process, and dies with the parent until then.
fn wait_for_release(child: &Becoming<'_>) -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(child.parent) {
        return Err(Errno::SRCH);
    }
    while child.page.go().load(Ordering::Acquire) == 0 {
        match futex::wait(child.page.go(), futex::Flags::empty(), 0, None) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    rustix::process::set_parent_process_death_signal(None)
}

/// Gives the command the signals as this program found them; Rust's runtime ignores SIGPIPE, and `execve` would keep that.
fn default_signals(signals: &Signals) {
    // SAFETY: both calls take values that are valid for their whole length, and install no handler.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_SETMASK, signals.before(), ptr::null_mut());
    }
}
