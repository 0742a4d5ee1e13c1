//! Tasks: marking them, following them, and noting what they call.

use core::intrinsics::{AtomicOrdering, atomic_or};
use core::ptr::read_volatile;

use aya_ebpf::bindings::task_struct;

use crate::kernel::{self, Opaque, current, member, setting};
use crate::maps::{MARKS, SLOTS, add, fetch_add, tell};
use crate::wire::{
    BITS, COMPAT, EVENT_ENDED, EVENT_EXITED, Event, Mark, NAME, NATIVE, NO_CALL, PART, PENDING, ROOT, SELECT_CONTAINER,
    SELECT_EXECUTABLE, Slot, X32, X32_BIT, X32_PART,
};
use crate::{cgroup, executable};

/// A system call begins.
#[inline(always)]
pub fn called(number: u64) {
    let task = current();
    let Some(mark) = MARKS.get(task) else { return };
    let bit = bit(task, number);
    // SAFETY: a value of a map, checked not to be null; likewise below.
    unsafe {
        if (*mark).flags & PENDING != 0 {
            (*mark).last = bit.unwrap_or(NO_CALL);
            return;
        }
        let Some(slot) = SLOTS.get_ptr_mut((*mark).slot) else { return };
        match bit {
            Some(bit) => set(slot, bit),
            None => add(&raw mut (*slot).beyond, 1),
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
    if let Some(mark) = MARKS.get(task) {
        // SAFETY: a value of a map, checked not to be null; likewise below.
        unsafe {
            if (*mark).flags & PENDING != 0 {
                begin((*mark).slot, (*mark).last, bprm);
                (*mark).flags &= !PENDING;
            }
        }
        return;
    }
    let (slot, flags) = match setting!(SELECT) {
        SELECT_EXECUTABLE => (executable::slot(bprm), ROOT),
        SELECT_CONTAINER => (cgroup::slot(task), 0),
        _ => return,
    };
    let Some(slot) = slot else { return };
    if MARKS.set(task, Mark { slot, flags, last: NO_CALL, padding: 0 }) {
        begin(slot, NO_CALL, bprm);
    } else if let Some(slot) = SLOTS.get_ptr_mut(slot) {
        unsafe { add(&raw mut (*slot).unmarked, 1) };
    }
}

/// The first exec of what is recorded: it is a call of its own, made before the mark.
#[inline(always)]
fn begin(slot: u32, call: u32, bprm: Opaque) {
    let Some(slot) = SLOTS.get_ptr_mut(slot) else { return };
    // SAFETY: a value of a map.
    unsafe {
        add(&raw mut (*slot).live, 1);
        add(&raw mut (*slot).started, 1);
    }
    set(slot, if call == NO_CALL { exec_call(bprm) } else { call });
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
    let Some(mark) = MARKS.get(parent) else { return };
    // SAFETY: a value of a map, checked not to be null; likewise below.
    let mark = unsafe { *mark };
    let pending = mark.flags & PENDING != 0;
    let marked = MARKS.set(child, Mark { flags: mark.flags & PENDING, ..mark });
    let Some(slot) = SLOTS.get_ptr_mut(mark.slot) else { return };
    unsafe {
        if !marked {
            add(&raw mut (*slot).unmarked, 1);
        } else if !pending {
            add(&raw mut (*slot).live, 1);
        }
    }
}

/// A task ends.
#[inline(always)]
pub fn exited(task: *mut task_struct) {
    let Some(mark) = MARKS.get(task) else { return };
    // SAFETY: a value of a map, checked not to be null; likewise below.
    let mark = unsafe { *mark };
    if mark.flags & PENDING != 0 {
        return;
    }
    let pid: u32 = member(task as Opaque, setting!(TASK_PID));
    let process: u32 = member(task as Opaque, setting!(TASK_TGID));
    if mark.flags & ROOT != 0 && pid == process {
        tell(&mut event(EVENT_EXITED, mark.slot, pid));
    }
    let Some(slot) = SLOTS.get_ptr_mut(mark.slot) else { return };
    let before = unsafe { fetch_add(&raw mut (*slot).live, u64::MAX) };
    if before == 1 && setting!(SELECT) != SELECT_CONTAINER {
        tell(&mut event(EVENT_ENDED, mark.slot, pid));
    }
}

#[inline(always)]
fn event(kind: u32, slot: u32, pid: u32) -> Event {
    Event { kind, slot, pid, name_len: 0, cgroup: 0, name: [0; NAME] }
}

/// Whether a task's mount namespace is neither the host's nor that of whoever made its cgroup: the workload's own.
#[inline(always)]
pub fn in_own_mounts(task: *mut task_struct, slot: *mut Slot) -> bool {
    let namespace = kernel::mount_namespace(task);
    // SAFETY: a value of a map.
    namespace != setting!(HOST_MNTNS) && namespace != unsafe { (*slot).maker_mntns }
}
