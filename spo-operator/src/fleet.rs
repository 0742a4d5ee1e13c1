//! The configuration's switches become what the DaemonSet of the daemon runs, and the configuration says how far that has come.
//!
//! [`plan`] decides: whether the DaemonSet differs from what the configuration wants, and what the configuration's status is to say.
//! [`template`] is what is wanted: the daemon's arguments, and beside it the one container with privilege, the installer. Of the DaemonSet
//! only that is ours, by server-side apply; what it is installed with stays whoever's it is. This file is the loop around both.
//!
//! Without a configuration object no switch is on, and nodes serve seccomp alone.

use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::Instant;

use crate::watch::{self, Kind, Slim};
use plan::{Observed, Plan};

mod plan;
mod template;

/// The name of the configuration, and of the DaemonSet.
const SPOD: &str = "spod";
/// What the API server calls DaemonSets.
const DAEMON_SET: Kind = Kind { group: "apps", version: "v1", kind: "DaemonSet", plural: "daemonsets" };
/// What it calls configurations.
const CONFIGURATION: Kind = Kind::stored(spo_api::Kind::SecurityProfilesOperatorDaemon);
/// The name under which this part owns fields.
const FIELD_MANAGER: &str = "spo-operator-fleet";
/// A request that takes longer is given up; the plan is made anew then.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The first pause after a round that did not end as planned, doubled up to the last.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// An object of which everything may count.
type Object = Slim<Value, Value>;

/// A write that did not happen.
#[derive(Debug, thiserror::Error)]
enum FleetError {
    #[error("the API server did not take it")]
    Request(#[from] kube::Error),
    #[error("the API server did not answer within {} seconds", TIMEOUT.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("DaemonSet {SPOD} is not as it was written; something else writes it too")]
    Contended,
}

/// The one object of a name, as its watch shows it.
#[derive(Debug, Default)]
struct Single {
    object: Option<Object>,
    /// What the list that is being shown has so far.
    listed: Option<Object>,
    complete: bool,
}

impl Single {
    fn take_in(&mut self, event: Event<Object>) {
        match event {
            Event::Apply(object) => self.object = Some(object),
            Event::Delete(_) => self.object = None,
            Event::Init => self.listed = None,
            Event::InitApply(object) => self.listed = Some(object),
            Event::InitDone => {
                self.object = self.listed.take();
                self.complete = true;
            }
        }
    }
}

/// What keeps the DaemonSet.
struct Fleet {
    daemon_sets: Api<Object>,
    configurations: Api<Object>,
    daemon_set: Single,
    configuration: Single,
    /// Why the last attempt to change the DaemonSet failed.
    refused: Option<String>,
}

/// Keeps the DaemonSet in `namespace` as the configuration wants it; for ever.
pub(crate) async fn keep(client: Client, namespace: &str) {
    let mut fleet = Fleet {
        daemon_sets: Api::namespaced_with(client.clone(), namespace, &DAEMON_SET),
        configurations: Api::namespaced_with(client, namespace, &CONFIGURATION),
        daemon_set: Single::default(),
        configuration: Single::default(),
        refused: None,
    };
    let mut events = fleet.watch();
    // The last pause, and its end. No event cuts it short: that of our own status, which says why, would.
    let mut retry: Option<(Duration, Instant)> = None;
    loop {
        let due = async {
            match retry {
                Some((_, at)) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((kind, event)) = events.next() => fleet.take_in(kind, event),
            () = due => {}
        }
        while let Some(Some((kind, event))) = events.next().now_or_never() {
            fleet.take_in(kind, event);
        }
        let pausing = retry.is_some_and(|(_, at)| Instant::now() < at);
        if fleet.daemon_set.complete && fleet.configuration.complete && !pausing {
            let pause = fleet.round().await.err().map(|error| again(retry.map(|(pause, _)| pause), &error));
            retry = pause.map(|pause| (pause, Instant::now() + pause));
        }
    }
}

fn again(before: Option<Duration>, error: &FleetError) -> Duration {
    let pause = before.map_or(RETRY_MIN, |before| (before * 2).min(RETRY_MAX));
    let passes = error.passes();
    let error = error as &dyn std::error::Error;
    if passes {
        tracing::debug!(error, "somebody else wrote meanwhile");
    } else {
        tracing::warn!(error, "cannot bring the DaemonSet into line with the configuration, trying again");
    }
    pause
}

impl FleetError {
    /// Whether somebody else wrote meanwhile, or the object is gone, which the watch tells.
    fn passes(&self) -> bool {
        matches!(self, Self::Request(kube::Error::Api(status)) if matches!(status.code, 404 | 409))
    }
}

impl Fleet {
    fn watch(&self) -> SelectAll<BoxStream<'static, (Kind, Event<Object>)>> {
        let watched = |api: &Api<Object>, kind: Kind| {
            let only = Config::default().fields(&format!("metadata.name={SPOD}"));
            watch::forever(api.clone(), only, kind.kind).map(move |event| (kind, event)).boxed()
        };
        let streams = [watched(&self.daemon_sets, DAEMON_SET), watched(&self.configurations, CONFIGURATION)];
        futures::stream::select_all(streams)
    }

    fn take_in(&mut self, kind: Kind, event: Event<Object>) {
        if kind == DAEMON_SET { self.daemon_set.take_in(event) } else { self.configuration.take_in(event) }
    }

    fn plan(&self) -> Plan {
        let observed = Observed {
            daemon_set: self.daemon_set.object.as_ref(),
            configuration: self.configuration.object.as_ref(),
            refused: self.refused.as_deref(),
        };
        plan::plan(&observed, Time(jiff::Timestamp::now()))
    }

    /// Writes what differs: first the DaemonSet, then what the configuration says of it.
    async fn round(&mut self) -> Result<(), FleetError> {
        let outcome = self.change_daemon_set().await;
        self.refused = outcome.as_ref().err().filter(|error| !error.passes()).map(said);
        if let Some(status) = self.plan().status {
            let (ours, patch) = (ours(), Patch::Apply(&status));
            let written = self.configurations.patch_status(SPOD, &ours, &patch);
            self.configuration.object = Some(tokio::time::timeout(TIMEOUT, written).await??);
        }
        outcome
    }

    async fn change_daemon_set(&mut self) -> Result<(), FleetError> {
        let Some(template) = self.plan().template else { return Ok(()) };
        let (ours, patch) = (ours(), Patch::Apply(&template));
        let written = self.daemon_sets.patch(SPOD, &ours, &patch);
        self.daemon_set.object = Some(tokio::time::timeout(TIMEOUT, written).await??);
        tracing::info!("brought the DaemonSet into line with the configuration");
        if self.plan().template.is_some() { Err(FleetError::Contended) } else { Ok(()) }
    }
}

fn ours() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

/// An error with what it comes from.
fn said(error: &FleetError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
