//! Waiting for what the kernel tells, without ever sleeping for a while and looking again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Recorder, map};
use crate::bpf::decode::{self, Told};
use crate::bpf::slots::Chosen;
use crate::bpf::wire::{Event as Record, Place, STAT_RING_FULL};
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
            let (state, running) = self.look(slot)?;
            let first = self.first_process(slot);
            if running == 0 && (state.started > 0 || first.is_some()) {
                self.waiting.retain(|notice| *notice != Notice::Ended { slot });
                return Ok(Waited::Ended);
            }
            // The first process is what to wait for as long as it is not one of those that are counted.
            match self.wait(until, first.filter(|_| running > state.live))? {
                Woken::Told => {}
                Woken::Deadline => return Ok(Waited::Deadline { tasks: running }),
                Woken::Signal => return Ok(Waited::Interrupted),
            }
        }
    }

    /// Reads everything that the kernel has told.
    pub(super) fn drain(&mut self) -> Result<(), RecordError> {
        // First of all: what is lost while this reads may be lost by a container that only the next time tells of.
        let before = self.counts()?;
        let mut record = [0; size_of::<Record>()];
        while let Some(length) = self.loaded.ring.next(&mut record) {
            if let Some(told) = decode::told(&record[..length]) {
                self.heed(told)?;
            }
        }
        // Last of all: what is dropped after this found the ring full again, and so it will be read again.
        let dropped = self.loaded.counts.get(&STAT_RING_FULL).map_err(map("read the counters"))?.unwrap_or_default();
        if dropped != self.dropped {
            self.look_at_all()?;
            self.dropped = dropped;
        }
        self.looked_at = before;
        Ok(())
    }

    fn heed(&mut self, told: Told) -> Result<(), RecordError> {
        let notice = match told {
            Told::Ended { place } => self.tree_ended(place)?,
            Told::Exited { place, pid } => self.slots.by_place(place).map(|slot| Notice::Exited { slot, pid }),
            Told::Pod { name, cgroup } => self.pod_made(name, cgroup)?,
            Told::Container { place: None, name } => Some(Notice::NotRecorded { name }),
            Told::Container { place: Some(place), name } => self.container(place, name)?,
            Told::Removed { place: None, .. } => None,
            Told::Removed { place: Some(place), name } => self.container_ended(place, name),
        };
        self.waiting.extend(notice);
        Ok(())
    }

    /// The end of the tasks that are counted; `None` if the first process of the tree is yet to execute something.
    fn tree_ended(&self, place: Place) -> Result<Option<Notice>, RecordError> {
        let Some(slot) = self.slots.by_place(place) else { return Ok(None) };
        let (state, running) = self.look(slot)?;
        Ok((state.started > 0 || running == 0).then_some(Notice::Ended { slot }))
    }

    /// The process that a tree begins with.
    pub(super) fn first_process(&self, slot: SlotId) -> Option<BorrowedFd<'_>> {
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
pub(super) fn has_ended(process: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(process, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}
