//! The recorder: programs in the kernel, and what they have seen.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use rustix::process::Pid;
use spo_api::syscalls::Abi;

use super::decode;
use super::error::{RecordError, SpawnError, StartError};
use super::load::{Attached, Loaded};
use super::request::Select;
use super::slots::{Chosen, Slots};
use super::wire::{
    Executable, Mark, NO_CALL, Name, PENDING, STAT_NO_SLOT, STAT_RING_FULL, STAT_SELECTED_FULL, STATS, Slot,
};
use super::{Notice, Request, SlotId, cgroup};
use crate::event::{Event, Loss};
use crate::observe::{Losses, Observation};
use crate::sys::{self, spawn};

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
    /// The counters when everything was last looked at.
    looked_at: Vec<u64>,
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
        let loaded = Loaded::load(request.object.as_deref(), select, host_mntns)?;
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
        })
    }

    /// Starts a command, recorded from its exec on; the exec itself is counted as the call that it was.
    ///
    /// What the child does between fork and exec (changing its user, its directory) is not.
    ///
    /// # Errors
    /// If the command cannot be started, or there is no place for it.
    pub fn spawn(&mut self, mut command: Command) -> Result<(Child, SlotId), SpawnError> {
        self.needs(Select::Tree, "process trees")?;
        let index = self.reserve()?;
        spawn::mark_before_exec(&mut command, self.loaded.marks.as_fd(), pending(index));
        let started = command.spawn().and_then(|child| {
            // Still there, if only as what is left to be waited for.
            match spawn::open(Pid::from_child(&child)) {
                Ok(process) => Ok((child, process)),
                Err(error) => Err(end(child, error)),
            }
        });
        match started {
            Ok((child, process)) => Ok((child, self.begin(index, Chosen::Process(process))?)),
            Err(source) => {
                // The child is gone, and its mark with it.
                self.release(index)?;
                self.rest_if_idle();
                Err(SpawnError::Command { program: command.get_program().to_owned(), source })
            }
        }
    }

    /// Records a process that exists, and its descendants, from its next exec on.
    ///
    /// # Errors
    /// If it is gone, or there is no place for it.
    pub fn follow(&mut self, pid: Pid) -> Result<SlotId, RecordError> {
        self.needs(Select::Tree, "process trees")?;
        let no_process = |source| RecordError::NoProcess { pid: pid.as_raw_nonzero().get(), source };
        let process = spawn::open(pid).map_err(no_process)?;
        let index = self.reserve()?;
        if let Err(source) = spawn::put(self.loaded.marks.as_fd(), &process, pending(index)) {
            self.slots.give_back(index);
            self.rest_if_idle();
            return Err(no_process(source));
        }
        self.begin(index, Chosen::Process(process))
    }

    /// Records every process that from now on executes a file of this name, and its descendants. The name is the last part of the
    /// path by which the file is executed, or of the file's own path, where the first is a symbolic link.
    ///
    /// # Errors
    /// If the name cannot be that of a file, or there is no place for it.
    pub fn follow_executable(&mut self, name: &OsStr) -> Result<SlotId, RecordError> {
        self.needs(Select::Executable, "executables")?;
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        let wanted = Executable { name: key(name.as_bytes(), "an executable")?, length, padding: 0 };
        let index = self.reserve()?;
        self.loaded.executables.set(&index, &wanted).map_err(map("choose an executable"))?;
        self.begin(index, Chosen::Executable)
    }

    /// What was seen so far; recording goes on.
    ///
    /// # Errors
    /// If the slot is not in use, or the kernel cannot be asked.
    pub fn seen(&self, slot: SlotId) -> Result<Observation, RecordError> {
        let state = self.read(slot)?;
        let mut seen = Observation::default();
        seen.extend(&decode::events(&state, Abi::native()));
        if let Some(active) = self.slots.get(slot) {
            let now = self.counts()?;
            for ((what, now), then) in GLOBAL.iter().zip(now).zip(&active.counts) {
                seen.add(&Event::Lost { what: *what, count: now.saturating_sub(*then) });
            }
        }
        Ok(seen)
    }

    /// Ends a recording, and gives what was seen. Tasks that are still running count as a loss.
    ///
    /// # Errors
    /// If the slot is not in use, or the kernel cannot be asked.
    pub fn take(&mut self, slot: SlotId) -> Result<Observation, RecordError> {
        let Some(active) = self.slots.get(slot) else { return Err(RecordError::NoSuchSlot(slot)) };
        let index = active.index;
        match &active.chosen {
            Chosen::Executable => {
                let none = sys::wire::zeroed();
                self.loaded.executables.set(&index, &none).map_err(map("forget an executable"))?;
            }
            Chosen::Process(process) if self.read(slot)?.started == 0 => {
                let removed = spawn::remove(self.loaded.marks.as_fd(), process);
                // Gone already, with its mark.
                if let Err(source) = removed
                    && source.raw_os_error() != Some(libc::ESRCH)
                {
                    return Err(RecordError::Map { what: "take the mark from a process", source });
                }
            }
            Chosen::Process(_) | Chosen::Container => {}
        }
        let mut seen = self.seen(slot)?;
        seen.add(&Event::Lost { what: Loss::StillRunning, count: self.read(slot)?.live });
        self.slots.end(slot);
        self.release_retired()?;
        self.release(index)?;
        self.rest_if_idle();
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

    /// Takes a free slot, with everything attached.
    fn reserve(&mut self) -> Result<u32, RecordError> {
        self.release_retired()?;
        let index = self.slots.reserve().ok_or(RecordError::NoFreeSlot(self.select.slots()))?;
        self.attach().inspect_err(|_| self.slots.give_back(index))?;
        Ok(index)
    }

    fn begin(&mut self, index: u32, chosen: Chosen) -> Result<SlotId, RecordError> {
        let counts = self.counts()?;
        Ok(self.slots.begin(index, chosen, counts))
    }

    /// Empties a slot and gives it back, or keeps it aside while tasks carry its mark, or may still get it.
    fn release(&mut self, index: u32) -> Result<(), RecordError> {
        let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
        if let Some(state) = state
            && (state.live > 0 || self.is_selected(state.cgroup)?)
        {
            self.slots.retire(index);
            return Ok(());
        }
        self.loaded.slots.set(&index, &sys::wire::zeroed()).map_err(map("empty a slot"))?;
        match &self.loaded.free {
            Some(free) => push(free.as_fd(), index).map_err(map("give back a slot"))?,
            None => self.slots.give_back(index),
        }
        Ok(())
    }

    /// Looks again at the slots that were kept aside.
    fn release_retired(&mut self) -> Result<(), RecordError> {
        self.slots.take_retired().into_iter().try_for_each(|index| self.release(index))
    }

    /// Whether new tasks of a cgroup are marked.
    fn is_selected(&self, cgroup: u64) -> Result<bool, RecordError> {
        Ok(self.loaded.selected.get(&cgroup).map_err(map("look for a container"))?.is_some())
    }

    fn read(&self, slot: SlotId) -> Result<Slot, RecordError> {
        let active = self.slots.get(slot).ok_or(RecordError::NoSuchSlot(slot))?;
        let state = self.loaded.slots.get(&active.index).map_err(map("read a slot"))?;
        state.ok_or(RecordError::NoSuchSlot(slot))
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
    fn rest_if_idle(&mut self) {
        if self.slots.is_empty() && self.expected.is_empty() {
            self.attached = None;
        }
    }
}

/// What the counters of the whole recorder count, in their order.
const GLOBAL: [Loss; STATS as usize + 1] = {
    // The last is the kernel's own, and has no number of ours.
    let mut losses = [Loss::SkippedRuns; STATS as usize + 1];
    losses[STAT_RING_FULL as usize] = Loss::DroppedNotifications;
    losses[STAT_NO_SLOT as usize] = Loss::ContainersWithoutSlot;
    losses[STAT_SELECTED_FULL as usize] = Loss::CgroupsNotSelected;
    losses
};

/// Ends a command that cannot be followed.
fn end(mut child: Child, why: io::Error) -> io::Error {
    // Either may only fail because it has ended already.
    let _ = child.kill();
    let _ = child.wait();
    why
}

fn pending(slot: u32) -> Mark {
    Mark { slot, flags: PENDING, last: NO_CALL, padding: 0 }
}

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
