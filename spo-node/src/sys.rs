//! The allocator. The only unsafe code of this program: a symbol that jemalloc reads.
#![allow(
    unsafe_code,
    reason = "jemalloc takes its settings from a symbol of a fixed name, and exporting one is unsafe"
)]

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// One arena, for one thread does nearly all the work; freed pages go back to the kernel after a second, for a daemon is idle most of
/// its life.
// SAFETY: the name belongs to jemalloc, which reads it as a pointer to a string that ends in NUL, and that this is.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub(crate) static MALLOC_CONF: &[u8; 63] = b"narenas:1,tcache_max:4096,dirty_decay_ms:1000,muzzy_decay_ms:0\0";
