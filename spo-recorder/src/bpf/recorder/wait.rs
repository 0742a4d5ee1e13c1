//! Waiting for what the kernel tells, without ever sleeping for a while and looking again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Recorder;
use crate::bpf::decode::{self, Told};
use crate::bpf::slots::Chosen;
use crate::bpf::wire::{Event as Record, STAT_RING_FULL};
use crate::bpf::{Notice, RecordError, SlotId};

/// How waiting for a tree ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Its last task has ended.
    Ended,
    /// The time was over.
    Deadline {
        /// Tasks that were still running.
        tasks: u64,
    },
    /// A signal came that this process handles.
    Interrupted,
}

impl Recorder {
    /// The next notice; `None` once `until` is past, or when a signal came that this process handles.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn next(&mut self, until: Option<Instant>) -> Result<Option<Notice>, RecordError> {
        loop {
            self.drain()?;
            if let Some(notice) = self.waiting.pop_front() {
                return Ok(Some(notice));
            }
            if self.wait(until, None)? != Woken::Told {
                return Ok(None);
            }
        }
    }

    /// Waits until no task of a tree is left, or until a time. A tree whose first process ended without an exec is over too.
    ///
    /// # Errors
    /// If the slot is not in use, or the kernel cannot be asked.
    pub fn wait_tree(&mut self, slot: SlotId, until: Option<Instant>) -> Result<Waited, RecordError> {
        loop {
            // The ring first: a notification that found it full is one that we were slow to read, so the count is right by now.
            self.drain()?;
            // Before its slot is read: what has ended by then has left its traces there.
            let is_over = self.first_process(slot).is_some_and(has_ended);
            let state = self.read(slot)?;
            if state.live == 0 && (state.started > 0 || is_over) {
                self.waiting.retain(|notice| *notice != Notice::Ended { slot });
                return Ok(Waited::Ended);
            }
            match self.wait(until, self.first_process(slot).filter(|_| state.started == 0))? {
                Woken::Told => {}
                Woken::Deadline => return Ok(Waited::Deadline { tasks: state.live }),
                Woken::Signal => return Ok(Waited::Interrupted),
            }
        }
    }

    /// Reads everything that the kernel has told.
    fn drain(&mut self) -> Result<(), RecordError> {
        let mut record = [0; size_of::<Record>()];
        while let Some(length) = self.loaded.ring.next(&mut record) {
            if let Some(told) = decode::told(&record[..length]) {
                self.heed(told)?;
            }
        }
        let now = self.counts()?;
        if now[STAT_RING_FULL as usize] != self.looked_at[STAT_RING_FULL as usize] {
            self.look_at_all()?;
        }
        self.looked_at = now;
        Ok(())
    }

    fn heed(&mut self, told: Told) -> Result<(), RecordError> {
        let notice = match told {
            Told::Ended { slot } => self.slots.by_index(slot).map(|slot| Notice::Ended { slot }),
            Told::Exited { slot, pid } => self.slots.by_index(slot).map(|slot| Notice::Exited { slot, pid }),
            Told::Pod { name, .. } => Some(Notice::Pod { name }),
            Told::Container { slot: None, name, .. } => Some(Notice::NotRecorded { name }),
            Told::Container { slot: Some(index), name, cgroup } => self.container(index, name, cgroup)?,
            Told::Removed { slot: None, .. } => None,
            Told::Removed { slot: Some(index), name, cgroup } => self.container_ended(index, name, cgroup)?,
        };
        self.waiting.extend(notice);
        Ok(())
    }

    /// The process that a tree begins with.
    fn first_process(&self, slot: SlotId) -> Option<BorrowedFd<'_>> {
        match &self.slots.get(slot)?.chosen {
            Chosen::Process(process) => Some(process.as_fd()),
            Chosen::Executable | Chosen::Container => None,
        }
    }

    /// Waits until the kernel tells something, or a process ends.
    fn wait(&self, until: Option<Instant>, process: Option<BorrowedFd<'_>>) -> Result<Woken, RecordError> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map(Timespec::try_from).transpose();
        let timeout = timeout.map_err(|source| RecordError::Wait(io::Error::other(source)))?;
        let ring = PollFd::new(&self.loaded.ring, PollFlags::IN);
        let process = process.map(|process| PollFd::from_borrowed_fd(process, PollFlags::IN));
        let mut fds: Vec<PollFd<'_>> = std::iter::once(ring).chain(process).collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => Ok(Woken::Deadline),
            Ok(_) => Ok(Woken::Told),
            Err(Errno::INTR) => Ok(Woken::Signal),
            Err(source) => Err(RecordError::Wait(source.into())),
        }
    }
}

/// Readable when [`Recorder::next`] has something to tell.
impl AsFd for Recorder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.loaded.ring.as_fd()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Woken {
    Told,
    Deadline,
    Signal,
}

/// Whether a process is over: its descriptor is readable then.
fn has_ended(process: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(process, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}
