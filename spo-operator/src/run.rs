//! What each command starts, and how it ends.

use std::path::Path;

use anyhow::Context;
use futures::FutureExt;
use futures::future::Shared;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::args;
use crate::health::{self, Ready};
use crate::listen::listen;

mod https;
mod manager;
mod webhook;

/// Requests that need a while are worked on by so many threads at most.
const WORKERS: usize = 4;
/// Probes come one at a time.
const HEALTH_BACKLOG: u32 = 16;

/// Runs the manager until a signal ends it.
pub(crate) fn manager(args: args::Manager) -> anyhow::Result<()> {
    block_on(manager::run(args))
}

/// Runs the webhook server until a signal ends it.
pub(crate) fn webhook(args: args::Webhook) -> anyhow::Result<()> {
    block_on(webhook::run(args))
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_already| anyhow::anyhow!("a crypto provider is set already"))?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(WORKERS).build().context("cannot start")?;
    let outcome = runtime.block_on(work);
    // Work whose client is gone and the look-up of a host name may be under way, and nobody waits for them.
    runtime.shutdown_background();
    outcome
}

/// SIGTERM or SIGINT: from here on such a signal ends the process in good order.
fn ended() -> anyhow::Result<Shared<impl Future<Output = ()>>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let ended = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(ended.shared())
}

/// Answers probes, unless `port` is 0.
fn answer_probes(port: u16, ready: &Ready) -> anyhow::Result<()> {
    if port != 0 {
        let listener = listen(port, "--health-port", HEALTH_BACKLOG)?;
        tokio::spawn(health::serve(listener, ready.clone()));
    }
    Ok(())
}

async fn client(kubeconfig: Option<&Path>) -> anyhow::Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(file, &options)
                .await
                .with_context(|| format!("cannot use {}", path.display()))?
        }
        None => Config::incluster().context("not in a pod; outside one, pass --kubeconfig or set KUBECONFIG")?,
    };
    Client::try_from(config).context("cannot make a client for the API server")
}

/// Outside a pod: no two processes of one host share it.
fn own_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}-{}", std::process::id())
}
