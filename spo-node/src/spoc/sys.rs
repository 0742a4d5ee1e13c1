//! What needs the kernel or the C library by hand. All `unsafe` of `spoc` is below this module.
#![allow(unsafe_code, reason = "system calls that no crate in use wraps; each block says why it is sound")]

pub(super) mod child;
pub(super) mod clock;
pub(super) mod listener;
pub(super) mod shared;
pub(super) mod signals;
