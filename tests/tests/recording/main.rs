//! Recording on this kernel, held against what `strace -f` sees of the same run.
//!
//! Two recorders watch each run at once. One records the tree of strace itself, as a user would `spoc record strace …`: whatever
//! strace lists must be in it. The other records the program alone, chosen by its executable: it must have exactly what strace
//! lists. A third recording, without strace, shows that tracing was not what made it right.
//!
//! `RECORDING_ROUNDS` says how often each program runs; the bar of the project is 0 missed in 10.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

mod blind;
mod containers;
mod follow;
mod kept_apart;
mod programs;
mod subject;
mod sys;
mod trace;
mod tree;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: they count what this process has attached, and on two cores they would only wait for each other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why this machine cannot record, if it cannot.
fn lacks_recording() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root");
    }
    let has_types = std::path::Path::new("/sys/kernel/btf/vmlinux").exists();
    if has_types { None } else { Some("needs a kernel with BTF") }
}

/// Ends the test, saying why, where the machine lacks something; otherwise makes it run alone.
macro_rules! needs_recording {
    () => {
        if let Some(reason) = $crate::lacks_recording() {
            println!("skipped: {reason}");
            return;
        }
        let _alone = $crate::alone();
    };
}
pub(crate) use needs_recording;
