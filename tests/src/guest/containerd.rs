//! A containerd in a guest, which no kubelet and no API server stands behind.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Far longer than it takes to start, beside other guests.
const PATIENCE: Duration = Duration::from_secs(120);

/// One that runs; it ends with this value.
#[derive(Debug)]
pub struct Containerd {
    folder: tempfile::TempDir,
    process: Child,
}

impl Containerd {
    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// If it cannot be started, or does not answer.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("containerd-").tempdir_in("/run").expect("a folder can be made");
        let path = |name: &str| folder.path().join(name);
        // The plugin for Kubernetes wants a network, and there is none.
        let config = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
        fs::write(path("config.toml"), config).expect("a file can be written");
        let log = fs::File::create(path("log")).expect("a log can be made");
        let mut command = Command::new("containerd");
        command.arg("--config").arg(path("config.toml")).arg("--root").arg(path("root"));
        command.arg("--state").arg(path("state")).arg("--address").arg(path("socket"));
        let process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it can be started");
        let mut containerd = Self { folder, process };
        let deadline = Instant::now() + PATIENCE;
        while !containerd.ctr(&["version"]).status.success() {
            let log = fs::read_to_string(containerd.path("log")).unwrap_or_default();
            let ended = containerd.process.try_wait().ok().flatten();
            assert!(ended.is_none(), "containerd ended with {ended:?}:\n{log}");
            assert!(Instant::now() < deadline, "containerd does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
        containerd
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What its own client says to these words.
    ///
    /// # Panics
    /// If that cannot be started.
    #[must_use]
    pub fn ctr(&self, words: &[&str]) -> Output {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.path("socket")).args(words).stdin(Stdio::null());
        command.output().expect("ctr can be started")
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
