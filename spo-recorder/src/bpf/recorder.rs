//! The recorder: programs in the kernel, and what they have seen.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use spo_api::syscalls::Abi;

use super::decode;
use super::error::{RecordError, StartError};
use super::load::{Attached, Loaded};
use super::request::Select;
use super::slots::{Active, Chosen, Slots};
use super::wire::{Name, Place, STAT_NO_SLOT, STAT_REFUSED, STAT_RING_FULL, STAT_SELECTED_FULL, STATS, Slot};
use super::{Notice, Request, SlotId, cgroup};
use crate::event::{Event, Loss};
use crate::observe::{Losses, Observation};
use crate::sys::{self, wire::zeroed};

mod begin;
mod containers;
mod wait;

pub use wait::Waited;

/// Records what it is asked to. Dropping it ends everything that it had attached.
#[derive(Debug)]
pub struct Recorder {
    select: Select,
    loaded: Loaded,
    attached: Option<Attached>,
    slots: Slots,
    expected: BTreeSet<String>,
    cgroup_root: Option<PathBuf>,
    waiting: VecDeque<Notice>,
    /// The counters before everything was last looked at.
    looked_at: Vec<u64>,
    /// How many notifications were dropped when every slot was last looked at instead.
    dropped: u64,
}

impl Recorder {
    /// Loads what the request needs, and attaches nothing yet.
    ///
    /// # Errors
    /// Where the kernel or the permission for it is missing; the message says what to do.
    pub fn start(request: &Request) -> Result<Self, StartError> {
        let select = request.select;
        let by_kernel = select == Select::Containers;
        let cgroup_root = match &request.cgroup_root {
            Some(root) => Some(root.clone()),
            None if by_kernel => {
                let found = cgroup::mount_point("/proc/self/mounts".as_ref());
                Some(found.ok_or(StartError::NoCgroup2)?)
            }
            None => None,
        };
        let host_mntns = if by_kernel { host_mount_namespace() } else { 0 };
        let loaded = Loaded::load(request, host_mntns)?;
        if let Some(free) = &loaded.free {
            for index in 0..select.slots() {
                push(free.as_fd(), index)
                    .map_err(|source| StartError::MapRefused { map: "FREE".to_owned(), source })?;
            }
        }
        Ok(Self {
            select,
            loaded,
            attached: None,
            slots: Slots::new(select.slots(), by_kernel),
            expected: BTreeSet::new(),
            cgroup_root,
            waiting: VecDeque::new(),
            looked_at: vec![0; GLOBAL.len()],
            dropped: 0,
        })
    }

    /// What was seen so far; recording goes on.
    ///
    /// # Errors
    /// If the slot is not in use, or the kernel cannot be asked.
    pub fn seen(&self, slot: SlotId) -> Result<Observation, RecordError> {
        self.observed(self.active(slot)?, &self.read(slot)?)
    }

    /// Ends a recording, and gives what was seen. Tasks that are still running count as a loss, and are not recorded any more.
    ///
    /// # Errors
    /// If the slot is not in use, or the kernel cannot be asked.
    pub fn take(&mut self, slot: SlotId) -> Result<Observation, RecordError> {
        let place = self.active(slot)?.place;
        let may_begin = self.deselect(slot)?;
        let (state, running) = self.look(slot)?;
        let mut seen = self.observed(self.active(slot)?, &state)?;
        seen.add(&Event::Lost { what: Loss::StillRunning, count: running });
        self.slots.end(slot);
        self.waiting.retain(|notice| notice.slot() != Some(slot));
        self.release(place, may_begin || running > 0)?;
        self.rest_if_idle()?;
        Ok(seen)
    }

    /// What was missed since the start, whichever slot it belongs to.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn losses(&self) -> Result<Losses, RecordError> {
        let mut all = Observation::default();
        for (what, count) in GLOBAL.into_iter().zip(self.counts()?) {
            all.add(&Event::Lost { what, count });
        }
        Ok(all.losses)
    }

    /// Whether anything is attached in the kernel.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.attached.is_some()
    }

    fn needs(&self, select: Select, what: &'static str) -> Result<(), RecordError> {
        if self.select == select { Ok(()) } else { Err(RecordError::NotRequested(what)) }
    }

    /// Takes a free place with everything attached, and reads the counters: what is lost from here on may be lost by what begins.
    fn reserve(&mut self) -> Result<(Place, Vec<u64>), RecordError> {
        let place = self.slots.reserve().ok_or(RecordError::NoFreeSlot(self.select.slots()))?;
        match self.attach().and_then(|()| self.counts()) {
            Ok(counts) => Ok((place, counts)),
            Err(error) => {
                self.slots.give_back(place);
                self.rest_if_idle()?;
                Err(error)
            }
        }
    }

    /// Has nothing more begin in a slot. Whether something may be about to begin, or goes on where it cannot be counted.
    fn deselect(&self, slot: SlotId) -> Result<bool, RecordError> {
        let Active { place, chosen, .. } = self.active(slot)?;
        match chosen {
            Chosen::Process(_) => Ok(false),
            Chosen::Executable => {
                self.loaded.executables.set(&place.slot, &zeroed()).map_err(map("forget an executable"))?;
                Ok(true)
            }
            Chosen::Container => {
                let cgroup = self.read(slot)?.cgroup;
                self.loaded.selected.remove(&cgroup).map_err(map("forget a container"))
            }
        }
    }

    /// Empties a slot for its next use. Marks, cgroups and notifications of the use that is over name a generation that is over.
    fn release(&mut self, place: Place, may_be_written: bool) -> Result<(), RecordError> {
        let next = Place { generation: place.generation.wrapping_add(1), ..place };
        let empty = Slot { generation: next.generation, ..zeroed() };
        self.loaded.slots.set(&place.slot, &empty).map_err(map("empty a slot"))?;
        if may_be_written {
            // A program that looked at the generation just before may write just after.
            self.loaded.barrier.wait().map_err(map("wait for programs"))?;
            self.loaded.slots.set(&place.slot, &empty).map_err(map("empty a slot"))?;
        }
        match &self.loaded.free {
            Some(free) => push(free.as_fd(), place.slot).map_err(map("give back a slot"))?,
            None => self.slots.give_back(next),
        }
        Ok(())
    }

    fn active(&self, slot: SlotId) -> Result<&Active, RecordError> {
        self.slots.get(slot).ok_or(RecordError::NoSuchSlot(slot))
    }

    fn read(&self, slot: SlotId) -> Result<Slot, RecordError> {
        let index = self.active(slot)?.place.slot;
        let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
        state.ok_or(RecordError::NoSuchSlot(slot))
    }

    /// What a slot holds, and how many tasks of it go on. The process that a tree begins with is one also before its exec.
    fn look(&self, slot: SlotId) -> Result<(Slot, u64), RecordError> {
        // Before its slot is read: what has ended by then has left its traces there.
        let first_is_there = self.first_process(slot).is_some_and(|process| !wait::has_ended(process));
        let state = self.read(slot)?;
        let waits = first_is_there && state.started == 0;
        Ok((state, state.live + u64::from(waits)))
    }

    fn observed(&self, active: &Active, state: &Slot) -> Result<Observation, RecordError> {
        let mut seen = Observation::default();
        seen.extend(&decode::events(state, Abi::native()));
        for ((what, now), then) in GLOBAL.iter().zip(self.counts()?).zip(&active.counts) {
            seen.add(&Event::Lost { what: *what, count: now.saturating_sub(*then) });
        }
        Ok(seen)
    }

    /// The counters of the whole recorder, in the order of [`GLOBAL`].
    fn counts(&self) -> Result<Vec<u64>, RecordError> {
        let read = |which| self.loaded.counts.get(&which).map(Option::unwrap_or_default);
        let counts = (0..STATS).map(read).chain(std::iter::once_with(|| self.loaded.skipped_runs()));
        counts.collect::<io::Result<_>>().map_err(map("read the counters"))
    }

    fn attach(&mut self) -> Result<(), RecordError> {
        if self.attached.is_none() {
            self.attached = Some(self.loaded.attach()?);
        }
        Ok(())
    }

    /// Detaches everything when there is nothing to record.
    fn rest_if_idle(&mut self) -> Result<(), RecordError> {
        if !self.slots.is_empty() || !self.expected.is_empty() {
            return Ok(());
        }
        self.attached = None;
        if self.select == Select::Containers {
            // Those inside of containers that were taken while they ran: nobody will tell of their end.
            self.loaded.selected.clear().map_err(map("forget containers"))?;
        }
        Ok(())
    }
}

/// What the counters of the whole recorder count, in their order.
const GLOBAL: [Loss; STATS as usize + 1] = {
    // The last is the kernel's own, and has no number of ours.
    let mut losses = [Loss::SkippedRuns; STATS as usize + 1];
    losses[STAT_RING_FULL as usize] = Loss::DroppedNotifications;
    losses[STAT_NO_SLOT as usize] = Loss::ContainersWithoutSlot;
    losses[STAT_SELECTED_FULL as usize] = Loss::CgroupsNotSelected;
    losses[STAT_REFUSED as usize] = Loss::RefusedLookups;
    losses
};

fn key(name: &[u8], of: &'static str) -> Result<Name, RecordError> {
    let refused = || RecordError::Name { name: String::from_utf8_lossy(name).into_owned(), of };
    if name.contains(&b'/') { Err(refused()) } else { sys::wire::name(name).ok_or_else(refused) }
}

fn map(what: &'static str) -> impl Fn(io::Error) -> RecordError {
    move |source| RecordError::Map { what, source }
}

fn push(free: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    sys::bpf::update(free, &[], &index.to_ne_bytes(), 0)
}

/// The mount namespace of the first process, or ours where that may not be seen.
fn host_mount_namespace() -> u32 {
    let inode = |path| fs::metadata(path).ok().and_then(|metadata| u32::try_from(metadata.ino()).ok());
    inode("/proc/1/ns/mnt").or_else(|| inode("/proc/self/ns/mnt")).unwrap_or(0)
}
