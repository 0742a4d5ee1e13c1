//! Plain old data to bytes and back.

use crate::bpf::wire::{Event, Executable, Mark, NAME, Name, Place, Slot};

/// Data for which any bytes are a value, and which has no padding.
///
/// # Safety
/// Both must hold: `repr(C)` or a primitive, members likewise, no gap between or after them.
pub(crate) unsafe trait Wire: Copy {}

// SAFETY: integers.
unsafe impl Wire for u32 {}
// SAFETY: integers.
unsafe impl Wire for u64 {}
// SAFETY: `repr(C)` of integers and arrays of them; padding is spelled out, and the sizes are asserted beside them.
unsafe impl Wire for Slot {}
// SAFETY: likewise.
unsafe impl Wire for Place {}
// SAFETY: likewise.
unsafe impl Wire for Mark {}
// SAFETY: likewise.
unsafe impl Wire for Name {}
// SAFETY: likewise.
unsafe impl Wire for Executable {}
// SAFETY: likewise.
unsafe impl Wire for Event {}

/// The bytes of a value.
pub(crate) fn bytes_of<T: Wire>(value: &T) -> &[u8] {
    // SAFETY: no padding, so every byte is initialised; the lifetime is that of the value.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The bytes of a value, to be filled.
pub(crate) fn bytes_of_mut<T: Wire>(value: &mut T) -> &mut [u8] {
    // SAFETY: as above, and whatever is written is a value.
    unsafe { std::slice::from_raw_parts_mut(std::ptr::from_mut(value).cast(), size_of::<T>()) }
}

/// A value of zeros.
pub(crate) fn zeroed<T: Wire>() -> T {
    // SAFETY: any bytes are a value.
    unsafe { std::mem::zeroed() }
}

/// The name as a key; `None` if it is too long for one, empty, or has a zero in it.
pub(crate) fn name(text: &[u8]) -> Option<Name> {
    if text.is_empty() || text.len() >= NAME || text.contains(&0) {
        return None;
    }
    let mut name = Name { bytes: [0; NAME] };
    name.bytes[..text.len()].copy_from_slice(text);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_the_way_through_bytes() {
        let mark = Mark { place: Place { slot: 7, generation: 3 }, flags: 1, last: 59 };
        let mut back = zeroed::<Mark>();
        bytes_of_mut(&mut back).copy_from_slice(bytes_of(&mark));
        assert_eq!((back.place, back.flags, back.last), (mark.place, 1, 59));
    }

    #[test]
    fn a_name_that_would_be_cut_is_no_key() {
        assert!(name(&[b'a'; NAME]).is_none());
        assert!(name(&[b'a'; NAME - 1]).is_some());
        assert!(name(b"").is_none());
        assert!(name(b"a\0b").is_none());
    }
}
