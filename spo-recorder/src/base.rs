//! System calls that a profile needs beside what the workload itself was seen doing.

/// What `spoc record` adds unless it is told otherwise: what starting a container under either runc or crun needs.
///
/// The list is that of the reference operator (release 1.0.0), which its users expect.
pub const BASE_SYSCALLS: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "capget",
    "capset",
    "chdir",
    "chmod",
    "chown",
    "clone",
    "close",
    "close_range",
    "dup2",
    "dup3",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "execve",
    "exit_group",
    "faccessat2",
    "fchdir",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fstat",
    "fstatfs",
    "futex",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "ioctl",
    "keyctl",
    "lseek",
    "mkdirat",
    "mknodat",
    "mmap",
    "mount",
    "mprotect",
    "munmap",
    "nanosleep",
    "newfstatat",
    "openat",
    "openat2",
    "pipe2",
    "pivot_root",
    "prctl",
    "pread64",
    "pselect6",
    "read",
    "readlink",
    "readlinkat",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "seccomp",
    "set_robust_list",
    "set_tid_address",
    "setgid",
    "setgroups",
    "sethostname",
    "setns",
    "setresgid",
    "setresuid",
    "setsid",
    "setuid",
    "sigaltstack",
    "statfs",
    "statx",
    "symlinkat",
    "tgkill",
    "umask",
    "umount2",
    "unlinkat",
    "unshare",
    "utimensat",
    "write",
];

/// What a container runtime itself does between installing the filter and the workload's first instruction.
///
/// A recording of a container begins at the workload's exec, so these never show in one, but a profile without them stops the
/// start. It is a constant union over runc 1.1 and crun 1.8–1.21, with and without `noNewPrivileges`, over hundreds of
/// starts: single starts differ (runc is a Go program, and its scheduler calls `futex` in about half of them), so what one
/// start was seen doing is never enough. The last line is what Go's scheduler may use besides.
pub const RUNTIME_START: &[&str] = &[
    "capget",
    "capset",
    "chdir",
    "close",
    "close_range",
    "epoll_ctl",
    "execve",
    "faccessat2",
    "fchown",
    "fcntl",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getpid",
    "getppid",
    "newfstatat",
    "openat",
    "prctl",
    "prlimit64",
    "read",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "setgid",
    "setgroups",
    "setresgid",
    "setresuid",
    "setuid",
    "write",
    "clone",
    "epoll_pwait",
    "gettid",
    "madvise",
    "mmap",
    "munmap",
    "nanosleep",
    "sigaltstack",
    "tgkill",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use spo_api::syscalls::Abi;

    use super::*;

    #[test]
    fn the_lists_hold_each_name_once_and_only_names_of_calls() {
        for list in [BASE_SYSCALLS, RUNTIME_START] {
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len());
            let unknown: Vec<_> = list.iter().filter(|name| Abi::X86_64.number(name).is_none()).collect();
            assert_eq!(unknown, Vec::<&&str>::new());
        }
    }
}
