//! Choosing by container: an expected pod's cgroup is known by its name when it is made, and those made in it are its containers.
//!
//! The names of cgroups are given by the kubelet and the runtime before any process of the container exists. Only cgroup2 is looked at; the
//! kernel keeps it beside the older hierarchies too.

use core::ptr::write_volatile;
use core::sync::atomic::{Ordering, compiler_fence};

use aya_ebpf::bindings::task_struct;

use crate::kernel::{Opaque, current, member, mount_namespace, probe, setting, text};
use crate::maps::{self, EXPECTED, FREE, SELECTED, SLOTS, add, count, fetch_add, tell};
use crate::task::in_own_mounts;
use crate::wire::{
    EVENT_CONTAINER, EVENT_POD, EVENT_REMOVED, Event, MAX_NESTED, NAME, NO_SLOT, NOWHERE, Name, Place, STAT_NO_SLOT,
    STAT_SELECTED_FULL,
};

/// Where the container that a task is in is recorded, if the task belongs to the workload and not to the runtime that sets it up.
#[inline(always)]
pub fn place(task: *mut task_struct) -> Option<Place> {
    let set: Opaque = member(task as Opaque, setting!(TASK_CGROUPS));
    let cgroup: Opaque = member(set, setting!(CSS_SET_DFL));
    let place = selected(id(cgroup))?;
    if in_own_mounts(task, maps::slot(place)?) { Some(place) } else { None }
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
        if select(id, NOWHERE) {
            tell(&mut event(EVENT_POD, NOWHERE, id, &name, name_len));
        }
        return;
    }
    match selected(parent) {
        Some(Place { slot: NO_SLOT, .. }) => {
            let place = take_slot(id, parent, &name).unwrap_or(NOWHERE);
            tell(&mut event(EVENT_CONTAINER, place, id, &name, name_len));
        }
        Some(place) => nested(id, place),
        None => {}
    }
}

/// Gives the cgroup a free slot, which user space has emptied.
#[inline(always)]
fn take_slot(id: u64, parent: u64, name: &Name) -> Option<Place> {
    let Some(index) = FREE.pop(NO_SLOT) else {
        count(STAT_NO_SLOT);
        return None;
    };
    let slot = SLOTS.get_ptr_mut(index)?;
    // SAFETY: a value of a map; likewise below.
    let place = Place { slot: index, generation: unsafe { (*slot).generation } };
    if !select(id, place) {
        // Nobody was told of the slot, and nothing is in it.
        FREE.push(index);
        return None;
    }
    // No task can enter the cgroup before this program is done.
    unsafe {
        (*slot).parent = parent;
        (*slot).maker_mntns = mount_namespace(current());
        (*slot).name = name.bytes;
        compiler_fence(Ordering::Release);
        write_volatile(&raw mut (*slot).cgroup, id);
    }
    Some(place)
}

/// Selects a cgroup that a container made inside its own, if it has not made too many.
#[inline(always)]
fn nested(id: u64, place: Place) {
    let Some(slot) = maps::slot(place) else { return };
    // SAFETY: a value of a map.
    unsafe {
        if fetch_add(&raw mut (*slot).nested, 1) >= MAX_NESTED {
            add(&raw mut (*slot).nested, u64::MAX);
            add(&raw mut (*slot).not_selected, 1);
        } else if !select(id, place) {
            add(&raw mut (*slot).nested, u64::MAX);
        }
    }
}

/// A cgroup is removed.
#[inline(always)]
pub fn removed(cgroup: Opaque) {
    if !is_cgroup2(cgroup) {
        return;
    }
    let id = id(cgroup);
    let Some(place) = selected(id) else { return };
    let _ = SELECTED.remove(&id);
    let mut name = Name { bytes: [0; NAME] };
    let name_len = read_name(cgroup, &mut name);
    let place = if is_of_container(id, place) { place } else { NOWHERE };
    tell(&mut event(EVENT_REMOVED, place, id, &name, name_len));
}

/// Whether a cgroup that is removed is that of a container; one inside of it is none any more.
#[inline(always)]
fn is_of_container(id: u64, place: Place) -> bool {
    let Some(slot) = maps::slot(place) else { return false };
    // SAFETY: a value of a map.
    unsafe {
        if (*slot).cgroup == id {
            return true;
        }
        add(&raw mut (*slot).nested, u64::MAX);
    }
    false
}

#[inline(always)]
fn event(kind: u32, place: Place, cgroup: u64, name: &Name, name_len: u32) -> Event {
    Event { kind, pid: 0, place, name_len, padding: 0, cgroup, name: name.bytes }
}

#[inline(always)]
fn selected(id: u64) -> Option<Place> {
    // SAFETY: a value is two words, and never changes.
    SELECTED.get_ptr(&id).map(|place| unsafe { *place })
}

#[inline(always)]
fn select(id: u64, place: Place) -> bool {
    if SELECTED.insert(&id, &place, 0).is_ok() {
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
