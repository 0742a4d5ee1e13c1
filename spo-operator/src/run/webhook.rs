//! `spo-operator webhook`.

use anyhow::Context;
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::https::{self, Opened};
use crate::admission::{Admission, Settings};
use crate::args::Webhook;
use crate::health::Ready;
use crate::lease::Election;
use crate::routes::Routes;

/// The lease of the webhook, by its name in the reference operator. Every replica answers; its holder keeps certificates.
const LEASE: &str = "security-profiles-operator-webhook-lock";

pub(super) async fn run(args: Webhook) -> anyhow::Result<()> {
    let ended = super::ended()?;
    let ready = Ready::default();
    let cluster = match &args.operator_namespace {
        Some(namespace) if !args.convert_only => Some(Cluster::of(&args, namespace).await?),
        _ => None,
    };
    let admission = cluster.as_ref().map(|cluster| cluster.admission(&ready));
    let server = https::open(&args.https, args.port, Routes { admission }, &ready)?;
    super::answer_probes(args.health_port, &ready)?;
    let folder = server.folder()?;
    let election = cluster.filter(|_| folder.is_none()).map(|cluster| cluster.keep(&server, ended.clone()));
    let serving = server.serve(ended.clone());
    tokio::select! {
        () = ended => {}
        outcome = https::follow(folder) => outcome?,
    }
    tracing::info!("ending");
    ready.end();
    if let Some(election) = election {
        election.await.context("the election broke")?;
    }
    serving.await.context("the server of webhooks broke")
}

/// The cluster that the webhooks are for.
struct Cluster {
    client: Client,
    namespace: String,
    /// What this process calls itself.
    me: String,
}

impl Cluster {
    async fn of(args: &Webhook, namespace: &str) -> anyhow::Result<Self> {
        let client = super::client(args.kubeconfig.as_deref()).await?;
        let me = args.pod_name.clone().unwrap_or_else(super::own_name);
        Ok(Self { client, namespace: namespace.to_owned(), me })
    }

    /// What decides about objects. The process is not ready until it knows the cluster's.
    fn admission(&self, ready: &Ready) -> Admission {
        let objects = ready.wait_for("the cluster's objects");
        let settings = Settings { namespace: self.namespace.clone(), instance: self.me.clone() };
        let (admission, upkeep) = Admission::new(self.client.clone(), settings);
        tokio::spawn(upkeep.run(move || objects.open()));
        admission
    }

    /// Keeps a certificate of our own, and writes while elected.
    fn keep(self, server: &Opened<'_>, ended: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let leading = watch::Sender::new(false);
        server.keep(&self.client, &self.namespace, leading.subscribe());
        let election = Election::new(self.client, &self.namespace, LEASE, self.me);
        tokio::spawn(election.stand(leading, ended))
    }
}
