//! The part of the recorder that runs in the kernel.
//!
//! A *slot* is what one process tree, one executable or one container has done, as a set of bits. A *mark* in a task's own
//! storage says which slot it belongs to. Six programs keep that true:
//!
//! | program | does |
//! |---|---|
//! | `sys_enter` | mark → slot → bit; the only one on a hot path, and nothing else is done there |
//! | `sched_process_exec` | marks the task by which a recording begins |
//! | `sched_process_fork` | hands the mark to children and threads before their first instruction |
//! | `sched_process_exit` | counts the marked tasks that are left, so that the end of a tree is known |
//! | `cgroup_mkdir` | knows expected pods by name, and gives each of their containers a slot |
//! | `cgroup_rmdir` | tells that a container is gone |
//!
//! What to record is decided outside: here is only selection and counting. Whatever could not be kept is counted.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "this target has no AtomicU64, but the intrinsics below it")]

mod cgroup;
mod executable;
mod kernel;
mod maps;
mod task;
#[path = "../../src/bpf/wire.rs"]
#[expect(dead_code, reason = "the other side uses the rest")]
mod wire;

use aya_ebpf::macros::{btf_tracepoint, raw_tracepoint};
use aya_ebpf::programs::{BtfTracePointContext, RawTracePointContext};

#[raw_tracepoint(tracepoint = "sys_enter")]
pub fn sys_enter(ctx: RawTracePointContext) -> i32 {
    task::called(ctx.arg(1));
    0
}

/// Does nothing: what attaching anything at all to a system call costs, and so the yardstick for `sys_enter`.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub fn sys_enter_empty(_: RawTracePointContext) -> i32 {
    0
}

#[btf_tracepoint(function = "sched_process_exec")]
pub fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    task::executed(ctx.arg(0), ctx.arg(2));
    0
}

#[btf_tracepoint(function = "sched_process_fork")]
pub fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    task::forked(ctx.arg(0), ctx.arg(1));
    0
}

#[btf_tracepoint(function = "sched_process_exit")]
pub fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    task::exited(ctx.arg(0));
    0
}

#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    cgroup::made(ctx.arg(0));
    0
}

#[btf_tracepoint(function = "cgroup_rmdir")]
pub fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    cgroup::removed(ctx.arg(0));
    0
}

/// Never reached: the verifier would refuse a program that could panic its way into a loop.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
