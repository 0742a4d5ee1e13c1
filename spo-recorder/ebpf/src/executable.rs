//! Choosing by executable: the name of the file that is executed, never the name that a thread gives itself.

use crate::kernel::{Opaque, member, probe, setting, text};
use crate::maps;
use crate::wire::{EXECUTABLES, Executable, NAME, Name, Place};

/// Where an executable is recorded: by the name of the file itself, or by the name that it was executed by, which may be a symbolic link.
#[inline(always)]
pub fn place(bprm: Opaque) -> Option<Place> {
    by_file(bprm).or_else(|| by_path(bprm))
}

#[inline(always)]
fn by_file(bprm: Opaque) -> Option<Place> {
    let file: Opaque = member(bprm, setting!(BPRM_FILE));
    let dentry: Opaque = member(file, setting!(FILE_DENTRY));
    let name = read(probe(dentry, setting!(DENTRY_NAME), core::ptr::null()));
    find(|wanted| is_same(&name, &wanted.name))
}

/// Looks at the end of the path, as long as each name that is wanted: the verifier could not follow a search for the last slash.
#[inline(always)]
fn by_path(bprm: Opaque) -> Option<Place> {
    let path: Opaque = member(bprm, setting!(BPRM_FILENAME));
    let length = length(path);
    find(|wanted| {
        let Some(start) = length.checked_sub(wanted.length as usize) else { return false };
        let follows_slash = start == 0 || probe(path, start as u32 - 1, 0_u8) == b'/';
        follows_slash && is_same(&read(path.wrapping_add(start)), &wanted.name)
    })
}

#[inline(always)]
fn find(is_wanted: impl Fn(&Executable) -> bool) -> Option<Place> {
    for slot in 0..EXECUTABLES {
        let wanted = maps::EXECUTABLES.get(slot)?;
        if wanted.length > 0 && is_wanted(wanted) {
            return Some(Place { slot, generation: wanted.generation });
        }
    }
    None
}

/// Bytes of a path before its final zero.
///
/// The helper is asked to copy the path to where it is never read: what it gives back is a number that the verifier knows nothing
/// about, where any search of ours would be followed for each of its ends.
#[inline(always)]
fn length(path: Opaque) -> usize {
    let Some(somewhere) = maps::UNREAD.get_ptr_mut(0) else { return 0 };
    // SAFETY: a value of a map, which nobody looks at.
    let copied = text(unsafe { &mut *somewhere }, path);
    (copied.max(1) - 1) as usize
}

#[inline(always)]
fn read(from: Opaque) -> Name {
    let mut name = Name { bytes: [0; NAME] };
    text(&mut name.bytes, from);
    name
}

/// Word by word, as a loop over bytes is long for the verifier.
#[inline(always)]
fn is_same(a: &Name, b: &Name) -> bool {
    let (a, b) = ((&raw const *a).cast::<u64>(), (&raw const *b).cast::<u64>());
    let mut difference = 0;
    for word in 0..NAME / 8 {
        // SAFETY: inside of both, which are aligned to words and a multiple of them long.
        difference |= unsafe { *a.add(word) ^ *b.add(word) };
    }
    difference == 0
}
