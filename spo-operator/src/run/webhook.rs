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
        Some(namespace) if !args.convert_only => Some((super::client(args.kubeconfig.as_deref()).await?, namespace)),
        _ => None,
    };
    let me = args.pod_name.clone().unwrap_or_else(super::own_name);
    let admission = cluster.as_ref().map(|(client, namespace)| admit(client, namespace, &me, &ready));
    let server = https::open(&args.https, args.port, Routes { admission }, &ready)?;
    super::answer_probes(args.health_port, &ready)?;
    let folder = server.folder()?;
    let election = match (&folder, cluster) {
        (None, Some((client, namespace))) => Some(keep(&server, client, namespace, me, ended.clone())),
        _ => None,
    };
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

/// Starts to watch what admission depends on. The process is not ready until that was seen once.
fn admit(client: &Client, namespace: &str, me: &str, ready: &Ready) -> Admission {
    let settings = Settings { namespace: namespace.to_owned(), instance: me.to_owned() };
    let (admission, upkeep) = Admission::new(client.clone(), settings);
    let known = ready.wait_for("bindings, recordings and profiles");
    tokio::spawn(upkeep.run(move || known.open()));
    admission
}

/// Keeps a certificate of our own, and writes while elected.
fn keep(
    server: &Opened<'_>,
    client: Client,
    namespace: &str,
    me: String,
    ended: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let leading = watch::Sender::new(false);
    server.keep(&client, namespace, leading.subscribe());
    tokio::spawn(Election::new(client, namespace, LEASE, me).stand(leading, ended))
}
