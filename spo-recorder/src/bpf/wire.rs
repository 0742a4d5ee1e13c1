//! What the programs in the kernel and the recorder outside of it share: the layout of maps and events.
//!
//! This one file is compiled into both: here, and by `#[path]` into `ebpf/`, which is built for another target. So it uses
//! `core` only, every struct is `repr(C)` with its padding spelled out, and every size is asserted.

/// First bit of the calls made by the machine's own ABI.
pub(crate) const NATIVE: u32 = 0;
/// First bit of the calls made by the 32-bit ABI that the kernel serves beside it.
pub(crate) const COMPAT: u32 = 512;
/// First bit of the calls made by x32, whose own numbers begin at 512.
pub(crate) const X32: u32 = 1024;
/// Bits in all.
pub(crate) const BITS: u32 = 2048;
/// How many call numbers the native and the compat part have each.
pub(crate) const PART: u32 = COMPAT - NATIVE;
/// How many the x32 part has.
pub(crate) const X32_PART: u32 = BITS - X32;
/// The bit by which an x32 call is known.
pub(crate) const X32_BIT: u32 = 0x4000_0000;
/// The words that hold them.
pub(crate) const WORDS: usize = BITS as usize / 64;
/// Longest name of a cgroup or an executable that is kept, its final zero included.
pub(crate) const NAME: usize = 96;

/// What one recorded process tree, executable or container has done.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    /// Which use of this slot it is. User space adds one when it takes what was recorded, and so voids whatever names the use
    /// before: marks of tasks that go on, cgroups, notifications.
    pub(crate) generation: u32,
    /// Not 0 once a seccomp filter stood before a task of it.
    pub(crate) filtered: u32,
    /// One bit for each call that was made.
    pub(crate) calls: [u64; WORDS],
    /// Tasks that carry the mark of this slot. The first process counts from its exec on, as until then user space watches it.
    pub(crate) live: u64,
    /// How often an exec made a task the first of a tree.
    pub(crate) started: u64,
    /// Calls whose number has no bit.
    pub(crate) beyond: u64,
    /// Tasks that could not be marked.
    pub(crate) unmarked: u64,
    /// Cgroups inside of the container's that are not selected, being too many.
    pub(crate) not_selected: u64,
    /// The container's cgroup, or 0. Written last, so that the rest is there where this is.
    pub(crate) cgroup: u64,
    /// The cgroup's parent, or 0.
    pub(crate) parent: u64,
    /// Cgroups inside of the container's that are selected.
    pub(crate) nested: u64,
    /// Mount namespace of the task that made the cgroup.
    pub(crate) maker_mntns: u32,
    /// Always 0.
    pub(crate) padding: u32,
    /// Name of the cgroup.
    pub(crate) name: [u8; NAME],
}

/// How many cgroups a container can have inside of its own, so that none can take the room of the others.
pub(crate) const MAX_NESTED: u64 = 64;

/// One use of a slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index of the slot, or [`NO_SLOT`].
    pub(crate) slot: u32,
    /// [`Slot::generation`] during this use.
    pub(crate) generation: u32,
}

/// No slot.
pub(crate) const NO_SLOT: u32 = u32::MAX;
/// No use of any slot.
pub(crate) const NOWHERE: Place = Place { slot: NO_SLOT, generation: 0 };

/// What a task carries: which slot it belongs to.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// Where the task is recorded.
    pub(crate) place: Place,
    /// [`PENDING`], [`FIRST`] and [`ROOT`].
    pub(crate) flags: u32,
    /// While pending: the bit of the last call, so that the exec is counted as the call that it was.
    pub(crate) last: u32,
}

/// Flag of a [`Mark`]: the task is recorded from its next exec on.
pub(crate) const PENDING: u32 = 1;
/// Flag of a [`Mark`]: this task was chosen by its executable, and its end is told.
pub(crate) const ROOT: u32 = 2;
/// Flag of a [`Mark`] that is pending: a task of the process by which a tree begins.
pub(crate) const FIRST: u32 = 4;
/// [`Mark::last`] before any call.
pub(crate) const NO_CALL: u32 = u32::MAX;

/// A name as a key, aligned so that it can be compared by words.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Name {
    /// Filled up with zeros; the last byte is always zero.
    pub(crate) bytes: [u8; NAME],
}

/// An executable that is chosen: the one at the index of its slot.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Executable {
    /// Its name, the last part of its path.
    pub(crate) name: Name,
    /// Bytes of the name without the zeros; 0 where none is chosen.
    pub(crate) length: u32,
    /// For which use of the slot.
    pub(crate) generation: u32,
}

/// How many executables can be chosen at once.
pub(crate) const EXECUTABLES: u32 = 16;

/// What the kernel tells. It is sent without the unused end of `name`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// One of `EVENT_…`.
    pub(crate) kind: u32,
    /// The process, for [`EVENT_EXITED`].
    pub(crate) pid: u32,
    /// Where it is recorded.
    pub(crate) place: Place,
    /// Bytes of `name`, its final zero included.
    pub(crate) name_len: u32,
    /// Always 0.
    pub(crate) padding: u32,
    /// Which cgroup, or 0.
    pub(crate) cgroup: u64,
    /// Name of the cgroup.
    pub(crate) name: [u8; NAME],
}

/// Bytes of an [`Event`] before its name.
pub(crate) const EVENT_HEAD: usize = 32;

/// The last marked task of a slot has ended.
pub(crate) const EVENT_ENDED: u32 = 1;
/// A process that was chosen by its executable has ended.
pub(crate) const EVENT_EXITED: u32 = 2;
/// The cgroup of an expected pod was made.
pub(crate) const EVENT_POD: u32 = 3;
/// A container's cgroup was made in a selected pod; without slot if none was free.
pub(crate) const EVENT_CONTAINER: u32 = 4;
/// A selected cgroup was removed; with the slot if it was a container's.
pub(crate) const EVENT_REMOVED: u32 = 5;

/// Counter: events that found the ring buffer full.
pub(crate) const STAT_RING_FULL: u32 = 0;
/// Counter: containers for which no slot was free.
pub(crate) const STAT_NO_SLOT: u32 = 1;
/// Counter: cgroups for which the map of selected cgroups had no room.
pub(crate) const STAT_SELECTED_FULL: u32 = 2;
/// Counter: times that the kernel would not say whether a task is marked.
pub(crate) const STAT_REFUSED: u32 = 3;
/// How many counters there are.
pub(crate) const STATS: u32 = 4;

/// How tasks are chosen: only those that user space marked.
pub(crate) const SELECT_TREE: u32 = 0;
/// How tasks are chosen: by the name of the file that they execute.
pub(crate) const SELECT_EXECUTABLE: u32 = 1;
/// How tasks are chosen: by the cgroup of their container.
pub(crate) const SELECT_CONTAINER: u32 = 2;

const _: () = assert!(size_of::<Slot>() == 8 + WORDS * 8 + 8 * 8 + 8 + NAME);
const _: () = assert!(size_of::<Place>() == 8);
const _: () = assert!(size_of::<Mark>() == 16);
const _: () = assert!(size_of::<Name>() == NAME);
const _: () = assert!(size_of::<Executable>() == NAME + 8);
const _: () = assert!(size_of::<Event>() == EVENT_HEAD + NAME);
const _: () = assert!(core::mem::offset_of!(Event, name) == EVENT_HEAD);
const _: () = assert!(NAME.is_multiple_of(8));
