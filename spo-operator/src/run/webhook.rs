//! `spo-operator webhook`.

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::https::{self, Opened};
use crate::args::Webhook;
use crate::health::Ready;
use crate::lease::Election;
use crate::routes::Routes;

/// The lease of the webhook, by its name in the reference operator. Every replica answers; its holder keeps certificates.
const LEASE: &str = "security-profiles-operator-webhook-lock";

pub(super) async fn run(args: Webhook) -> anyhow::Result<()> {
    let ended = super::ended()?;
    let ready = Ready::default();
    let server = https::open(&args.https, args.port, Routes::default(), &ready)?;
    super::answer_probes(args.health_port, &ready)?;
    let folder = server.folder()?;
    let election = match (&folder, &args.operator_namespace) {
        (None, Some(namespace)) => Some(keep(&server, &args, namespace, ended.clone()).await?),
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

/// Keeps a certificate of our own, and writes while elected.
async fn keep(
    server: &Opened<'_>,
    args: &Webhook,
    namespace: &str,
    ended: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let client = super::client(args.kubeconfig.as_deref()).await?;
    let me = args.pod_name.clone().unwrap_or_else(super::own_name);
    let leading = watch::Sender::new(false);
    server.keep(&client, namespace, leading.subscribe());
    let election = Election::new(client, namespace, LEASE, me);
    Ok(tokio::spawn(election.stand(leading, ended)))
}
