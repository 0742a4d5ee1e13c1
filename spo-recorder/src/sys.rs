//! All that is unsafe: `bpf(2)`, the memory of the ring buffer, plain old data, and the moment between fork and exec.
//!
//! aya was left out on purpose on this side. Its own parser of the kernel's BTF takes longer and needs more memory than a whole
//! `spoc record` may, it has no type for task storage or for marking by pidfd, and it makes every map of an object whether a
//! request needs it or not. `aya-obj` still reads and relocates the object; what is left is a handful of commands.
#![allow(unsafe_code, reason = "system calls and shared memory; each block says why it is sound")]

pub(crate) mod bpf;
pub(crate) mod ring;
pub(crate) mod spawn;
pub(crate) mod wire;
