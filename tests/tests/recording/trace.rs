//! What strace wrote: the names of the calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spo_api::syscalls::Abi;

/// The names of all calls that strace lists.
pub(crate) fn calls(log: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(log).expect("what strace wrote");
    text.lines().filter_map(call).collect()
}

/// The call of a line, which is `PID name(arguments) = result`. A resumed one was listed when it began; signals and ends are no calls.
fn call(line: &str) -> Option<String> {
    let rest = line.split_once(' ')?.1.trim_start();
    let name = rest.split_once('(')?.0;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    Some(unknown(name).unwrap_or(name).to_owned())
}

/// A strace that is older than the kernel prints the numbers of the calls that it does not know.
fn unknown(name: &str) -> Option<&'static str> {
    let number = u32::from_str_radix(name.strip_prefix("syscall_0x")?, 16).ok()?;
    Abi::native().name(number)
}

#[test]
fn lines_of_strace_are_understood() {
    let name = |line| call(line).unwrap_or_default();
    assert_eq!(name("123 execve(\"/bin/true\"..., [\"true\"], 0x7ffc /* 9 vars */) = 0"), "execve");
    assert_eq!(name("123   wait4(-1,  <unfinished ...>"), "wait4");
    assert_eq!(name("123 <... wait4 resumed>NULL, 0, NULL) = 7"), "");
    assert_eq!(name("123 +++ exited with 0 +++"), "");
    assert_eq!(name("123 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---"), "");
    assert_eq!(name("123 syscall_0x1b3(0, 0) = -1 ENOSYS (Function not implemented)"), "clone3");
}
