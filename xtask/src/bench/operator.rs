//! The daemon and the manager on an API server of their own, as benches need them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure::release;
use super::process::{Process, free_port};
use crate::cluster::api::Throwaway;

const NAMESPACE: &str = "security-profiles-operator";

/// An API server, and the client that loads it.
pub(super) struct Stage {
    server: Throwaway,
    load: PathBuf,
    daemon: PathBuf,
    operator: PathBuf,
    /// The root of the daemon's host, and logs.
    dir: tempfile::TempDir,
}

/// A daemon and a manager that are ready. They end with this value.
pub(super) struct Running {
    pub(super) daemon: Process,
    pub(super) manager: Process,
}

impl Stage {
    pub(super) fn new() -> Result<Self> {
        let stage = Self {
            load: release("spo-tests", "load")?,
            daemon: release("spo-node", "spo-node")?,
            operator: release("spo-operator", "spo-operator")?,
            server: Throwaway::start()?,
            dir: tempfile::tempdir().context("cannot make a temporary folder")?,
        };
        stage.load(&["prepare"])?;
        Ok(stage)
    }

    /// Has `load` do something, and gives back what it says.
    pub(super) fn load(&self, words: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.load);
        command.arg(self.server.kubeconfig()).args(words).stderr(Stdio::inherit());
        let output = command.output().with_context(|| format!("cannot start {}", self.load.display()))?;
        if !output.status.success() {
            bail!("load {} ended with {}", words.join(" "), output.status);
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("load {} gave no JSON", words.join(" ")))
    }

    /// The same where it says seconds.
    pub(super) fn seconds(&self, words: &[&str]) -> Result<f64> {
        self.load(words)?.as_f64().with_context(|| format!("load {} gave no seconds", words.join(" ")))
    }

    /// Starts the daemon and the manager, and waits until both are ready.
    pub(super) fn run(&self) -> Result<Running> {
        let daemon = Command::new(&self.daemon);
        let root = self.dir.path().join("root");
        std::fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let daemon = self.start(daemon, "daemon", |command| {
            command.args(["daemon", "--node-name", "node1", "--root"]).arg(&root);
        })?;
        let manager = Command::new(&self.operator);
        let webhooks = free_port()?.to_string();
        let manager = self.start(manager, "manager", |command| {
            command.args(["manager", "--operator-namespace", NAMESPACE, "--port", &webhooks]);
        })?;
        Ok(Running { daemon, manager })
    }

    /// Starts the webhook server, and waits until it is ready.
    pub(super) fn webhook(&self) -> Result<Process> {
        let port = free_port()?.to_string();
        self.start(Command::new(&self.operator), "webhook", |command| {
            command.args(["webhook", "--operator-namespace", NAMESPACE, "--port", &port]);
        })
    }

    fn start(&self, mut command: Command, name: &str, arguments: impl FnOnce(&mut Command)) -> Result<Process> {
        arguments(&mut command);
        command.arg("--kubeconfig").arg(self.server.kubeconfig());
        Process::start(command, name, &self.dir.path().join(name))
    }
}
