//! The calls to the kernel that have no safe wrapper.
#![allow(unsafe_code, reason = "seccomp(2), a raw clone, and memory that is shared with the child of it")]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::seccomp::Instruction;

/// `struct sock_fprog` of the kernel's `linux/filter.h`.
#[repr(C)]
struct Filter {
    length: u16,
    instructions: *const Instruction,
}

/// Asks for a filter without giving one, and tells what the kernel says to that: EFAULT if it has filters, EINVAL if not.
pub(super) fn set_seccomp_filter_to_nothing() -> Errno {
    // SAFETY: the kernel takes the null pointer for a filter that cannot be read; nothing changes.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, ptr::null::<Filter>()) };
    if result == 0 { Errno::FAULT } else { last_errno() }
}

/// Loads a filter for the calling thread. The result is that of `seccomp(2)`: 0, a descriptor, or the id of a thread, depending on `flags`.
/// Neither allocates nor locks.
pub(super) fn seccomp(flags: u32, instructions: &[Instruction]) -> Result<u32, Errno> {
    let length = u16::try_from(instructions.len()).map_err(|_too_long| Errno::INVAL)?;
    let filter = Filter { length, instructions: instructions.as_ptr() };
    // SAFETY: `filter` describes a slice that outlives the call, of a type with the layout of `struct sock_filter`. The kernel copies it.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) };
    u32::try_from(result).map_err(|_negative| last_errno())
}

/// Takes a descriptor that [`seccomp`] gave into ownership.
pub(super) fn own(descriptor: u32) -> OwnedFd {
    // SAFETY: it comes fresh from the kernel and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(descriptor.cast_signed()) }
}

/// Has the kernel begin to put a file on the disk, without waiting for it. It is a hint: what must be there is synced later.
pub(super) fn start_writing(file: &std::fs::File) {
    // SAFETY: plain numbers, and a descriptor that is open. A file system that cannot do it says so, and nothing is lost.
    unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// How long a child that cannot end by itself may take to say how it went.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the child says: nothing yet, that the filter is loaded, or an error number with this bit.
const SILENT: u32 = 0;
const LOADED: u32 = 1;
const FAILED: u32 = 1 << 31;

/// Loads a filter in a child process, which ends at once. The outer error tells that there was no child, or no word from it.
///
/// `may_exit` says whether the filter lets `exit_group` through. A child that may not end by itself makes no call at all under the
/// filter, and is killed; its word goes through shared memory.
pub(super) fn load_in_child(
    flags: u32,
    instructions: &[Instruction],
    may_exit: bool,
) -> Result<Result<(), Errno>, Errno> {
    let word = SharedWord::new()?;
    let no_arguments = 0 as libc::c_ulong;
    // SAFETY: like fork(2). The child runs `load_and_end`, which only makes system calls and touches the shared word, so that locks which
    // other threads held at this moment do not matter.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::SIGCHLD as libc::c_ulong,
            no_arguments,
            no_arguments,
            no_arguments,
            no_arguments,
        )
    };
    match pid {
        0 => load_and_end(word.get(), flags, instructions, may_exit),
        pid => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(last_errno)?;
            if !may_exit {
                kill_once_said(pid, word.get());
            }
            reap(pid)?;
        }
    }
    match word.get().load(Ordering::Acquire) {
        SILENT => Err(Errno::CHILD),
        LOADED => Ok(Ok(())),
        failed => Ok(Err(Errno::from_raw_os_error((failed & !FAILED).cast_signed()))),
    }
}

/// The life of the child. Between fork and its end it must not allocate or lock.
fn load_and_end(word: &AtomicU32, flags: u32, instructions: &[Instruction], may_exit: bool) -> ! {
    let one_second = libc::rlimit64 { rlim_cur: 1, rlim_max: 1 };
    // SAFETY: plain system calls with valid arguments, on this process only. Should all else fail, the kernel ends it after a second of
    // processor time; no core dump is written of it. It does not outlive a parent that is killed, whose locks it would keep.
    unsafe {
        libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            libc::RLIMIT_CPU,
            &raw const one_second,
            ptr::null_mut::<libc::rlimit64>(),
        );
        libc::syscall(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::syscall(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    let loaded = seccomp(flags, instructions);
    word.store(
        loaded.map_or_else(|errno| FAILED | errno.raw_os_error().cast_unsigned(), |_| LOADED),
        Ordering::Release,
    );
    if may_exit || loaded.is_err() {
        // SAFETY: ends the process.
        unsafe { libc::syscall(libc::SYS_exit_group, 0) };
    }
    loop {
        std::hint::spin_loop();
    }
}

/// Looks again and again, for as long as loading takes. Nothing could wake us: whatever call does may be one that the filter refuses,
/// and a fault, which needs no call, would stand in the kernel's log as a program that crashed.
fn kill_once_said(pid: Pid, word: &AtomicU32) {
    let begin = Instant::now();
    while word.load(Ordering::Acquire) == SILENT && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_micros(20));
    }
    // The only error is that there is no such process, and then there is nothing to kill.
    let _ = rustix::process::kill_process(pid, Signal::KILL);
}

fn reap(pid: Pid) -> Result<(), Errno> {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A number that parent and child both see.
struct SharedWord(NonNull<AtomicU32>);

impl SharedWord {
    fn new() -> Result<Self, Errno> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of its own, of zeroes.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<AtomicU32>(),
                protection,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(last_errno());
        }
        NonNull::new(memory.cast()).map(Self).ok_or(Errno::NOMEM)
    }

    fn get(&self) -> &AtomicU32 {
        // SAFETY: the mapping is as large as the number, aligned to a page, lives as long as `self`, and is only used as this number.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for SharedWord {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nobody uses it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<AtomicU32>()) };
    }
}

fn last_errno() -> Errno {
    Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap_or_default())
}
