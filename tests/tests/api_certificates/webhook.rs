//! Webhook servers, run beside a test.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use spo_tests::wait;

use crate::server::{NAMESPACE, Server};

/// A server that ends with this value.
pub(crate) struct Webhook {
    child: Child,
    pub(crate) port: u16,
    log: PathBuf,
}

impl Webhook {
    /// Starts one with the rights of its service account.
    pub(crate) fn start(server: &Server) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = server.dir().join(format!("webhook-{port}.log"));
        let mut command = program();
        command.args(["webhook", "--health-port", "0", "--operator-namespace", NAMESPACE, "--port", &port.to_string()]);
        command.arg("--kubeconfig").arg(server.kubeconfig());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Self { child: command.spawn().unwrap(), port, log }
    }

    /// Starts one, waits until it serves, and has the Service lead to it.
    pub(crate) async fn reached(server: &Server) -> Self {
        let webhook = Self::start(server);
        let authority = server.all_trust().await;
        webhook.serves(&authority).await;
        server.lead_to(webhook.port).await;
        webhook
    }

    /// Waits until it serves with a certificate of this authority.
    pub(crate) async fn serves(&self, authority: &CertificateDer<'static>) {
        wait::until_seen("a certificate of the authority", || self.accepts(authority).then_some(())).await;
    }

    /// Whether a client that trusts this authority alone accepts what is served.
    pub(crate) fn accepts(&self, authority: &CertificateDer<'static>) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(format!("webhook-service.{NAMESPACE}.svc")).unwrap();
        let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        while client.is_handshaking() {
            if client.complete_io(&mut socket).is_err() {
                return false;
            }
        }
        true
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal();
        self.child.wait().unwrap()
    }

    fn signal(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal();
            _ = self.child.wait();
        }
        if std::thread::panicking() {
            println!("{}:\n{}", self.log.display(), self.log());
        }
    }
}

/// The program that was built with this test.
fn program() -> Command {
    let mut dir = std::env::current_exe().unwrap();
    dir.pop();
    dir.pop();
    let path = dir.join("spo-operator");
    assert!(path.exists(), "{} is missing: cargo build -p spo-operator", path.display());
    let mut command = Command::new(path);
    for variable in ["KUBECONFIG", "POD_NAME", "OPERATOR_NAMESPACE"] {
        command.env_remove(variable);
    }
    command
}
