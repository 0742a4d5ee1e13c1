//! Our programs, run beside a test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::server::{NAMESPACE, NODE, Server};

/// A program that ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// Starts `spo-node daemon` as the service account that its pods have.
pub fn daemon(server: &Server) -> Process {
    daemon_through(server, None)
}

/// The same, reaching the API server through another port.
pub fn daemon_through(server: &Server, port: Option<u16>) -> Process {
    let root = server.dir().join("root");
    std::fs::create_dir_all(&root).unwrap();
    let mut command = program("spo-node");
    command.args(["daemon", "--node-name", NODE, "--health-port", "0", "--root"]).arg(root);
    start(command, &server.kubeconfig("spod", port), server.dir().join("daemon.log"))
}

/// The same with a taint that it is to take away.
pub fn daemon_with_taint(server: &Server, key: &str) -> Process {
    let root = server.dir().join("root");
    std::fs::create_dir_all(&root).unwrap();
    let mut command = program("spo-node");
    command.args(["daemon", "--node-name", NODE, "--health-port", "0", "--startup-taint", key, "--root"]).arg(root);
    start(command, &server.kubeconfig("spod", None), server.dir().join("daemon.log"))
}

/// Starts `spo-operator manager` as the service account that its pods have.
pub fn manager(server: &Server) -> Process {
    let mut command = program("spo-operator");
    command.args(["manager", "--operator-namespace", NAMESPACE, "--health-port", "0", "--port", "0"]);
    start(command, &server.kubeconfig(NAMESPACE, None), server.dir().join("manager.log"))
}

/// Starts `spo-operator webhook` as the service account that its pods have, listening on this port of 127.0.0.1.
pub fn webhook(server: &Server, port: u16) -> Process {
    let mut command = program("spo-operator");
    command.args(["webhook", "--operator-namespace", NAMESPACE, "--health-port", "0", "--cert-name", "127.0.0.1"]);
    command.arg("--port").arg(port.to_string());
    start(command, &server.kubeconfig("spo-webhook", None), server.dir().join(format!("webhook-{port}.log")))
}

/// Has `spo-node render` write what would be installed for a folder of manifests.
pub fn render(manifests: &Path, out: &Path) {
    let mut command = program("spo-node");
    let output = command.arg("render").arg(manifests).arg(out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A port that is free at the moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The same with a certificate from a folder, and with probes.
pub fn webhook_with(server: &Server, port: u16, certificate: &Path, health_port: u16) -> Process {
    let mut command = program("spo-operator");
    let (port, health_port) = (port.to_string(), health_port.to_string());
    command.args(["webhook", "--operator-namespace", NAMESPACE, "--health-port", &health_port, "--port", &port]);
    command.arg("--cert-dir").arg(certificate);
    start(command, &server.kubeconfig("spo-webhook", None), server.dir().join(format!("webhook-{port}.log")))
}

/// The manager and a daemon.
pub fn both(server: &Server) -> (Process, Process) {
    (daemon(server), manager(server))
}

fn start(mut command: Command, kubeconfig: &Path, log: PathBuf) -> Process {
    let to = File::create(&log).unwrap();
    command.arg("--kubeconfig").arg(kubeconfig).stdin(Stdio::null()).stdout(Stdio::null()).stderr(to);
    Process { child: command.spawn().unwrap(), log }
}

/// The program that was built with this test.
fn program(name: &str) -> Command {
    let mut dir = std::env::current_exe().unwrap();
    dir.pop();
    dir.pop();
    let path = dir.join(name);
    assert!(path.exists(), "{} is missing: cargo build -p spo-node -p spo-operator", path.display());
    let mut command = Command::new(path);
    for variable in ["KUBECONFIG", "NODE_NAME", "POD_NAME", "KUBELET_DIR", "OPERATOR_NAMESPACE"] {
        command.env_remove(variable);
    }
    command
}

impl Process {
    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What the manager calls itself in the lease ends so.
    pub fn id(&self) -> String {
        format!("-{}", self.child.id())
    }

    /// Sends SIGTERM and waits for the end; gives back how it ended, and how long that took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        self.signal(Signal::TERM);
        (self.child.wait().unwrap(), begin.elapsed())
    }

    /// Ends it without a chance to do anything.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal(Signal::TERM);
            _ = self.child.wait();
        }
        if std::thread::panicking() {
            println!("{}:\n{}", self.log.display(), self.log());
        }
    }
}
