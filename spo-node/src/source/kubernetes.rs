//! The API server as a source of profiles.
//!
//! It watches profiles of all kinds, which say what is wanted; the configuration object, which says what they may contain; and the
//! `SecurityProfileNodeStatus` objects of this node, which are what was reported already, so that a restart writes nothing. Reports are delivered a few at a time while [`Source::next`]
//! waits, each by at most three requests: the object where it is missing or its labels changed, its status where that
//! changed, and the event. Statuses that a reference operator left for this node are deleted. Nothing is ever put on a profile: no
//! label, no finalizer.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures::{FutureExt, StreamExt};
use kube::api::ApiResource;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use spo_api::apparmor::v1::AppArmorProfile;
use spo_api::daemon::v1::SecurityProfilesOperatorDaemon;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::raw_selinux::v1::RawSelinuxProfile;
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::selinux::v1::SelinuxProfile;
use spo_api::{ProfileKey, ProfileKind, labels};
use tokio::time::Instant;

use self::configuration::Configuration;
use self::delivery::{Delivered, Target};
use self::failure::Part;
use self::inbox::Inbox;
use self::object::Object;
use self::pauses::{Paused, Pauses};
use self::statuses::Statuses;
use super::{Change, Permitted, Report, Source, due};

mod configuration;
mod delivery;
mod event;
mod failure;
#[doc(hidden)]
pub mod fuzz;
mod inbox;
pub mod node;
mod object;
mod pauses;
mod statuses;
mod watch;

/// How many reports are delivered at one time.
const CONCURRENT: usize = 16;
/// The most profiles of one [`Change::Some`]: reports about the first ones are on their way while the next are installed.
const BATCH: usize = 64;
/// An event that the API server refuses so often is not delivered: it is good to have, and no more.
const EVENT_TRIES: u32 = 3;

/// How to reach the API server, and for whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file that says how. Without it, that of the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// The name of this node.
    pub node_name: String,
}

/// The API server as a source of profiles.
pub struct Kubernetes {
    target: Target,
    seen: SelectAll<BoxStream<'static, Seen>>,
    inbox: Inbox,
    configuration: Configuration,
    statuses: Statuses,
    /// The last report about each profile that is there: what the API server should say of it.
    reports: HashMap<ProfileKey, Report>,
    /// Profiles whose last report may have to be delivered.
    queue: HashSet<ProfileKey>,
    /// Profiles whose report is being delivered.
    busy: HashSet<ProfileKey>,
    /// Those of them whose status went meanwhile: what a write is answered with may be older than that.
    outrun: HashSet<ProfileKey>,
    flying: FuturesUnordered<BoxFuture<'static, Delivered>>,
    /// What waits because its delivery failed.
    pauses: Pauses,
}

/// What a watch shows.
enum Seen {
    Profile(ProfileKind, Event<Object>),
    Configuration(Event<Object>),
    Status(Event<Object>),
}

/// A client for the API server.
///
/// # Errors
/// The file cannot be read or used; without one, there is no service account.
pub async fn client(settings: &Settings) -> anyhow::Result<Client> {
    let config = match &settings.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(file, &options).await;
            config.with_context(|| format!("cannot use {}", path.display()))?
        }
        None => Config::incluster().context("not in a pod; outside one, pass --kubeconfig or set KUBECONFIG, or read manifests from a folder: --source directory:PATH")?,
    };
    Client::try_from(config).context("cannot make a client for the API server")
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = (self.queue.len(), self.busy.len());
        f.debug_struct("Kubernetes").field("inbox", &self.inbox).field("waiting", &waiting).finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Starts to watch. The API server need not be there yet. The configuration object is in the namespace `operator`.
    ///
    /// # Errors
    /// As [`client`].
    pub async fn connect(settings: &Settings, operator: &str) -> anyhow::Result<Self> {
        let target = Target::new(client(settings).await?, settings.node_name.clone());
        let mut seen = SelectAll::new();
        let all = watcher::Config::default;
        let profiles = [
            (ProfileKind::Seccomp, objects::<SeccompProfile>(&target.client, all())),
            (ProfileKind::Selinux, objects::<SelinuxProfile>(&target.client, all())),
            (ProfileKind::RawSelinux, objects::<RawSelinuxProfile>(&target.client, all())),
            (ProfileKind::AppArmor, objects::<AppArmorProfile>(&target.client, all())),
        ];
        for (kind, shown) in profiles {
            seen.push(shown.map(move |event| Seen::Profile(kind, event)).boxed());
        }
        let kind = ApiResource::erase::<SecurityProfilesOperatorDaemon>(&());
        let configuration = Api::namespaced_with(target.client.clone(), operator, &kind);
        let configuration = watch::forever(configuration, all(), kind.kind);
        seen.push(configuration.map(Seen::Configuration).boxed());
        let ours = format!("{}={}", labels::NODE_NAME, labels::node_name_value(&settings.node_name));
        let statuses = objects::<SecurityProfileNodeStatus>(&target.client, watcher::Config::default().labels(&ours));
        seen.push(statuses.map(Seen::Status).boxed());
        Ok(Self::of(target, &settings.node_name, seen))
    }

    /// What it talks to the API server with.
    pub fn client(&self) -> Client {
        self.target.client.clone()
    }

    fn of(target: Target, node: &str, seen: SelectAll<BoxStream<'static, Seen>>) -> Self {
        Self {
            statuses: Statuses::new(node.to_owned()),
            target,
            seen,
            inbox: Inbox::default(),
            configuration: Configuration::default(),
            reports: HashMap::new(),
            queue: HashSet::new(),
            busy: HashSet::new(),
            outrun: HashSet::new(),
            flying: FuturesUnordered::new(),
            pauses: Pauses::default(),
        }
    }

    fn take_in(&mut self, seen: Seen) {
        match seen {
            Seen::Configuration(event) => self.configuration.take_in(event),
            Seen::Profile(kind, event) => {
                for gone in self.inbox.take_in(kind, event) {
                    self.reports.remove(&gone);
                    self.pauses.forget(&gone);
                }
            }
            // Whoever changed or deleted a status of ours: it is compared with the last report once more.
            Seen::Status(event) => {
                for key in self.statuses.take_in(event) {
                    if self.busy.contains(&key) && self.statuses.get(&key).is_none() {
                        self.outrun.insert(key.clone());
                    }
                    self.queue.insert(key);
                }
            }
        }
    }

    /// Starts deliveries, once it is known what was reported before.
    fn start_deliveries(&mut self) {
        if !self.statuses.complete() {
            return;
        }
        let (free, now) = (CONCURRENT.saturating_sub(self.flying.len()), Instant::now());
        let ready = self.queue.difference(&self.busy).filter(|key| self.pauses.permit(key, now));
        let next: Vec<ProfileKey> = ready.take(free).cloned().collect();
        for key in next {
            self.queue.remove(&key);
            self.start_delivery(key);
        }
    }

    fn start_delivery(&mut self, key: ProfileKey) {
        let Some(report) = self.reports.get_mut(&key) else { return };
        let exists = self.inbox.exists(&key, report.object.uid.as_deref());
        let delivery = self.target.delivery(report, exists, &self.statuses);
        report.event = None; // it is on its way; `delivered` puts it back if it does not get there
        if !exists {
            self.reports.remove(&key);
        }
        if let Some(delivery) = delivery {
            self.busy.insert(key);
            self.flying.push(delivery.run(self.target.client.clone()).boxed());
        }
    }

    fn delivered(&mut self, delivered: Delivered) {
        let Delivered { report, status, changed, failure } = delivered;
        let (key, now) = (&report.key, Instant::now());
        self.busy.remove(key);
        let outrun = self.outrun.remove(key);
        if let Some(status) = status.filter(|_| !outrun) {
            self.statuses.written(status);
        }
        let Some(failure) = failure else { return self.pauses.delivered(key) };
        if changed && failure.says_that_it_is_gone() {
            // It was collected meanwhile, or is not what it was taken for: the next try makes it, and knows nothing of what was there.
            tracing::debug!(profile = %key, "a status is gone, making it anew");
            self.statuses.forget(key);
            return self.put_back(report);
        }
        let error = &failure as &dyn std::error::Error;
        let Paused { length: pause, refusals } =
            if failure.concerns_all() { self.pauses.all_failed(now) } else { self.pauses.refused(key, now) };
        if failure.of() == Part::Event && refusals >= EVENT_TRIES {
            tracing::warn!(profile = %key, error, "cannot deliver an event, which is given up");
            return self.pauses.forget(key);
        }
        tracing::warn!(profile = %key, error, ?pause, "cannot report, trying again");
        self.put_back(report);
    }

    /// Has a report delivered once more, or the one that has come since.
    fn put_back(&mut self, report: Report) {
        self.queue.insert(report.key.clone());
        let newest = self.reports.entry(report.key.clone()).or_insert_with(|| report.clone());
        newest.event = newest.event.take().or(report.event);
    }

    /// Waits for anything to happen, and takes in all that has happened.
    async fn progress(&mut self) {
        self.start_deliveries();
        let next_end = self.pauses.next_end(Instant::now());
        tokio::select! {
            Some(seen) = self.seen.next() => self.take_in(seen),
            Some(delivered) = self.flying.next(), if !self.flying.is_empty() => self.delivered(delivered),
            () = due(next_end) => {}
        }
        self.take_in_what_is_there();
    }

    fn take_in_what_is_there(&mut self) {
        while let Some(Some(delivered)) = self.flying.next().now_or_never() {
            self.delivered(delivered);
        }
        while let Some(Some(seen)) = self.seen.next().now_or_never() {
            self.take_in(seen);
        }
        self.start_deliveries();
    }
}

impl Source for Kubernetes {
    async fn next(&mut self) -> anyhow::Result<Change> {
        // Gives connections and deliveries their turn, for what was installed since the last call may have taken long.
        tokio::task::yield_now().await;
        self.take_in_what_is_there();
        loop {
            // Nothing is installed before it is known what may be.
            if self.configuration.is_known() {
                if let Some(change) = self.inbox.take(BATCH) {
                    return Ok(change);
                }
                if self.configuration.is_news() {
                    return Ok(Change::Some { changed: Vec::new(), gone: Vec::new() });
                }
            }
            self.progress().await;
        }
    }

    fn permitted(&self) -> Permitted {
        self.configuration.permitted()
    }

    fn report(&mut self, reports: Vec<Report>) {
        for mut report in reports {
            self.queue.insert(report.key.clone());
            self.pauses.forget(&report.key);
            if let Some(older) = self.reports.remove(&report.key) {
                report.event = report.event.or(older.event);
            }
            self.reports.insert(report.key.clone(), report);
        }
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        loop {
            self.start_deliveries();
            if self.queue.is_empty() && self.flying.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            if self.flying.is_empty() && !self.queue.iter().any(|key| self.pauses.permit(key, now)) {
                anyhow::bail!("{} reports could not be delivered to the API server", self.queue.len());
            }
            self.progress().await;
        }
    }
}

fn objects<K>(client: &Client, config: watcher::Config) -> BoxStream<'static, Event<Object>>
where
    K: kube::Resource<DynamicType = ()>,
{
    let kind = ApiResource::erase::<K>(&());
    let api: Api<Object> = Api::all_with(client.clone(), &kind);
    watch::forever(api, config, kind.kind).boxed()
}

#[cfg(test)]
mod tests;
