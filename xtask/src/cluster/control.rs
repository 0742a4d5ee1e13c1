//! The control plane: etcd, the API server, the controllers and the scheduler, as command lines.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::build::{Tool, Tools};
use super::dir::Dir;
use super::namespace::{NODE_ADDRESS, Namespace};
use super::process::{Service, until};

/// The ports on which the control plane listens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Ports {
    pub(super) api: u16,
    etcd: u16,
    etcd_peer: u16,
}

impl Ports {
    /// In a network of its own there is nobody to collide with.
    pub(super) const USUAL: Self = Self { api: 6443, etcd: 2379, etcd_peer: 2380 };

    /// Three that are free at the moment.
    pub(super) fn free() -> Result<Self> {
        let listen = || TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1");
        // All are held until all are known, so that they differ.
        let held = [listen()?, listen()?, listen()?];
        let port = |place: usize| held[place].local_addr().map(|address| address.port());
        let ports = || anyhow::Ok(Self { api: port(0)?, etcd: port(1)?, etcd_peer: port(2)? });
        ports().context("a listener has no address")
    }

    /// Where etcd answers.
    pub(crate) fn etcd_url(self) -> String {
        format!("http://127.0.0.1:{}", self.etcd)
    }
}

/// What the components of one cluster have in common.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) dir: Dir,
    pub(super) tools: Tools,
    pub(super) ports: Ports,
    /// Without one: an API server on the machine's loopback, with no controllers and no node.
    pub(super) namespace: Option<Namespace>,
}

/// How long the API server may take on a busy machine.
const API_PATIENCE: Duration = Duration::from_secs(120);

impl Plan {
    pub(super) fn service(&self, tool: Tool) -> Service {
        Service::new(&self.dir, tool.name())
    }

    /// A program, to be run where the cluster is.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match &self.namespace {
            Some(namespace) => namespace.inside(program),
            None => Command::new(program),
        }
    }

    pub(super) fn tool(&self, tool: Tool) -> Command {
        self.command(self.tools.path(tool))
    }

    /// The client of the administrator.
    pub(super) fn kubectl(&self) -> Command {
        let program = self.tools.path(Tool::Kubectl);
        let mut command = match &self.namespace {
            Some(namespace) => namespace.on_network(program),
            None => Command::new(program),
        };
        command.arg("--kubeconfig").arg(self.dir.kubeconfig());
        command
    }

    fn pki(&self, file: &str) -> String {
        self.dir.join("pki").join(file).display().to_string()
    }

    pub(super) fn etcd(&self) -> Command {
        let mut etcd = self.tool(Tool::Etcd);
        let [client, peer] = [self.ports.etcd, self.ports.etcd_peer].map(|port| format!("http://127.0.0.1:{port}"));
        etcd.arg("--data-dir").arg(self.dir.join("etcd"));
        // Nothing in here outlives the cluster, and waiting for disks is most of what etcd does.
        etcd.args(["--unsafe-no-fsync", "--log-level", "warn", "--name", "default"]);
        etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        etcd.arg("--initial-cluster").arg(format!("default={peer}"));
        etcd
    }

    pub(super) fn api_server(&self) -> Command {
        let mut server = self.tool(Tool::ApiServer);
        let pki = |file| self.pki(file);
        let mut flag = |name: &str, value: &str| {
            server.arg(format!("--{name}={value}"));
        };
        flag("etcd-servers", &self.ports.etcd_url());
        flag("secure-port", &self.ports.api.to_string());
        flag("tls-cert-file", &pki("apiserver.crt"));
        flag("tls-private-key-file", &pki("apiserver.key"));
        flag("client-ca-file", &pki("ca.crt"));
        flag("authorization-mode", "Node,RBAC");
        flag("allow-privileged", "true");
        flag("service-account-issuer", "https://kubernetes.default.svc");
        flag("service-account-key-file", &pki("tokens.pub"));
        flag("service-account-signing-key-file", &pki("tokens.key"));
        flag("service-cluster-ip-range", "10.96.0.0/16");
        // Logs and exec reach the kubelet by address: there is no DNS here.
        flag("kubelet-preferred-address-types", "InternalIP");
        flag("kubelet-client-certificate", &pki("admin.crt"));
        flag("kubelet-client-key", &pki("admin.key"));
        // Aggregated APIs, and webhooks of Services, which are then called at their endpoints even without kube-proxy.
        flag("enable-aggregator-routing", "true");
        flag("proxy-client-cert-file", &pki("admin.crt"));
        flag("proxy-client-key-file", &pki("admin.key"));
        flag("requestheader-client-ca-file", &pki("ca.crt"));
        flag("requestheader-allowed-names", "admin");
        flag("requestheader-username-headers", "X-Remote-User");
        flag("requestheader-group-headers", "X-Remote-Group");
        flag("requestheader-extra-headers-prefix", "X-Remote-Extra-");
        flag("enable-admission-plugins", "NodeRestriction");
        flag("v", "1");
        if self.namespace.is_some() {
            flag("bind-address", "0.0.0.0");
            flag("advertise-address", NODE_ADDRESS);
        } else {
            flag("bind-address", "127.0.0.1");
            flag("advertise-address", "127.0.0.1");
            // Loopback is refused as an endpoint of the Service `kubernetes`, so none is published.
            flag("endpoint-reconciler-type", "none");
            // Nobody makes the service account that pods would be refused without.
            flag("disable-admission-plugins", "ServiceAccount");
        }
        server
    }

    pub(super) fn controller_manager(&self) -> Command {
        let mut manager = self.controller(Tool::ControllerManager);
        manager.arg("--service-account-private-key-file").arg(self.pki("tokens.key"));
        manager.arg("--root-ca-file").arg(self.pki("ca.crt"));
        manager.args(["--use-service-account-credentials", "--allocate-node-cidrs=false"]);
        manager
    }

    pub(super) fn scheduler(&self) -> Command {
        self.controller(Tool::Scheduler)
    }

    fn controller(&self, tool: Tool) -> Command {
        let mut command = self.tool(tool);
        let config = self.config_of(tool);
        for flag in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"] {
            command.arg(flag).arg(&config);
        }
        command.args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
        command
    }

    /// The kubeconfig of a component.
    pub(super) fn config_of(&self, tool: Tool) -> std::path::PathBuf {
        self.dir.join(format!("{tool}.kubeconfig"))
    }

    /// Waits until the API server answers and has done what it does at its start.
    pub(super) fn until_served(&self) -> Result<()> {
        let services = [Tool::Etcd, Tool::ApiServer].map(|tool| self.service(tool));
        until("the API server", API_PATIENCE, &services, || Ok(self.is_served()))
    }

    pub(super) fn is_served(&self) -> bool {
        self.get("/readyz").is_some_and(|answer| answer == "ok")
    }

    /// Has the API server delete what is at `path`, if it is there.
    pub(super) fn delete(&self, path: &str) {
        let _is_there = self.kubectl().args(["delete", "--raw", path]).output();
    }

    /// What the API server answers at `path`; nothing if it does not, or refuses.
    pub(super) fn get(&self, path: &str) -> Option<String> {
        let output = self.kubectl().args(["get", "--raw", path, "--request-timeout=5s"]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
