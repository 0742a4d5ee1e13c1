//! What has to run so that admission knows the cluster: the watches, and the writer of events.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use kube::runtime::watcher::Config;
use kube::{Api, Client};
use spo_api::ProfileKind;
use tokio::sync::watch;
use tokio::time::Instant;

use super::event;
use super::observed::{Change, Observed, Reported, Specified};
use crate::watch::{Kind, forever};

const BINDING: Kind = Kind::stored(spo_api::Kind::ProfileBinding);
const CONFIGURATION: Kind = Kind::stored(spo_api::Kind::SecurityProfilesOperatorDaemon);
/// The name of the cluster's configuration.
const SPOD: &str = "spod";

/// Where this process runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The namespace of the operator.
    pub(crate) namespace: String,
    /// What this process calls itself in events.
    pub(crate) instance: String,
}

/// Runs beside [`super::Admission`].
pub(crate) struct Upkeep {
    changes: SelectAll<BoxStream<'static, Change>>,
    observed: Arc<watch::Sender<Observed>>,
    writer: event::Writer,
    started: Instant,
}

impl Upkeep {
    pub(super) fn new(
        client: Client,
        settings: Settings,
        observed: Arc<watch::Sender<Observed>>,
        queue: event::Queue,
        started: Instant,
    ) -> Self {
        let changes = changes(&client, &settings.namespace);
        Self { changes, observed, writer: event::Writer::new(client, settings.instance, queue), started }
    }

    /// Runs for ever. `synced` is called once, when all watches have shown their objects.
    pub(crate) async fn run(self, synced: impl FnOnce()) {
        let Self { changes, observed, writer, started } = self;
        tokio::join!(take_in(changes, &observed, started, synced), writer.run());
    }
}

async fn take_in(
    mut changes: SelectAll<BoxStream<'static, Change>>,
    observed: &watch::Sender<Observed>,
    started: Instant,
    synced: impl FnOnce(),
) {
    let mut synced = Some(synced);
    while let Some(change) = changes.next().await {
        let now = started.elapsed();
        observed.send_if_modified(|observed| observed.take_in(change, now));
        if let Some(synced) = synced.take_if(|_| observed.borrow().is_complete()) {
            tracing::info!("admission knows the cluster's bindings, recordings and profiles");
            synced();
        }
    }
}

fn changes(client: &Client, namespace: &str) -> SelectAll<BoxStream<'static, Change>> {
    let mut changes = SelectAll::new();
    let bindings: Api<Specified> = Api::all_with(client.clone(), &BINDING);
    changes.push(forever(bindings, Config::default(), BINDING.kind).map(Change::Binding).boxed());
    let recordings: Api<Specified> = Api::all_with(client.clone(), &event::RECORDING);
    changes.push(forever(recordings, Config::default(), event::RECORDING.kind).map(Change::Recording).boxed());
    for kind in ProfileKind::ALL {
        let resource = Kind::stored(kind.into());
        let profiles: Api<Reported> = Api::all_with(client.clone(), &resource);
        let events = forever(profiles, Config::default(), kind.as_str());
        changes.push(events.map(move |event| Change::Profile(kind, event)).boxed());
    }
    let configuration: Api<Specified> = Api::namespaced_with(client.clone(), namespace, &CONFIGURATION);
    let named = Config::default().fields(&format!("metadata.name={SPOD}"));
    changes.push(forever(configuration, named, CONFIGURATION.kind).map(Change::Configuration).boxed());
    changes
}
