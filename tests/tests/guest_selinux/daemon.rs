//! The daemon without privilege and the installer with it, as their containers run them: two processes and a socket between them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spo_tests::guest::Guest;

use crate::node::{is_type, run};

/// The user of the daemon's container.
const DAEMON: u32 = 65535;
/// Far longer than anything takes, beside other guests.
const PATIENCE: Duration = Duration::from_secs(240);

const LOGGER: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SelinuxProfile
metadata: {name: by-daemon}
spec: {allow: {var_log_t: {dir: [search, getattr, add_name, write], file: [open, create, append, getattr]}}}
";

/// A host with both processes; they end with this value.
struct Pair {
    folder: tempfile::TempDir,
    running: Vec<Child>,
}

impl Pair {
    fn start(guest: &Guest) -> Self {
        // Not in a folder of root's alone.
        let folder = tempfile::Builder::new().prefix("pair-").tempdir_in("/var/lib").expect("a folder can be made");
        let mut pair = Self { folder, running: Vec::new() };
        for name in ["", "profiles", "root", "status"] {
            let path = pair.path(name);
            fs::create_dir_all(&path).expect("a folder can be made");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be opened");
            chown(&path, Some(DAEMON), Some(DAEMON)).expect("it can be given away");
        }
        pair.installer(guest);
        pair.daemon(guest);
        pair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// In a mount namespace of its own, as a container has, which it is to leave.
    fn installer(&mut self, guest: &Guest) {
        let mut command = Command::new("unshare");
        command.arg("--mount").arg(guest.program("spo-node")).arg("installer").arg("--socket").arg(self.path("socket"));
        self.begin(command, "installer.log");
    }

    fn daemon(&mut self, guest: &Guest) {
        let mut command = Command::new(guest.program("spo-node"));
        command.args(["daemon", "--with-selinux", "--health-port", "0", "--node-name", "guest", "--source"]);
        command.arg(format!("directory:{}", self.path("profiles").display()));
        command.arg("--root").arg(self.path("root")).arg("--status-dir").arg(self.path("status"));
        command.arg("--installer-socket").arg(self.path("socket")).uid(DAEMON).gid(DAEMON);
        self.begin(command, "daemon.log");
    }

    fn begin(&mut self, mut command: Command, log: &str) {
        let log = fs::File::create(self.path(log)).expect("a log can be made");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.running.push(command.spawn().expect("it can be started"));
    }

    fn says(&self, name: &str) -> String {
        fs::read_to_string(self.path("status").join(format!("selinuxprofile-{name}.yaml"))).unwrap_or_default()
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            let logs =
                ["installer.log", "daemon.log"].map(|log| fs::read_to_string(self.path(log)).unwrap_or_default());
            assert!(Instant::now() < deadline, "waited in vain until {what}:\n{}", logs.join("\n"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in &mut self.running {
            // It may have ended already.
            _ = child.kill();
            _ = child.wait();
        }
    }
}

#[test]
fn x1_a_daemon_without_privilege_has_a_profile_installed_and_removed() {
    let Some(guest) = Guest::entered("selinux") else { return };
    let pair = Pair::start(&guest);
    let manifest = pair.path("profiles/logger.yaml");
    write(&manifest, LOGGER);
    pair.until("it is installed", || pair.says("by-daemon").contains("installed as by-daemon.process"));
    assert!(is_type("by-daemon"));
    let printed = run("by-daemon", "echo hello >>/var/log/by-daemon.log && echo written; cat /var/log/by-daemon.log");
    assert!(printed.contains("written") && printed.contains("ermission denied"), "{printed}");
    fs::remove_file(&manifest).expect("it can be removed");
    pair.until("it is removed", || !is_type("by-daemon"));
}

#[test]
fn a_module_that_somebody_removes_is_installed_again() {
    let Some(guest) = Guest::entered("selinux") else { return };
    let pair = Pair::start(&guest);
    write(&pair.path("profiles/logger.yaml"), &LOGGER.replace("by-daemon", "restored"));
    pair.until("it is installed", || pair.says("restored").contains("installed as restored.process"));
    spo_tests::guest::said("semodule", ["-X", "370", "-r", "restored"]);
    pair.until("it is there again", || is_type("restored"));
}

/// Whole, or not at all.
fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("a file can be written");
    fs::rename(new, path).expect("a file can be renamed");
}
