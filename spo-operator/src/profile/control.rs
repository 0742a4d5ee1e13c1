//! The loop: watches in, plans made, writes out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use spo_api::{ProfileKey, labels};

use super::apply::{self, ApplyError};
use super::cluster::{Change, Cluster, Watch};
use super::plan::{self, Now, Observed};
use super::{KINDS, NODE_STATUS, POD, resource};
use crate::watch::{self, Slim, SlimSpec};

/// How many profiles are written at one time.
const CONCURRENT: usize = 8;
/// The first pause after a write that failed, doubled up to the last.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

type Changes = SelectAll<BoxStream<'static, (Watch, Change)>>;
type Written = (ProfileKey, Result<Option<Slim>, ApplyError>);

/// Keeps the status of profiles, until it is dropped.
pub(crate) struct Controller {
    client: Client,
    cluster: Cluster,
    started: Instant,
    changes: Changes,
    /// Watches that have not shown all of their objects yet.
    incomplete: BTreeSet<Watch>,
    writes: FuturesUnordered<BoxFuture<'static, Written>>,
    /// Profiles that are being written.
    busy: BTreeSet<ProfileKey>,
    /// Profiles to plan.
    queue: BTreeSet<ProfileKey>,
    /// Profiles to plan later, and when.
    later: BTreeMap<ProfileKey, Duration>,
    /// Pauses of profiles whose last write failed.
    pauses: BTreeMap<ProfileKey, Duration>,
}

impl Controller {
    /// Starts to watch; `namespace` is where the daemon's pods are.
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        let mut changes = Changes::new();
        for kind in KINDS {
            let api: Api<Slim> = Api::all_with(client.clone(), &resource(kind));
            changes.push(objects(Watch::Profiles(kind), api, Config::default(), kind.as_str()));
        }
        let statuses: Api<Slim> = Api::all_with(client.clone(), &NODE_STATUS);
        changes.push(objects(Watch::Reports, statuses, Config::default(), NODE_STATUS.kind));
        let pods: Api<Slim> = Api::namespaced_with(client.clone(), namespace, &POD);
        let daemons = Config::default().labels(&format!("{}={},name=spod", labels::APP, labels::APP_VALUE));
        changes.push(objects(Watch::Daemons, pods, daemons, "daemon pods"));
        changes.push(nodes(&client));
        let incomplete = KINDS.map(Watch::Profiles).into_iter().chain([Watch::Reports, Watch::Nodes, Watch::Daemons]);
        Self {
            client,
            cluster: Cluster::default(),
            started: Instant::now(),
            changes,
            incomplete: incomplete.collect(),
            writes: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            queue: BTreeSet::new(),
            later: BTreeMap::new(),
            pauses: BTreeMap::new(),
        }
    }

    /// Runs for ever. `synced` is called once, when all watches have shown their objects.
    pub(crate) async fn run(mut self, synced: impl FnOnce()) {
        let mut synced = Some(synced);
        loop {
            let deadline = self.later.values().min().map(|due| tokio::time::Instant::from_std(self.started + *due));
            let due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((watch, change)) = self.changes.next() => self.take_in(watch, change),
                Some((key, outcome)) = self.writes.next(), if !self.writes.is_empty() => self.written(key, outcome),
                () = due => self.wake(),
            }
            // What has already arrived is taken in first, so that one plan answers to all of it.
            while let Some(Some((watch, change))) = self.changes.next().now_or_never() {
                self.take_in(watch, change);
            }
            if self.incomplete.is_empty() {
                if let Some(synced) = synced.take() {
                    synced();
                }
                self.start_writes();
            }
        }
    }

    fn take_in(&mut self, watch: Watch, change: Change) {
        if matches!(change, Change::Complete) {
            self.incomplete.remove(&watch);
        }
        self.cluster.change(watch, change, self.started.elapsed());
    }

    fn wake(&mut self) {
        let now = self.started.elapsed();
        let due: Vec<ProfileKey> =
            self.later.iter().filter(|(_, due)| **due <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.later.remove(&key);
            self.queue.insert(key);
        }
    }

    fn start_writes(&mut self) {
        self.queue.append(&mut self.cluster.take_dirty());
        while self.writes.len() < CONCURRENT {
            let Some(key) = self.queue.difference(&self.busy).next().cloned() else { return };
            self.queue.remove(&key);
            self.start_write(key);
        }
    }

    fn start_write(&mut self, key: ProfileKey) {
        let uptime = self.started.elapsed();
        self.later.remove(&key);
        let Some(profile) = self.cluster.profile(&key) else {
            self.pauses.remove(&key);
            return;
        };
        let now = Now { uptime, time: Time(jiff::Timestamp::now()) };
        let plan = plan::plan(&Observed { key: &key, profile, nodes: self.cluster.nodes() }, &now);
        if let Some(again) = plan.again {
            self.later.insert(key.clone(), again);
        }
        if plan.actions.is_empty() {
            return;
        }
        tracing::debug!(profile = %key, actions = ?plan.actions, "planned");
        self.busy.insert(key.clone());
        let client = self.client.clone();
        let write = async move {
            let outcome = apply::apply(&client, &key, &plan.actions).await;
            (key, outcome)
        };
        self.writes.push(write.boxed());
    }

    fn written(&mut self, key: ProfileKey, outcome: Result<Option<Slim>, ApplyError>) {
        self.busy.remove(&key);
        let now = self.started.elapsed();
        match outcome {
            Ok(object) => {
                self.pauses.remove(&key);
                if let Some(object) = object {
                    self.cluster.written(&key, object, now);
                }
            }
            Err(error) => {
                let pause = self.pauses.get(&key).map_or(RETRY_MIN, |pause| (*pause * 2).min(RETRY_MAX));
                tracing::warn!(profile = %key, error = &error as &dyn std::error::Error, ?pause, "cannot write, trying again");
                self.pauses.insert(key.clone(), pause);
                self.later.insert(key, now + pause);
            }
        }
    }
}

fn objects(watch: Watch, api: Api<Slim>, config: Config, what: &'static str) -> BoxStream<'static, (Watch, Change)> {
    watch::forever(api, config, what).map(move |event| (watch, change(event))).boxed()
}

/// Of nodes only the names count, so only their metadata is asked for.
fn nodes(client: &Client) -> BoxStream<'static, (Watch, Change)> {
    let api: Api<PartialObjectMeta<Node>> = Api::all(client.clone());
    let slim = |node: PartialObjectMeta<Node>| Slim {
        metadata: node.metadata,
        spec: SlimSpec::default(),
        status: serde_json::Value::Null,
    };
    let events = watch::forever(api, Config::default(), "nodes");
    events
        .map(move |event| {
            let event = match event {
                Event::Apply(node) => Event::Apply(slim(node)),
                Event::Delete(node) => Event::Delete(slim(node)),
                Event::InitApply(node) => Event::InitApply(slim(node)),
                Event::Init => Event::Init,
                Event::InitDone => Event::InitDone,
            };
            (Watch::Nodes, change(event))
        })
        .boxed()
}

fn change(event: Event<Slim>) -> Change {
    match event {
        Event::Init => Change::Restart,
        Event::Apply(object) | Event::InitApply(object) => Change::Applied(object),
        Event::Delete(object) => Change::Removed(object),
        Event::InitDone => Change::Complete,
    }
}
