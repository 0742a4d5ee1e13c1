//! The guest that a test runs in, and what it finds there.
//!
//! `cargo xtask test` boots a guest for each security module and runs the programs `guest_<module>…` in it, as root and one test after the
//! other, with the tools of Debian: apparmor_parser, semodule, crun, busybox. Under SELinux, which enforces, they run as `kernel_t`, which may do
//! everything; `semodule -d container` takes from that host's policy all that it knows about containers.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub use container::Container;
pub use containerd::Containerd;
pub use pair::Pair;

mod container;
mod containerd;
mod pair;

/// Where the first boot of a guest leaves its id for the second. Programs that end in `_after_reboot` run in that, on the same disk.
pub const BOOT: &str = "/var/lib/guest-boot-id";

/// The guest that this process runs in.
#[derive(Debug)]
pub struct Guest {
    programs: PathBuf,
}

impl Guest {
    /// The guest with this security module, `apparmor` or `selinux`. Elsewhere the test is skipped, and a line says so.
    #[must_use]
    pub fn entered(module: &str) -> Option<Self> {
        if std::env::var_os("SPO_TEST_GUEST").is_none_or(|guest| guest != module) {
            skip("runs in a guest: cargo xtask test --only guest");
            return None;
        }
        // Without it no test in a guest has a program to start; that it is set is the runner's business.
        let programs = std::env::var_os("SPO_TEST_PROGRAMS").map_or_else(|| "/job/programs".into(), PathBuf::from);
        Some(Self { programs })
    }

    /// A program of ours: `spo-node`, `spoc`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

/// What a program of the guest printed, which has to end well.
///
/// # Panics
/// If it cannot be started, or ends with a status other than 0.
pub fn said<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = A>) -> String {
    let mut command = Command::new(program);
    let output = command.args(args).stdin(Stdio::null()).output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", all(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All that a program printed: its output, then its errors.
#[must_use]
pub fn all(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).join("")
}

/// The text of a file of the guest, as the kernel's own files have it.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The security modules that are live, in their order.
#[must_use]
pub fn live() -> Vec<String> {
    text("/sys/kernel/security/lsm").trim().split(',').map(str::to_owned).collect()
}

#[expect(clippy::print_stdout, reason = "the runner reads skips from the output of a test")]
fn skip(reason: &str) {
    println!("skipped: {reason}");
}
