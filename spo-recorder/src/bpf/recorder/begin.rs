//! Where recordings of process trees and executables begin. Those of containers begin in the kernel.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command};

use rustix::process::Pid;

use super::{Recorder, key, map};
use crate::bpf::SlotId;
use crate::bpf::error::{RecordError, SpawnError};
use crate::bpf::request::Select;
use crate::bpf::slots::Chosen;
use crate::bpf::wire::{Executable, FIRST, Mark, NO_CALL, PENDING, Place};
use crate::sys::spawn;

impl Recorder {
    /// Starts a command, recorded from its exec on; the exec itself is counted as the call that it was.
    ///
    /// What the child does between fork and exec (changing its user, its directory) is not.
    ///
    /// # Errors
    /// If the command cannot be started, or there is no place for it.
    pub fn spawn(&mut self, mut command: Command) -> Result<(Child, SlotId), SpawnError> {
        self.needs(Select::Tree, "process trees")?;
        let (place, counts) = self.reserve()?;
        spawn::mark_before_exec(&mut command, self.loaded.marks.as_fd(), pending(place));
        let started = command.spawn().and_then(|child| {
            // Still there, if only as what is left to be waited for.
            match spawn::open(Pid::from_child(&child)) {
                Ok(process) => Ok((child, process)),
                Err(error) => Err(end(child, error)),
            }
        });
        match started {
            Ok((child, process)) => Ok((child, self.slots.begin(place, Chosen::Process(process), counts))),
            Err(source) => {
                // The child is gone, and its mark with it.
                self.release(place, false)?;
                self.rest_if_idle()?;
                Err(SpawnError::Command { program: command.get_program().to_owned(), source })
            }
        }
    }

    /// Records a process that exists from its next exec on, whichever of its threads makes it, and the processes that it starts before
    /// that, each from its own.
    ///
    /// # Errors
    /// If it is gone, if there is no place for it, or if it has several threads and the kernel is older than Linux 6.9.
    pub fn follow(&mut self, pid: Pid) -> Result<SlotId, RecordError> {
        self.needs(Select::Tree, "process trees")?;
        let process = spawn::open(pid).map_err(no_process(pid))?;
        let (place, counts) = self.reserve()?;
        match self.mark_threads(pid, &process, pending(place)) {
            Ok(()) => Ok(self.slots.begin(place, Chosen::Process(process), counts)),
            Err(error) => {
                self.release(place, true)?;
                self.rest_if_idle()?;
                Err(error)
            }
        }
    }

    /// Records every process that from now on executes a file of this name, and its descendants. The name is the last part of the
    /// path by which the file is executed, or of the file's own path, where the first is a symbolic link.
    ///
    /// # Errors
    /// If the name cannot be that of a file, or there is no place for it.
    pub fn follow_executable(&mut self, name: &OsStr) -> Result<SlotId, RecordError> {
        self.needs(Select::Executable, "executables")?;
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        let name = key(name.as_bytes(), "an executable")?;
        let (place, counts) = self.reserve()?;
        let wanted = Executable { name, length, generation: place.generation };
        if let Err(source) = self.loaded.executables.set(&place.slot, &wanted) {
            self.slots.give_back(place);
            self.rest_if_idle()?;
            return Err(map("choose an executable")(source));
        }
        Ok(self.slots.begin(place, Chosen::Executable, counts))
    }

    /// Marks every thread of a process. One that is started meanwhile has its mark from the thread that starts it, or is found in the
    /// next round.
    fn mark_threads(&self, pid: Pid, process: &OwnedFd, mark: Mark) -> Result<(), RecordError> {
        spawn::put(self.loaded.marks.as_fd(), process, mark).map_err(no_process(pid))?;
        let mut marked = HashSet::from([pid]);
        loop {
            let mut threads = threads(pid).map_err(no_process(pid))?;
            threads.retain(|thread| !marked.contains(thread));
            if threads.is_empty() {
                return Ok(());
            }
            for thread in threads {
                self.mark_thread(pid, thread, mark)?;
                marked.insert(thread);
            }
        }
    }

    fn mark_thread(&self, pid: Pid, thread: Pid, mark: Mark) -> Result<(), RecordError> {
        let marked = spawn::open_thread(thread).and_then(|thread| spawn::put(self.loaded.marks.as_fd(), &thread, mark));
        match marked {
            Err(source) if source.raw_os_error() == Some(libc::EINVAL) => {
                Err(RecordError::Threads { pid: pid.as_raw_nonzero().get(), source })
            }
            Err(error) if !is_gone(&error) => Err(map("mark a thread")(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The threads of a process.
fn threads(pid: Pid) -> io::Result<Vec<Pid>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()))? {
        let name = entry?.file_name();
        threads.extend(name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw));
    }
    Ok(threads)
}

/// Whether a thread has ended before it could be marked.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
}

/// Ends a command that cannot be followed.
fn end(mut child: Child, why: io::Error) -> io::Error {
    // Either may only fail because it has ended already.
    let _ = child.kill();
    let _ = child.wait();
    why
}

fn pending(place: Place) -> Mark {
    Mark { place, flags: PENDING | FIRST, last: NO_CALL }
}

fn no_process(pid: Pid) -> impl Fn(io::Error) -> RecordError {
    move |source| RecordError::NoProcess { pid: pid.as_raw_nonzero().get(), source }
}
