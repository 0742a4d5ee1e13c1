//! The daemon without privilege and the installer with it, as their containers run them: two processes and a socket between them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Guest;

/// The user of the daemon's container.
const DAEMON: u32 = 65535;
/// Where the daemon shows its metrics; no other is in the guest.
const METRICS_PORT: u16 = 9443;
/// Far longer than anything takes, beside other guests.
const PATIENCE: Duration = Duration::from_secs(240);

/// A host with both processes; they end with this value.
#[derive(Debug)]
pub struct Pair {
    folder: tempfile::TempDir,
    running: Vec<Child>,
}

impl Pair {
    /// Starts both; `module` is the daemon's flag for what it is to install.
    ///
    /// # Panics
    /// If they cannot be started.
    #[must_use]
    pub fn start(guest: &Guest, module: &str) -> Self {
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
        pair.daemon(guest, module);
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

    fn daemon(&mut self, guest: &Guest, module: &str) {
        let mut command = Command::new(guest.program("spo-node"));
        command.args(["daemon", module, "--health-port", "0", "--node-name", "guest", "--source"]);
        command.arg(format!("directory:{}", self.path("profiles").display()));
        command.arg("--root").arg(self.path("root")).arg("--status-dir").arg(self.path("status"));
        command.args(["--with-insecure-metrics-access", "--metrics-port"]).arg(METRICS_PORT.to_string());
        command.arg("--installer-socket").arg(self.path("socket")).uid(DAEMON).gid(DAEMON);
        self.begin(command, "daemon.log");
    }

    fn begin(&mut self, mut command: Command, log: &str) {
        let log = fs::File::create(self.path(log)).expect("a log can be made");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.running.push(command.spawn().expect("it can be started"));
    }

    /// The file of an installed SeccompProfile.
    #[must_use]
    pub fn seccomp_file(&self, name: &str) -> PathBuf {
        self.path("root/var/lib/kubelet/seccomp/operator").join(format!("{name}.json"))
    }

    /// The status of a profile, by its kind in lower case and its name.
    #[must_use]
    pub fn says(&self, kind: &str, name: &str) -> String {
        fs::read_to_string(self.path("status").join(format!("{kind}-{name}.yaml"))).unwrap_or_default()
    }

    /// How often the daemon has counted an operation on profiles of a module; nothing before it shows its metrics.
    #[must_use]
    pub fn counted(&self, module: &str, operation: &str) -> Option<u64> {
        let request = "GET /metrics-spod HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut connection = TcpStream::connect(("127.0.0.1", METRICS_PORT)).ok()?;
        connection.set_read_timeout(Some(PATIENCE)).ok()?;
        connection.write_all(request.as_bytes()).ok()?;
        let mut page = String::new();
        connection.read_to_string(&mut page).ok()?;
        let series = format!("security_profiles_operator_{module}_profile_total{{operation=\"{operation}\"}} ");
        page.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
    }

    /// Puts a manifest into the daemon's folder, whole or not at all.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path("profiles").join(file);
        let new = path.with_extension("new");
        fs::write(&new, text).expect("a file can be written");
        fs::rename(new, path).expect("a file can be renamed");
    }

    /// Takes it away.
    ///
    /// # Panics
    /// If it is not there.
    pub fn take_away(&self, file: &str) {
        fs::remove_file(self.path("profiles").join(file)).expect("it can be removed");
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// If it takes too long, with what both have logged.
    pub fn until(&self, what: &str, is_so: impl Fn() -> bool) {
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
