//! All that is unsafe: `bpf(2)`, the memory of the ring buffer, plain old data, and the moment between fork and exec.
//!
//! aya's user side is left out on purpose: to attach anything by the kernel's types it reads all of them, for which it needs more
//! memory than a whole recording may; it makes every map of an object, needed or not; and it has no type for task storage, which
//! is marked by pidfd. `aya-obj` still reads and relocates the object. What is left is a handful of commands, each a function here.
#![allow(unsafe_code, reason = "system calls and shared memory; each block says why it is sound")]

pub(crate) mod barrier;
pub(crate) mod bpf;
pub(crate) mod map;
pub(crate) mod ring;
pub(crate) mod spawn;
pub(crate) mod wire;
