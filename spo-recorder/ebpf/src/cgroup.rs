//! Choosing by container: an expected pod's cgroup is known by its name when it is made, and those made in it are its containers.
//!
//! The names of cgroups are given by the kubelet and the runtime before any process of the container exists. Only cgroup2 is looked at; the
//! kernel keeps it beside the older hierarchies too.

use aya_ebpf::bindings::task_struct;

use crate::kernel::{Opaque, current, member, mount_namespace, probe, setting, text};
use crate::maps::{EXPECTED, FREE, SELECTED, SLOTS, count, tell};
use crate::task::in_own_mounts;
use crate::wire::{
    EVENT_CONTAINER, EVENT_POD, EVENT_REMOVED, Event, NAME, NO_SLOT, Name, STAT_NO_SLOT, STAT_SELECTED_FULL,
};

/// Value of a pod in `SELECTED`.
const POD: u32 = 0;

/// The slot of the container that a task is in, if the task belongs to the workload and not to the runtime that sets it up.
#[inline(always)]
pub fn slot(task: *mut task_struct) -> Option<u32> {
    let set: Opaque = member(task as Opaque, setting!(TASK_CGROUPS));
    let cgroup: Opaque = member(set, setting!(CSS_SET_DFL));
    let slot = selected(id(cgroup))?.checked_sub(1)?;
    if in_own_mounts(task, SLOTS.get_ptr_mut(slot)?) { Some(slot) } else { None }
}

/// A cgroup was made.
#[inline(always)]
pub fn made(cgroup: Opaque) {
    if !is_cgroup2(cgroup) {
        return;
    }
    let (id, parent) = (id(cgroup), parent(cgroup));
    if selected(id).is_some() {
        // User space found it first.
        return;
    }
    let mut name = Name { bytes: [0; NAME] };
    let name_len = read_name(cgroup, &mut name);
    if EXPECTED.get_ptr(&name).is_some() {
        if select(id, POD) {
            tell(&mut Event { kind: EVENT_POD, slot: NO_SLOT, pid: 0, name_len, cgroup: id, name: name.bytes });
        }
        return;
    }
    match selected(parent) {
        Some(POD) => container(id, parent, &name, name_len),
        // A cgroup that the container made inside its own.
        Some(slot) => {
            select(id, slot);
        }
        None => {}
    }
}

#[inline(always)]
fn container(id: u64, parent: u64, name: &Name, name_len: u32) {
    let slot = take_slot(id, parent, name).unwrap_or(NO_SLOT);
    tell(&mut Event { kind: EVENT_CONTAINER, slot, pid: 0, name_len, cgroup: id, name: name.bytes });
}

/// Gives the cgroup a free slot, which user space has emptied.
#[inline(always)]
fn take_slot(id: u64, parent: u64, name: &Name) -> Option<u32> {
    let Some(index) = FREE.pop(NO_SLOT) else {
        count(STAT_NO_SLOT);
        return None;
    };
    let slot = SLOTS.get_ptr_mut(index)?;
    // SAFETY: a value of a map; nobody else has this slot.
    unsafe {
        (*slot).cgroup = id;
        (*slot).parent = parent;
        (*slot).maker_mntns = mount_namespace(current());
        (*slot).name = name.bytes;
    }
    if select(id, index + 1) {
        return Some(index);
    }
    FREE.push(index);
    None
}

/// A cgroup is removed.
#[inline(always)]
pub fn removed(cgroup: Opaque) {
    if !is_cgroup2(cgroup) {
        return;
    }
    let id = id(cgroup);
    let Some(value) = selected(id) else { return };
    let _ = SELECTED.remove(&id);
    let mut name = Name { bytes: [0; NAME] };
    let name_len = read_name(cgroup, &mut name);
    let slot = own_slot(id, value);
    tell(&mut Event { kind: EVENT_REMOVED, slot, pid: 0, name_len, cgroup: id, name: name.bytes });
}

/// The slot whose container this cgroup is; none for a pod's, or one inside of a container.
#[inline(always)]
fn own_slot(id: u64, value: u32) -> u32 {
    let slot = value.wrapping_sub(1);
    match SLOTS.get_ptr_mut(slot) {
        // SAFETY: a value of a map.
        Some(it) if unsafe { (*it).cgroup } == id => slot,
        _ => NO_SLOT,
    }
}

#[inline(always)]
fn selected(id: u64) -> Option<u32> {
    // SAFETY: a value is one word.
    SELECTED.get_ptr(&id).map(|value| unsafe { *value })
}

#[inline(always)]
fn select(id: u64, value: u32) -> bool {
    if SELECTED.insert(&id, &value, 0).is_ok() {
        return true;
    }
    count(STAT_SELECTED_FULL);
    false
}

#[inline(always)]
fn is_cgroup2(cgroup: Opaque) -> bool {
    let root: Opaque = member(cgroup, setting!(CGROUP_ROOT));
    member::<u32>(root, setting!(ROOT_HIERARCHY)) == 0
}

#[inline(always)]
fn id(cgroup: Opaque) -> u64 {
    let node: Opaque = member(cgroup, setting!(CGROUP_KN));
    member(node, setting!(KN_ID))
}

/// A cgroup's own state is its first member, so that the parent's state is the parent; but the verifier knows it as a state only.
#[inline(always)]
fn parent(cgroup: Opaque) -> u64 {
    let parent: Opaque = member(cgroup, setting!(CGROUP_PARENT));
    let node: Opaque = probe(parent, setting!(CGROUP_KN), core::ptr::null());
    probe(node, setting!(KN_ID), 0)
}

/// The name of a cgroup, and how long it is with its final zero.
#[inline(always)]
fn read_name(cgroup: Opaque, into: &mut Name) -> u32 {
    let node: Opaque = member(cgroup, setting!(CGROUP_KN));
    let name: Opaque = member(node, setting!(KN_NAME));
    text(&mut into.bytes, name).clamp(0, NAME as i64) as u32
}
