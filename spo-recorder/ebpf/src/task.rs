//! Tasks: marking them, following them, and noting what they call.

use core::intrinsics::{AtomicOrdering, atomic_or};
use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::bindings::task_struct;

use crate::kernel::{self, Opaque, current, member, setting};
use crate::maps::{self, MARKS, add, fetch_add, tell};
use crate::wire::{
    BITS, COMPAT, EVENT_ENDED, EVENT_EXITED, Event, FIRST, Mark, NAME, NATIVE, NO_CALL, PART, PENDING, Place, ROOT,
    SELECT_CONTAINER, SELECT_EXECUTABLE, Slot, X32, X32_BIT, X32_PART,
};
use crate::{cgroup, executable};

/// The mark of a task and the slot that it belongs to, unless what it was marked for is over.
#[inline(always)]
fn marked(task: *mut task_struct) -> Option<(*mut Mark, *mut Slot)> {
    let mark = MARKS.get(task)?;
    // SAFETY: a value of a map, checked not to be null.
    let slot = maps::slot(unsafe { (*mark).place })?;
    Some((mark, slot))
}

/// A system call begins.
#[inline(always)]
pub fn called(number: u64) {
    let task = current();
    let Some((mark, slot)) = marked(task) else { return };
    let bit = bit(task, number);
    // SAFETY: values of maps, checked not to be null; likewise below.
    unsafe {
        if (*mark).flags & PENDING != 0 {
            (*mark).last = bit.unwrap_or(NO_CALL);
            return;
        }
        match bit {
            Some(bit) => set(slot, bit),
            None => add(&raw mut (*slot).beyond, 1),
        }
    }
    note_filter(task, slot);
}

/// Notes that a seccomp filter stands before a task. What such a filter refuses never comes here, so that it cannot be counted.
#[inline(always)]
fn note_filter(task: *mut task_struct, slot: *mut Slot) {
    let bits = setting!(FILTER_BITS);
    if bits == 0 || member::<u32>(task as Opaque, setting!(FILTER_OFFSET)) & bits == 0 {
        return;
    }
    // SAFETY: a value of a map. Written once, so that the cache line stays shared.
    unsafe {
        let filtered = &raw mut (*slot).filtered;
        if read_volatile(filtered) == 0 {
            write_volatile(filtered, 1);
        }
    }
}

/// Which bit stands for a call, by the ABI that it is made with.
#[inline(always)]
fn bit(task: *mut task_struct, number: u64) -> Option<u32> {
    // The number is 32 bits wide for every ABI; a negative one is beyond every part.
    let number = number as u32;
    let bits = setting!(COMPAT_BITS);
    let (first, number, room) = if bits != 0 && member::<u32>(task as Opaque, setting!(COMPAT_OFFSET)) & bits != 0 {
        (COMPAT, number, PART)
    } else if number & X32_BIT != 0 {
        (X32, number & !X32_BIT, X32_PART)
    } else {
        (NATIVE, number, PART)
    };
    if number < room { Some(first + number) } else { None }
}

/// Sets a bit, writing only where it is not set yet: cache lines stay shared after the first sighting.
#[inline(always)]
fn set(slot: *mut Slot, bit: u32) {
    let index = ((bit & (BITS - 1)) >> 6) as usize;
    let wanted = 1_u64 << (bit & 63);
    // SAFETY: the index is below WORDS.
    unsafe {
        let word = (&raw mut (*slot).calls).cast::<u64>().add(index);
        if read_volatile(word) & wanted == 0 {
            atomic_or::<u64, u64, { AtomicOrdering::Relaxed }>(word, wanted);
        }
    }
}

/// A task executes a program.
#[inline(always)]
pub fn executed(task: *mut task_struct, bprm: Opaque) {
    if let Some((mark, slot)) = marked(task) {
        // SAFETY: values of maps, checked not to be null; likewise below.
        let Mark { flags, last, .. } = unsafe { *mark };
        if flags & PENDING != 0 {
            unsafe { (*mark).flags = 0 };
            if flags & FIRST != 0 {
                begin(slot);
            }
            // The exec is a call of its own, made before the recording.
            set(slot, if last == NO_CALL { exec_call(bprm) } else { last });
        }
        return;
    }
    let (place, flags) = match setting!(SELECT) {
        SELECT_EXECUTABLE => (executable::place(bprm), ROOT),
        SELECT_CONTAINER => (cgroup::place(task), 0),
        _ => return,
    };
    let Some(place) = place else { return };
    let Some(slot) = maps::slot(place) else { return };
    if MARKS.set(task, Mark { place, flags, last: NO_CALL }) {
        begin(slot);
        set(slot, exec_call(bprm));
    } else {
        unsafe { add(&raw mut (*slot).unmarked, 1) };
    }
}

/// The first task of a tree.
#[inline(always)]
fn begin(slot: *mut Slot) {
    // SAFETY: a value of a map.
    unsafe {
        add(&raw mut (*slot).live, 1);
        add(&raw mut (*slot).started, 1);
    }
}

/// How a program was executed, where the call itself was not seen: execveat leaves the path of its descriptor. The registers say
/// nothing, as the kernel pretends that every new program comes from execve.
#[inline(always)]
fn exec_call(bprm: Opaque) -> u32 {
    let offset = setting!(BPRM_FDPATH);
    let at = offset != 0 && !member::<Opaque>(bprm, offset).is_null();
    NATIVE + if at { setting!(NR_EXECVEAT) } else { setting!(NR_EXECVE) }
}

/// A task has made another, which has not run yet: process or thread, by whichever call.
#[inline(always)]
pub fn forked(parent: *mut task_struct, child: *mut task_struct) {
    let Some((mark, slot)) = marked(parent) else { return };
    // SAFETY: values of maps, checked not to be null; likewise below.
    let mark = unsafe { *mark };
    let mut flags = mark.flags & (PENDING | FIRST);
    if process(parent) != process(child) {
        flags &= !FIRST;
    }
    unsafe {
        if !MARKS.set(child, Mark { flags, ..mark }) {
            add(&raw mut (*slot).unmarked, 1);
        } else if flags & FIRST == 0 {
            add(&raw mut (*slot).live, 1);
        }
    }
}

/// A task ends.
#[inline(always)]
pub fn exited(task: *mut task_struct) {
    let Some((mark, slot)) = marked(task) else { return };
    // SAFETY: values of maps, checked not to be null; likewise below.
    let mark = unsafe { *mark };
    if mark.flags & FIRST != 0 {
        return;
    }
    if mark.flags & PENDING == 0 {
        // Once more, as it may never have come past the filter.
        note_filter(task, slot);
    }
    let pid: u32 = member(task as Opaque, setting!(TASK_PID));
    if mark.flags & ROOT != 0 && pid == process(task) {
        tell(&mut event(EVENT_EXITED, mark.place, pid));
    }
    let before = unsafe { fetch_add(&raw mut (*slot).live, u64::MAX) };
    if before == 1 && setting!(SELECT) != SELECT_CONTAINER {
        tell(&mut event(EVENT_ENDED, mark.place, pid));
    }
}

/// The process that a task is a thread of.
#[inline(always)]
fn process(task: *mut task_struct) -> u32 {
    member(task as Opaque, setting!(TASK_TGID))
}

#[inline(always)]
fn event(kind: u32, place: Place, pid: u32) -> Event {
    Event { kind, pid, place, name_len: 0, padding: 0, cgroup: 0, name: [0; NAME] }
}

/// Whether a task's mount namespace is neither the host's nor that of whoever made its cgroup: the workload's own.
#[inline(always)]
pub fn in_own_mounts(task: *mut task_struct, slot: *mut Slot) -> bool {
    let namespace = kernel::mount_namespace(task);
    // SAFETY: a value of a map.
    namespace != setting!(HOST_MNTNS) && namespace != unsafe { (*slot).maker_mntns }
}
