//! The cluster that tests run on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::api::restart::restart;
use crate::node::Node;

/// The name of the node that is there always.
pub const NODE: &str = "node1";

/// A running cluster of one node, and of guests as further nodes where a test wants those.
#[derive(Clone)]
pub struct Cluster {
    /// Talks to its API server as an administrator.
    pub client: Client,
    api_port: u16,
    /// The file system of its node.
    pub node: Node,
    /// The image of the tests' workloads.
    pub busybox: String,
    /// The program kubectl.
    pub kubectl: PathBuf,
    /// The digest of the image of our programs that is on the node.
    pub image_digest: String,
    /// The names of the guests that are nodes, which are those of their security modules.
    pub guests: Vec<String>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("node", &self.node).field("busybox", &self.busybox).finish_non_exhaustive()
    }
}

impl Cluster {
    /// The one that the environment names. Without one the test is skipped, and a line says so.
    ///
    /// # Panics
    /// If the environment names a cluster that cannot be used.
    pub async fn connect() -> Option<Self> {
        if std::env::var_os(NODE_ROOT).is_none() {
            skip("needs a cluster: cargo xtask test --only cluster");
            return None;
        }
        match Self::named().await {
            Ok(cluster) => Some(cluster),
            Err(error) => panic!("the cluster of the environment cannot be used: {error:#}"),
        }
    }

    /// What kubectl answers to these arguments.
    ///
    /// # Panics
    /// If it fails, or says what is no text.
    #[must_use]
    pub fn kubectl(&self, words: &[&str]) -> String {
        let output =
            Command::new(&self.kubectl).args(words).stdin(Stdio::null()).output().expect("kubectl can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {said}", words.join(" "));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Kills its API server and starts it again; ends when it answers.
    ///
    /// # Panics
    /// If it does not come back.
    pub async fn restart_api_server(&self) {
        let kubeconfig = PathBuf::from(variable("KUBECONFIG").expect("the cluster's kubeconfig"));
        let folder = kubeconfig.parent().expect("it is in the cluster's folder");
        restart(folder, self.api_port, &self.client).await;
    }

    /// The one that the environment names, with a guest for each security module as a node. Without one the test is skipped, and a line says so.
    ///
    /// # Panics
    /// If the environment names a cluster that cannot be used.
    pub async fn with_guests() -> Option<Self> {
        if std::env::var_os("SPO_TEST_NODES").is_none_or(|nodes| nodes.is_empty()) {
            skip(
                "needs guests as nodes of a cluster, for which it takes root and x86_64: cargo xtask test --only nodes",
            );
            return None;
        }
        Self::connect().await
    }

    async fn named() -> Result<Self> {
        // Programs that link more than one choose; whoever comes second finds it chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Kubeconfig::read_from(variable("KUBECONFIG")?).context("cannot read KUBECONFIG")?;
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        let node = Node::open(Path::new(&variable(NODE_ROOT)?), PathBuf::from(variable("SPO_TEST_KUBELET_DIR")?))?;
        let api_port = config.cluster_url.port_u16().context("the API server has a port")?;
        let client = Client::try_from(config)?;
        let (busybox, image_digest) = (variable("SPO_TEST_BUSYBOX")?, variable("SPO_TEST_IMAGE_DIGEST")?);
        let kubectl = variable("SPO_TEST_KUBECTL")?.into();
        let guests = std::env::var("SPO_TEST_NODES").unwrap_or_default();
        let guests = guests.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Self { client, api_port, node, busybox, kubectl, image_digest, guests })
    }
}

const NODE_ROOT: &str = "SPO_TEST_NODE_ROOT";

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set; `cargo xtask test` sets it"))
}

#[expect(clippy::print_stdout, reason = "the runner reads skips from the output of a test")]
fn skip(reason: &str) {
    println!("skipped: {reason}");
}
