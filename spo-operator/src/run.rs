//! What `spo-operator manager` starts, and how it ends.

use std::path::Path;

use anyhow::Context;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Manager;
use crate::health::{self, Ready};
use crate::lease::Election;
use crate::profile::Controller;
use crate::storage;

/// The lease of the manager, by its name in the reference operator.
const LEASE: &str = "security-profiles-operator-lock";

/// Runs the manager until a signal ends it.
pub(crate) fn manager(args: Manager) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_already| anyhow::anyhow!("a crypto provider is set already"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let ended = runtime.block_on(run(args));
    // A look-up of a host name may still be under way, and nobody waits for it.
    runtime.shutdown_background();
    ended
}

async fn run(args: Manager) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.with_nodestatus_controller,
        "no controller is enabled: leave out --with-nodestatus-controller=false"
    );
    let ended = ended()?; // from here on a signal ends the process in good order
    let ready = Ready::default();
    if args.health_port != 0 {
        tokio::spawn(health::serve(health::listen(args.health_port)?, ready.clone()));
    }
    let client = client(args.kubeconfig.as_deref()).await?;
    let namespace = args.operator_namespace;
    let me = args.pod_name.unwrap_or_else(own_name);
    let mut election = Election::new(client.clone(), &namespace, LEASE, me);
    tokio::select! {
        () = ended => {}
        () = lead(&mut election, &client, &namespace, &ready) => {}
    }
    tracing::info!("ending");
    ready.set(false);
    election.release().await;
    Ok(())
}

/// Leads whenever it may. What the controllers know is dropped with the lease: the next leader may have changed all of it.
async fn lead(election: &mut Election, client: &Client, namespace: &str, ready: &Ready) {
    loop {
        election.win(|| ready.set(true)).await;
        tracing::info!(lease = LEASE, "leading");
        let controller = Controller::new(client.clone(), namespace);
        tokio::select! {
            () = election.hold() => {}
            () = controller.run(|| ready.set(true)) => {}
            () = storage::keep(client.clone()) => {}
        }
    }
}

/// SIGTERM or SIGINT.
fn ended() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
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
