//! An allocator that counts: how much memory a thread holds, and the most that it held.
#![allow(unsafe_code, reason = "an allocator is unsafe to implement; it leaves the work to that of the system")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Beyond this an allocation fails, so that the machine does not suffer from what is to be found.
const MOST_BYTES: usize = 1 << 30;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The most memory that this thread held during a call, beyond what it held before.
pub(crate) fn peak(call: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    call();
    PEAK.get().saturating_sub(before)
}

/// Whether so much more may be held, which is noted. Memory may be given back by another thread than took it, so nothing is exact.
fn take(bytes: usize) -> bool {
    let held = HELD.get().saturating_add(bytes);
    if held > MOST_BYTES {
        return false;
    }
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
    true
}

fn give_back(bytes: usize) {
    HELD.set(HELD.get().saturating_sub(bytes));
}

// SAFETY: memory comes from the system's allocator and goes back to it by the same layout; counting touches none, and the cells need
// neither an allocation nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        if take(layout.size()) { unsafe { System.alloc(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: likewise.
        if take(layout.size()) { unsafe { System.alloc_zeroed(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_bytes: usize) -> *mut u8 {
        if !take(new_bytes) {
            return std::ptr::null_mut();
        }
        give_back(layout.size());
        // SAFETY: likewise.
        unsafe { System.realloc(memory, layout, new_bytes) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: likewise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_what_was_held_at_once() {
        let twice = peak(|| {
            for _ in 0..2 {
                drop(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        });
        assert!((1 << 20..3 << 19).contains(&twice), "{twice}");
        let grown = peak(|| {
            let mut list = vec![1_u8; 1 << 10];
            list.resize(1 << 20, 2);
            std::hint::black_box(list);
        });
        assert!(grown >= 1 << 20, "{grown}");
    }
}
