//! The kernel's own structures, read at offsets that the loader took from the running kernel's BTF.
//!
//! rustc emits no CO-RE relocations. Instead the loader fills these words of `.rodata` and freezes them, so that the verifier
//! sees constants and allows direct loads through the pointers that it tracks.

use core::ptr::read_volatile;

use aya_ebpf::bindings::task_struct;
use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_probe_read_kernel_str};

/// A structure of the kernel, whose layout only the kernel knows.
pub type Opaque = *const u8;

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".rodata")]
        pub static $name: u32 = 0;
    )* };
}

settings! {
    /// One of `SELECT_…`.
    SELECT,
    /// Mount namespace of the host.
    HOST_MNTNS,
    /// The machine's own numbers of execve and execveat.
    NR_EXECVE, NR_EXECVEAT,
    /// Where a task says that its current call is one of the 32-bit ABI, and by which bits; no bits if there is no such ABI.
    COMPAT_OFFSET, COMPAT_BITS,
    /// Where a task says that its calls go through seccomp, and by which bits; no bits if this kernel does not say so.
    FILTER_OFFSET, FILTER_BITS,
    /// Not 0 where this kernel refuses to look up a mark while its processor is in the middle of another look-up.
    REFUSES_LOOKUPS,
    TASK_PID, TASK_TGID, TASK_CGROUPS, TASK_NSPROXY,
    NSPROXY_MNT, MNTNS_INUM,
    BPRM_FILE, BPRM_FILENAME,
    /// 0 where the kernel has no such member.
    BPRM_FDPATH,
    FILE_DENTRY, DENTRY_NAME,
    CSS_SET_DFL, CGROUP_KN, CGROUP_ROOT, CGROUP_PARENT, ROOT_HIERARCHY, KN_ID, KN_NAME,
}

/// The value of a setting; volatile, as the compiler sees only the zero.
macro_rules! setting {
    ($name:ident) => {
        // SAFETY: a static that nothing writes while a program runs.
        unsafe { ::core::ptr::read_volatile(&raw const $crate::kernel::$name) }
    };
}
pub(crate) use setting;

/// A member of a structure, loaded directly: `p` must be a pointer that the verifier tracks.
#[inline(always)]
pub fn member<T>(p: Opaque, offset: u32) -> T {
    // SAFETY: the verifier checks offset and size against the kernel's own description of the structure.
    unsafe { read_volatile(p.add(offset as usize).cast::<T>()) }
}

/// A member of a structure behind a pointer that the verifier does not track.
#[inline(always)]
pub fn probe<T: Copy>(p: Opaque, offset: u32, otherwise: T) -> T {
    let mut value = otherwise;
    let from = p.wrapping_add(offset as usize);
    // SAFETY: the helper checks the address; it writes the size of T into `value`, or zeros.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), size_of::<T>() as u32, from.cast()) };
    value
}

/// Copies the string at `from`, cut to fit; how long it is with its final zero, or negative.
#[inline(always)]
pub fn text(into: &mut [u8], from: Opaque) -> i64 {
    // SAFETY: the helper checks the address and writes at most the given size.
    unsafe { bpf_probe_read_kernel_str(into.as_mut_ptr().cast(), into.len() as u32, from.cast()) }
}

/// The task that runs this program.
#[inline(always)]
pub fn current() -> *mut task_struct {
    // SAFETY: always there.
    unsafe { bpf_get_current_task_btf() }
}

/// Number of the mount namespace of a task, or 0 once it has none any more.
#[inline(always)]
pub fn mount_namespace(task: *mut task_struct) -> u32 {
    let proxy: Opaque = member(task as Opaque, setting!(TASK_NSPROXY));
    if proxy.is_null() {
        return 0;
    }
    let namespace: Opaque = member(proxy, setting!(NSPROXY_MNT));
    member(namespace, setting!(MNTNS_INUM))
}
