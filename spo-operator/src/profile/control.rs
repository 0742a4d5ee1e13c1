//! The loop: watches in, plans made, writes out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use spo_api::{Kind, ProfileKey, ProfileKind, labels};

use super::apply::{self, ApplyError, Writer};
use super::cluster::{Change, Cluster, Watch};
use super::plan::{self, Now, Observed, Plan};
use super::pod::Pod;
use super::{DEPLOYMENT, NAMESPACE, Object, POD, Subject, binding};
use crate::watch;

/// The operator's own Deployment.
const OPERATOR: &str = "security-profiles-operator";
/// The name of the cluster's configuration.
const SPOD: &str = "spod";
/// How many objects are written at one time.
const CONCURRENT: usize = 8;
/// The first pause after a write that failed, doubled up to the last.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

type Changes = SelectAll<BoxStream<'static, Seen>>;
type Written = (Subject, Result<Option<Object>, ApplyError>);

/// What some watch shows.
enum Seen {
    Object(Watch, Change),
    Pod(Change<Pod>),
}

/// Keeps the status and finalizers of profiles and bindings, until it is dropped.
pub(crate) struct Controller {
    writer: Writer,
    cluster: Cluster,
    started: Instant,
    changes: Changes,
    /// Watches that have not shown all of their objects yet; `None` is that of all pods.
    incomplete: BTreeSet<Option<Watch>>,
    writes: FuturesUnordered<BoxFuture<'static, Written>>,
    /// What is being written.
    busy: BTreeSet<Subject>,
    /// What is to be planned.
    queue: BTreeSet<Subject>,
    /// What is to be planned later, and when.
    later: BTreeMap<Subject, Duration>,
    /// Pauses of those whose last write failed.
    pauses: BTreeMap<Subject, Duration>,
}

impl Controller {
    /// Starts to watch; `namespace` is the operator's.
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        let mut changes = Changes::new();
        let mut incomplete = BTreeSet::from([None]);
        let pods: Api<Pod> = Api::all_with(client.clone(), &POD);
        changes.push(watched(pods, Config::default(), "pods").map(Seen::Pod).boxed());
        for (watch, kind, config) in watches() {
            let api = match watch {
                Watch::Daemons | Watch::Configuration | Watch::Deployment => {
                    Api::namespaced_with(client.clone(), namespace, &kind)
                }
                _ => Api::all_with(client.clone(), &kind),
            };
            let config = if watch == Watch::Namespace { named(namespace) } else { config };
            changes.push(watched(api, config, kind.kind).map(move |change| Seen::Object(watch, change)).boxed());
            incomplete.insert(Some(watch));
        }
        incomplete.insert(Some(Watch::Nodes));
        changes.push(nodes(&client));
        Self {
            writer: Writer::new(client),
            cluster: Cluster::default(),
            started: Instant::now(),
            changes,
            incomplete,
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
                Some(seen) = self.changes.next() => self.take_in(seen),
                Some((subject, outcome)) = self.writes.next(), if !self.writes.is_empty() => self.written(subject, outcome),
                () = due => self.wake(),
            }
            // What has already arrived is taken in first, so that one plan answers to all of it.
            while let Some(Some(seen)) = self.changes.next().now_or_never() {
                self.take_in(seen);
            }
            if self.incomplete.is_empty() {
                if let Some(synced) = synced.take() {
                    synced();
                }
                self.start_writes();
            }
        }
    }

    fn take_in(&mut self, seen: Seen) {
        match seen {
            Seen::Object(watch, change) => {
                if matches!(change, Change::Complete) {
                    self.incomplete.remove(&Some(watch));
                }
                self.cluster.change(watch, change, self.started.elapsed());
            }
            Seen::Pod(change) => {
                if matches!(change, Change::Complete) {
                    self.incomplete.remove(&None);
                }
                self.cluster.pods(change);
            }
        }
    }

    fn wake(&mut self) {
        let now = self.started.elapsed();
        let due: Vec<Subject> = self.later.iter().filter(|(_, due)| **due <= now).map(|(key, _)| key.clone()).collect();
        for subject in due {
            self.later.remove(&subject);
            self.queue.insert(subject);
        }
    }

    fn start_writes(&mut self) {
        self.queue.append(&mut self.cluster.take_dirty());
        while self.writes.len() < CONCURRENT {
            let Some(subject) = self.queue.difference(&self.busy).next().cloned() else { return };
            self.queue.remove(&subject);
            self.start_write(subject);
        }
    }

    fn start_write(&mut self, subject: Subject) {
        self.later.remove(&subject);
        let Some(plan) = self.plan(&subject) else {
            self.pauses.remove(&subject);
            return;
        };
        if let Some(again) = plan.again {
            self.later.insert(subject.clone(), again);
        }
        if plan.actions.is_empty() {
            return;
        }
        tracing::debug!(%subject, actions = ?plan.actions, "planned");
        self.busy.insert(subject.clone());
        let writer = self.writer.clone();
        let write = async move {
            let outcome = apply::apply(&writer, &subject, &plan.actions).await;
            (subject, outcome)
        };
        self.writes.push(write.boxed());
    }

    /// What is to be written; `None` about what is not there any more.
    fn plan(&mut self, subject: &Subject) -> Option<Plan> {
        let now = Now { uptime: self.started.elapsed(), time: Time(jiff::Timestamp::now()) };
        match subject {
            Subject::Profile(key) => self.plan_profile(key, &now),
            Subject::Binding { namespace, name } => {
                let binding = self.cluster.binding(namespace, name)?;
                Some(binding::plan(binding, self.cluster.is_going(), now.uptime))
            }
        }
    }

    fn plan_profile(&mut self, key: &ProfileKey, now: &Now) -> Option<Plan> {
        self.cluster.judge(key);
        let observed = Observed {
            key,
            profile: self.cluster.profile(key)?,
            nodes: self.cluster.nodes(),
            users: self.cluster.users(key),
            releasing: self.cluster.is_going(),
        };
        Some(plan::plan(&observed, now))
    }

    fn written(&mut self, subject: Subject, outcome: Result<Option<Object>, ApplyError>) {
        self.busy.remove(&subject);
        let now = self.started.elapsed();
        match outcome {
            Ok(object) => {
                self.pauses.remove(&subject);
                if let Some(object) = object {
                    self.cluster.written(&subject, object, now);
                }
            }
            Err(error) => {
                let pause = self.pauses.get(&subject).map_or(RETRY_MIN, |pause| (*pause * 2).min(RETRY_MAX));
                tracing::warn!(%subject, error = &error as &dyn std::error::Error, ?pause, "cannot write, trying again");
                self.pauses.insert(subject.clone(), pause);
                self.later.insert(subject, now + pause);
            }
        }
    }
}

/// What is watched besides all pods and nodes, and which objects of that.
fn watches() -> Vec<(Watch, watch::Kind, Config)> {
    let of = |watch, kind: Kind, config| (watch, watch::Kind::stored(kind), config);
    let daemons = Config::default().labels(&format!("{}={},name=spod", labels::APP, labels::APP_VALUE));
    let mut watches: Vec<_> =
        ProfileKind::ALL.map(|kind| of(Watch::Profiles(kind), kind.into(), Config::default())).into();
    watches.extend([
        of(Watch::Reports, Kind::SecurityProfileNodeStatus, Config::default()),
        of(Watch::Bindings, Kind::ProfileBinding, Config::default()),
        of(Watch::Configuration, Kind::SecurityProfilesOperatorDaemon, named(SPOD)),
        (Watch::Daemons, POD, daemons),
        (Watch::Deployment, DEPLOYMENT, named(OPERATOR)),
        (Watch::Namespace, NAMESPACE, Config::default()),
    ]);
    watches
}

fn named(name: &str) -> Config {
    Config::default().fields(&format!("metadata.name={name}"))
}

fn watched<K>(api: Api<K>, config: Config, what: &'static str) -> BoxStream<'static, Change<K>>
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    watch::forever(api, config, what).map(change).boxed()
}

/// Of nodes only the names count, so only their metadata is asked for.
fn nodes(client: &Client) -> BoxStream<'static, Seen> {
    let api: Api<PartialObjectMeta<Node>> = Api::all(client.clone());
    let slim = |node: PartialObjectMeta<Node>| Object {
        metadata: node.metadata,
        spec: serde_json::Value::Null,
        status: serde_json::Value::Null,
    };
    let shown = watched(api, Config::default(), "nodes").map(move |change| match change {
        Change::Restart => Change::Restart,
        Change::Applied(node) => Change::Applied(slim(node)),
        Change::Removed(node) => Change::Removed(slim(node)),
        Change::Complete => Change::Complete,
    });
    shown.map(|change| Seen::Object(Watch::Nodes, change)).boxed()
}

fn change<K>(event: Event<K>) -> Change<K> {
    match event {
        Event::Init => Change::Restart,
        Event::Apply(object) | Event::InitApply(object) => Change::Applied(object),
        Event::Delete(object) => Change::Removed(object),
        Event::InitDone => Change::Complete,
    }
}
