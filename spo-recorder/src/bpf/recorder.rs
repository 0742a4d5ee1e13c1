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
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Pid;
use spo_api::syscalls::Abi;

use super::decode::{self, Told};
use super::error::{RecordError, SpawnError, StartError};
use super::load::{Attached, Loaded};
use super::request::Select;
use super::slots::{Chosen, Slots};
use super::wire::{
    Event as Record, Executable, Mark, NO_CALL, Name, PENDING, STAT_NO_SLOT, STAT_RING_FULL, STAT_SELECTED_FULL, STATS,
    Slot,
};
use super::{Notice, Request, SlotId, cgroup};
use crate::event::{Event, Loss};
use crate::observe::{Losses, Observation};
use crate::sys::{self, spawn};

/// Value of a pod in the map of selected cgroups.
const POD: u32 = 0;

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
        match command.spawn() {
            Ok(child) => Ok((child, self.begin(index, Chosen::Command)?)),
            Err(source) => {
                // The child is gone: without an exec its mark was never counted.
                self.slots.give_back(index);
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

    /// Records the containers of the pod whose cgroup has or will have this name. [`Notice`]s tell of them.
    ///
    /// The name is set down before the directory is looked for, so that the kubelet cannot make it in between.
    ///
    /// # Errors
    /// If the name cannot be that of a cgroup, or cgroups cannot be read.
    pub fn expect_pod(&mut self, name: &str) -> Result<(), RecordError> {
        let key = key(name.as_bytes(), "a cgroup")?;
        self.attach()?;
        self.expected_pods()?.set(&key, &1).map_err(map("expect a pod"))?;
        self.expected.insert(name.to_owned());
        let Some(root) = &self.cgroup_root else { return Ok(()) };
        let unreadable = |path: &PathBuf| {
            let path = path.clone();
            move |source| RecordError::Cgroup { path, source }
        };
        let Some(dir) = cgroup::find(root, name).map_err(unreadable(root))? else { return Ok(()) };
        let Some(id) = cgroup::id(&dir).map_err(unreadable(&dir))? else { return Ok(()) };
        if self.loaded.selected.add(&id, &POD).map_err(map("select a pod"))? {
            self.waiting.push_back(Notice::Pod { name: name.to_owned() });
        }
        for child in cgroup::children(&dir).map_err(unreadable(&dir))? {
            let id = cgroup::id(&child).map_err(unreadable(&child))?;
            let Some(id) = id else { continue };
            if self.loaded.selected.get(&id).map_err(map("look for a container"))?.is_none() {
                let name = child.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.waiting.push_back(Notice::Late { name });
            }
        }
        Ok(())
    }

    /// Does not look for this pod any more. Containers that are recorded go on.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn forget_pod(&mut self, name: &str) -> Result<(), RecordError> {
        let key = key(name.as_bytes(), "a cgroup")?;
        self.expected_pods()?.remove(&key).map_err(map("forget a pod"))?;
        if self.expected.remove(name)
            && let Some(root) = &self.cgroup_root
            && let Ok(Some(dir)) = cgroup::find(root, name)
            && let Ok(Some(id)) = cgroup::id(&dir)
        {
            self.loaded.selected.remove(&id).map_err(map("forget a pod"))?;
        }
        self.rest_if_idle();
        Ok(())
    }

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
            if self.wait(until)? != Woken::Told {
                return Ok(None);
            }
        }
    }

    /// Waits until no task of a tree is left, or until a time.
    ///
    /// # Errors
    /// If the slot is not in use, or the kernel cannot be asked.
    pub fn wait_tree(&mut self, slot: SlotId, until: Option<Instant>) -> Result<Waited, RecordError> {
        loop {
            // The ring first: a notification that found it full is one that we were slow to read, so the count is right by now.
            self.drain()?;
            let state = self.read(slot)?;
            if state.live == 0 && state.started > 0 {
                self.waiting.retain(|notice| *notice != Notice::Ended { slot });
                return Ok(Waited::Ended);
            }
            match self.wait(until)? {
                Woken::Told => {}
                Woken::Deadline => return Ok(Waited::Deadline { tasks: state.live }),
                Woken::Signal => return Ok(Waited::Interrupted),
            }
        }
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
            Chosen::Command | Chosen::Process(_) | Chosen::Container => {}
        }
        let mut seen = self.seen(slot)?;
        seen.add(&Event::Lost { what: Loss::StillRunning, count: self.read(slot)?.live });
        self.slots.end(slot);
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

    fn expected_pods(&self) -> Result<&sys::bpf::Map<Name, u32>, RecordError> {
        self.loaded.expected.as_ref().ok_or(RecordError::NotRequested("containers"))
    }

    /// Takes a free slot, with everything attached.
    fn reserve(&mut self) -> Result<u32, RecordError> {
        for index in self.slots.take_retired() {
            self.release(index)?;
        }
        let index = self.slots.reserve().ok_or(RecordError::NoFreeSlot(self.select.slots()))?;
        self.attach().inspect_err(|_| self.slots.give_back(index))?;
        Ok(index)
    }

    fn begin(&mut self, index: u32, chosen: Chosen) -> Result<SlotId, RecordError> {
        let counts = self.counts()?;
        Ok(self.slots.begin(index, chosen, counts))
    }

    /// Empties a slot and gives it back, or keeps it aside while tasks carry its mark.
    fn release(&mut self, index: u32) -> Result<(), RecordError> {
        let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
        if state.is_some_and(|state| state.live > 0) {
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

    fn read(&self, slot: SlotId) -> Result<Slot, RecordError> {
        let active = self.slots.get(slot).ok_or(RecordError::NoSuchSlot(slot))?;
        let state = self.loaded.slots.get(&active.index).map_err(map("read a slot"))?;
        state.ok_or(RecordError::NoSuchSlot(slot))
    }

    fn counts(&self) -> Result<Vec<u64>, RecordError> {
        let read = |which| self.loaded.counts.get(&which).map(Option::unwrap_or_default);
        (0..STATS).map(read).collect::<io::Result<_>>().map_err(map("read the counters"))
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

    /// A container that the kernel gave a slot; `None` if it is known, or gone already and its slot with it.
    fn container(&mut self, index: u32, name: String, cgroup: u64) -> Result<Option<Notice>, RecordError> {
        let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
        if self.slots.by_index(index).is_some() || state.is_none_or(|state| state.cgroup != cgroup) {
            return Ok(None);
        }
        // It began at some time since we last looked.
        let slot = self.slots.begin(index, Chosen::Container, self.looked_at.clone());
        Ok(Some(Notice::Container { slot, name }))
    }

    /// The end of a container; `None` if it was told before, and if its slot is another's by now.
    fn container_ended(&mut self, index: u32, name: String, cgroup: u64) -> Result<Option<Notice>, RecordError> {
        let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
        let of_this = state.is_some_and(|state| state.cgroup == cgroup);
        let Some(slot) = self.slots.by_index(index).filter(|_| of_this) else { return Ok(None) };
        Ok(self.slots.tell_end(slot).then_some(Notice::ContainerEnded { slot, name }))
    }

    /// Notifications were lost: looks at every slot instead. They are hints; what counts is in the slots.
    fn look_at_all(&mut self) -> Result<(), RecordError> {
        if self.select != Select::Containers {
            return Ok(());
        }
        for index in 0..self.select.slots() {
            let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
            let Some(state) = state.filter(|state| state.cgroup != 0) else { continue };
            let notice = self.container(index, decode::text(&state.name), state.cgroup)?;
            self.waiting.extend(notice);
        }
        let active: Vec<u32> = self.slots.indices().collect();
        for index in active {
            let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
            let Some(state) = state else { continue };
            if self.loaded.selected.get(&state.cgroup).map_err(map("look for a container"))?.is_none() {
                let notice = self.container_ended(index, decode::text(&state.name), state.cgroup)?;
                self.waiting.extend(notice);
            }
        }
        Ok(())
    }

    fn wait(&self, until: Option<Instant>) -> Result<Woken, RecordError> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map(Timespec::try_from).transpose();
        let timeout = timeout.map_err(|source| RecordError::Wait(io::Error::other(source)))?;
        let mut fds = [PollFd::new(&self.loaded.ring, PollFlags::IN)];
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

/// What the counters of the whole recorder count, in their order.
const GLOBAL: [Loss; STATS as usize] = {
    let mut losses = [Loss::DroppedNotifications; STATS as usize];
    losses[STAT_RING_FULL as usize] = Loss::DroppedNotifications;
    losses[STAT_NO_SLOT as usize] = Loss::ContainersWithoutSlot;
    losses[STAT_SELECTED_FULL as usize] = Loss::CgroupsNotSelected;
    losses
};

#[derive(Debug, PartialEq, Eq)]
enum Woken {
    Told,
    Deadline,
    Signal,
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
