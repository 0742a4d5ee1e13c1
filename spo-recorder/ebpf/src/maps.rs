//! The maps, and what aya-ebpf lacks for two of their types.

use core::intrinsics::{AtomicOrdering, atomic_xadd};
use core::ptr::{null, null_mut, read_volatile};

use aya_ebpf::bindings::task_struct;
use aya_ebpf::btf_maps::{Array, HashMap, RingBuf};
use aya_ebpf::helpers::generated::{
    bpf_map_pop_elem, bpf_map_push_elem, bpf_ringbuf_output, bpf_task_storage_delete, bpf_task_storage_get,
};
use aya_ebpf::macros::btf_map;

use crate::kernel::setting;
use crate::wire::{
    self, EVENT_HEAD, Event, Executable, Mark, NAME, Name, Place, STAT_REFUSED, STAT_RING_FULL, STATS, Slot,
};

// The loader makes only those that the request needs, and sizes SLOTS, FREE and SELECTED to it.
#[btf_map]
pub static SLOTS: Array<Slot, 1024> = Array::new();
#[btf_map]
pub static MARKS: TaskStorage<Mark> = TaskStorage::new();
/// Marks nobody: to be refused even this is to be refused everything.
#[btf_map]
static NOBODY: TaskStorage<u32> = TaskStorage::new();
#[btf_map]
pub static EVENTS: RingBuf<Event, { 1 << 16 }> = RingBuf::new();
#[btf_map]
pub static COUNTS: Array<u64, { STATS as usize }> = Array::new();
/// Executables that are chosen, each at the index of its slot.
#[btf_map]
pub static EXECUTABLES: Array<Executable, { wire::EXECUTABLES as usize }> = Array::new();
/// Where paths are copied to be measured.
#[btf_map]
pub static UNREAD: Array<[u8; PATH], 1> = Array::new();
/// Names of the cgroups of pods that are to be recorded.
#[btf_map]
pub static EXPECTED: HashMap<Name, u32, 4096> = HashMap::new();
/// Id of a cgroup → where its container is recorded; nowhere for a pod's.
#[btf_map]
pub static SELECTED: HashMap<u64, Place, 4096> = HashMap::new();
/// Slots that are free.
#[btf_map]
pub static FREE: Queue<u32, 1024> = Queue::new();

/// Longest path that the kernel knows.
const PATH: usize = 4096;

/// The slot of a place, as long as it is used for the same.
#[inline(always)]
pub fn slot(place: Place) -> Option<*mut Slot> {
    let slot = SLOTS.get_ptr_mut(place.slot)?;
    // SAFETY: a value of a map; user space writes it, so that it is read but once.
    let generation = unsafe { read_volatile(&raw const (*slot).generation) };
    if generation == place.generation { Some(slot) } else { None }
}

/// Adds one to a counter.
#[inline(always)]
pub fn count(which: u32) {
    if let Some(counter) = COUNTS.get_ptr_mut(which) {
        add(counter, 1);
    }
}

/// Adds to a word that others add to as well.
///
/// The result is dropped: LLVM 22 turns a relaxed addition whose result is used into one that gives the addend instead
/// (llvm/llvm-project#210280).
#[inline(always)]
pub fn add(word: *mut u64, value: u64) {
    // SAFETY: a pointer into a map's value, which the verifier checks.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(word, value) };
}

/// Adds to a word that others add to as well, and gives back what was there before.
#[inline(always)]
pub fn fetch_add(word: *mut u64, value: u64) -> u64 {
    // SAFETY: a pointer into a map's value, which the verifier checks.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::AcqRel }>(word, value) }
}

/// Tells user space, without the unused end of the name.
#[inline(always)]
pub fn tell(event: &mut Event) {
    let length = (event.name_len as usize).min(NAME);
    let size = (EVENT_HEAD + length) as u64;
    let ring = (&raw const EVENTS).cast_mut().cast();
    // SAFETY: the event is initialised whole, and `size` is at most its size.
    if unsafe { bpf_ringbuf_output(ring, (&raw mut *event).cast(), size, 0) } != 0 {
        count(STAT_RING_FULL);
    }
}

/// Values that live as long as the task they belong to.
#[repr(C)]
pub struct TaskStorage<T> {
    r#type: *const [i32; 29],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    /// BPF_F_NO_PREALLOC, which the kernel wants here.
    map_flags: *const [i32; 1],
}

// SAFETY: never read; the members only describe the map to the loader, through their types.
unsafe impl<T> Sync for TaskStorage<T> {}

impl<T> TaskStorage<T> {
    const fn new() -> Self {
        Self { r#type: null(), key: null(), value: null(), max_entries: null(), map_flags: null() }
    }

    /// The value of a task that has one. Where the kernel does not say whether it has, that is counted.
    #[inline(always)]
    pub fn get(&self, task: *mut task_struct) -> Option<*mut T> {
        // SAFETY: the map and a task that the verifier tracks.
        let value = unsafe { bpf_task_storage_get(self.map(), task, null_mut(), 0) }.cast::<T>();
        if !value.is_null() {
            return Some(value);
        }
        if setting!(REFUSES_LOOKUPS) != 0 && is_refused(task) {
            count(STAT_REFUSED);
        }
        None
    }

    /// Gives a task a value, instead of the one that it may have; `false` where there is no memory for it.
    #[inline(always)]
    pub fn set(&self, task: *mut task_struct, mut value: T) -> bool
    where
        T: Copy,
    {
        const CREATE: u64 = 1;
        // SAFETY: as above; the helper copies the initial value.
        let place = unsafe { bpf_task_storage_get(self.map(), task, (&raw mut value).cast(), CREATE) }.cast::<T>();
        if place.is_null() {
            return false;
        }
        // SAFETY: a value that was there before is given back as it is, and has the size of T.
        unsafe { place.write(value) };
        true
    }

    #[inline(always)]
    fn map(&self) -> *mut core::ffi::c_void {
        (&raw const *self).cast_mut().cast()
    }
}

/// Whether the kernel refuses just now what has to do with the storage of tasks.
///
/// A look-up that was refused gives the same as one that finds nothing. Taking away what is not there tells them apart; and what
/// makes the kernel refuse cannot end in between, as it is below us on the same processor.
#[inline(always)]
fn is_refused(task: *mut task_struct) -> bool {
    const EBUSY: i64 = 16;
    // SAFETY: the map and a task that the verifier tracks.
    unsafe { bpf_task_storage_delete(NOBODY.map(), task) == -EBUSY }
}

/// First in, first out.
#[repr(C)]
pub struct Queue<T, const N: usize> {
    r#type: *const [i32; 22],
    value: *const T,
    max_entries: *const [i32; N],
}

// SAFETY: as for TaskStorage.
unsafe impl<T, const N: usize> Sync for Queue<T, N> {}

impl<T: Copy, const N: usize> Queue<T, N> {
    const fn new() -> Self {
        Self { r#type: null(), value: null(), max_entries: null() }
    }

    #[inline(always)]
    pub fn pop(&self, otherwise: T) -> Option<T> {
        let mut value = otherwise;
        // SAFETY: the map, and room for one value.
        let result = unsafe { bpf_map_pop_elem(self.map(), (&raw mut value).cast()) };
        if result == 0 { Some(value) } else { None }
    }

    #[inline(always)]
    pub fn push(&self, value: T) -> bool {
        // SAFETY: the map, and one value.
        unsafe { bpf_map_push_elem(self.map(), (&raw const value).cast(), 0) == 0 }
    }

    #[inline(always)]
    fn map(&self) -> *mut core::ffi::c_void {
        (&raw const *self).cast_mut().cast()
    }
}
