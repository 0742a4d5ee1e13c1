//! `spo-operator manager`.

use anyhow::Context;
use kube::Client;
use tokio::sync::watch;

use super::https;
use crate::args::Manager;
use crate::fleet;
use crate::health::{Gate, Ready};
use crate::lease::Election;
use crate::profile::Controller;
use crate::routes::Routes;
use crate::storage;

/// The lease of the manager, by its name in the reference operator.
const LEASE: &str = "security-profiles-operator-lock";

pub(super) async fn run(args: Manager) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.with_nodestatus_controller,
        "no controller is enabled: leave out --with-nodestatus-controller=false"
    );
    let ended = super::ended()?;
    let ready = Ready::default();
    let server = match args.port {
        0 => None,
        port => Some(https::open(&args.https, port, Routes::default(), &ready)?),
    };
    let api_server = ready.wait_for("the API server");
    super::answer_probes(args.health_port, &ready)?;
    let client = super::client(args.kubeconfig.as_deref()).await?;
    let namespace = args.operator_namespace;
    let me = args.pod_name.unwrap_or_else(super::own_name);
    let mut election = Election::new(client.clone(), &namespace, LEASE, me);
    let leading = watch::Sender::new(false);
    let (mut folder, mut serving) = (None, None);
    if let Some(server) = server {
        folder = server.folder()?;
        if folder.is_none() {
            server.keep(&client, &namespace, leading.subscribe());
        }
        serving = Some(server.serve(ended.clone()));
    }
    tokio::select! {
        () = ended => {}
        () = lead(&mut election, &client, &namespace, &api_server, &leading) => {}
        outcome = https::follow(folder) => outcome?,
    }
    tracing::info!("ending");
    ready.end();
    election.release().await;
    if let Some(serving) = serving {
        serving.await.context("the server of webhooks broke")?;
    }
    Ok(())
}

/// Leads whenever it may. What the controllers know is dropped with the lease: the next leader may have changed all of it.
async fn lead(
    election: &mut Election,
    client: &Client,
    namespace: &str,
    api_server: &Gate,
    leading: &watch::Sender<bool>,
) {
    loop {
        election.win(|| api_server.open()).await;
        tracing::info!(lease = LEASE, "leading");
        leading.send_replace(true);
        let controller = Controller::new(client.clone(), namespace);
        tokio::select! {
            () = election.hold() => {}
            () = controller.run(|| api_server.open()) => {}
            () = storage::keep(client.clone()) => {}
            () = fleet::keep(client.clone(), namespace) => {}
        }
        leading.send_replace(false);
    }
}
