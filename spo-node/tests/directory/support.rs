//! A node below a temporary folder, and the daemon on it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node: a folder of manifests, a root for the host's files, and a folder of statuses.
pub(crate) struct Node {
    folder: tempfile::TempDir,
}

/// A daemon that runs; killed when the test ends.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Node {
    pub(crate) fn new() -> Self {
        let node = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(node.profiles()).unwrap();
        node
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of manifests.
    pub(crate) fn profiles(&self) -> PathBuf {
        self.path("profiles")
    }

    /// The folder that profiles are installed into.
    pub(crate) fn installed(&self) -> PathBuf {
        self.path("root/var/lib/kubelet/seccomp/operator")
    }

    /// The file of an installed profile.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.installed().join(format!("{name}.json"))
    }

    /// Writes a manifest.
    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.profiles().join(file), content).unwrap();
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.profiles().join(file)).unwrap();
    }

    /// What the profile's file says, if it is there and whole.
    pub(crate) fn content(&self, name: &str) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.file(name)).ok()?).ok()
    }

    /// The names of the files that are installed, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        files(&self.installed())
    }

    /// The status of a SeccompProfile.
    pub(crate) fn status(&self, name: &str) -> Option<Value> {
        self.status_of("seccompprofile", name)
    }

    fn status_of(&self, kind: &str, name: &str) -> Option<Value> {
        let text = fs::read_to_string(self.path("status").join(format!("{kind}-{name}.yaml"))).ok()?;
        Some(serde_saphyr::from_str(&text).unwrap())
    }

    /// State and message of a SeccompProfile; empty if there is no status.
    pub(crate) fn says(&self, name: &str) -> String {
        self.says_of("seccompprofile", name)
    }

    /// The same of a profile of another kind.
    pub(crate) fn says_of(&self, kind: &str, name: &str) -> String {
        self.status_of(kind, name).map_or_else(String::new, |status| {
            let ready = &status["status"]["conditions"][0];
            format!("{}: {}", status["status"]["status"].as_str().unwrap(), ready["message"].as_str().unwrap())
        })
    }

    pub(crate) fn generation(&self, name: &str) -> i64 {
        self.status(name)
            .and_then(|status| status["status"]["conditions"][0]["observedGeneration"].as_i64())
            .unwrap_or_default()
    }

    /// `spo-node daemon` on this node.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spo-node"));
        command.args(self.arguments()).args(more);
        command.env_remove("RUST_LOG").env_remove("KUBELET_DIR").env_remove("SPO_VERBOSITY");
        command
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        ["daemon", "--node-name", "node1", "--health-port", "0", "--source"]
            .into_iter()
            .map(str::to_owned)
            .chain([format!("directory:{}", path("profiles"))])
            .chain(["--root".to_owned(), path("root"), "--status-dir".to_owned(), path("status")])
            .collect()
    }

    /// One pass.
    pub(crate) fn once(&self) -> Output {
        self.command(&["--once"]).output().unwrap()
    }

    /// One pass that goes well.
    pub(crate) fn once_well(&self) {
        let output = self.once();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    pub(crate) fn start(&self) -> Daemon {
        self.start_with(self.command(&[]))
    }

    pub(crate) fn start_with(&self, command: Command) -> Daemon {
        self.start_logging(command, "log")
    }

    /// Starts a process that says what it does in this file.
    pub(crate) fn start_logging(&self, mut command: Command, log: &str) -> Daemon {
        let log = self.path(log);
        let file = fs::File::create(&log).unwrap();
        Daemon { child: command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap(), log }
    }
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until `condition` holds.
    pub(crate) fn until(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "waiting until {what}; ended: {ended:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "does not end\n{}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A manifest of a profile with this spec, in YAML's flow style.
pub(crate) fn profile(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

/// A profile that permits one call.
pub(crate) fn permits(name: &str, call: &str) -> String {
    profile(
        name,
        &format!("{{defaultAction: SCMP_ACT_ERRNO, syscalls: [{{names: [{call}], action: SCMP_ACT_ALLOW}}]}}"),
    )
}

/// What a file holds for [`permits`].
pub(crate) fn permitting(call: &str) -> Option<Value> {
    Some(
        serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": [call], "action": "SCMP_ACT_ALLOW"}]}),
    )
}

/// What is in a folder of profiles, but for the file by which the daemon keeps others away.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| name != ".lock").collect()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    // A folder that is not there holds nothing; a file may go while others are listed.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether this process is root; says that the test is skipped if not.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

/// What a server answers to a GET: the status line, and the body.
pub(crate) fn get(port: u16, path: &str) -> std::io::Result<String> {
    use std::io::Write;
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", port))?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
