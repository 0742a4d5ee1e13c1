//! What reads bytes of the kernel, opened to its fuzz targets. No part of the interface.

use spo_api::syscalls::Abi;

use super::btf::KernelTypes;
use super::decode::{Told, events, told};
use super::layout::Layout;
use super::wire::{NAME, Slot};
use crate::observe::Observation;
use crate::sys::wire::{bytes_of_mut, zeroed};

/// Reads a record of the ring buffer.
pub fn record(bytes: &[u8]) {
    match told(bytes) {
        // A byte that is no UTF-8 becomes a character of three.
        Some(Told::Pod { name, .. } | Told::Container { name, .. } | Told::Removed { name, .. }) => {
            assert!(name.len() <= 3 * NAME && !name.contains('\0'), "{name:?}");
        }
        Some(Told::Ended { .. } | Told::Exited { .. }) | None => {}
    }
}

/// Reads what a slot holds, as it stands in the kernel's map; zeros follow the last byte.
pub fn slot(bytes: &[u8], native: Abi) -> Observation {
    let mut slot = zeroed::<Slot>();
    let room = bytes_of_mut(&mut slot);
    let length = bytes.len().min(room.len());
    room[..length].copy_from_slice(&bytes[..length]);
    let mut seen = Observation::default();
    seen.extend(&events(&slot, native));
    seen
}

/// Reads a kernel's description of its types, for what is asked of every kernel and for a struct `outer`.
pub fn types(bytes: &[u8]) {
    let _what_is_missing = Layout::read(bytes, &["sched_process_exec"]);
    let Ok(types) = KernelTypes::parse(bytes, &["outer", "inner"], &["btf_trace_fork"]) else { return };
    for path in ["a", "b", "c.d", "c.e.f"] {
        let _what_is_missing = types.offset("outer", path);
    }
    let _what_is_missing = types.tracepoint("fork");
}
