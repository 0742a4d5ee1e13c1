//! The API server as a source of profiles.
//!
//! Two watches: profiles, and the `SecurityProfileNodeStatus` objects of this node. The first says what is wanted; the second is
//! what was reported already, so that a restart writes nothing. Reports are delivered a few at a time while [`Source::next`]
//! waits, each by at most three requests: the object where it is missing or its labels changed, its status where that
//! changed, and the event. Statuses that a reference operator left for this node are deleted. Nothing is ever put on a profile: no
//! label, no finalizer.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures::{FutureExt, StreamExt};
use kube::api::ApiResource;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::{ProfileKey, ProfileKind, labels};

use self::delivery::{Delivered, Target};
use self::inbox::Inbox;
use self::object::Object;
use self::statuses::Statuses;
use super::{Change, Report, Source};

mod delivery;
mod event;
#[doc(hidden)]
pub mod fuzz;
mod inbox;
pub mod node;
mod object;
mod statuses;
mod watch;

/// How many reports are delivered at one time.
const CONCURRENT: usize = 16;
/// The most profiles of one [`Change::Some`]: reports about the first ones are on their way while the next are installed.
const BATCH: usize = 64;
/// The first pause after a delivery that failed, doubled up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

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
    statuses: Statuses,
    /// The last report about each profile that is there: what the API server should say of it.
    reports: HashMap<ProfileKey, Report>,
    /// Profiles whose last report may have to be delivered.
    queue: HashSet<ProfileKey>,
    /// Profiles whose report is being delivered.
    busy: HashSet<ProfileKey>,
    flying: FuturesUnordered<BoxFuture<'static, Delivered>>,
    /// How long the last failure made everything wait; zero after a success.
    pause: Duration,
    /// Nothing is delivered before.
    not_before: Option<tokio::time::Instant>,
}

/// What a watch shows.
enum Seen {
    Profile(Event<Object>),
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
        None => Config::incluster().context("not in a pod; outside one, pass --kubeconfig or set KUBECONFIG")?,
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
    /// Starts to watch. The API server need not be there yet.
    ///
    /// # Errors
    /// As [`client`].
    pub async fn connect(settings: &Settings) -> anyhow::Result<Self> {
        let target = Target::new(client(settings).await?, settings.node_name.clone());
        let mut seen = SelectAll::new();
        let profiles = objects::<SeccompProfile>(&target.client, watcher::Config::default());
        seen.push(profiles.map(Seen::Profile).boxed());
        let ours = format!("{}={}", labels::NODE_NAME, labels::node_name_value(&settings.node_name));
        let statuses = objects::<SecurityProfileNodeStatus>(&target.client, watcher::Config::default().labels(&ours));
        seen.push(statuses.map(Seen::Status).boxed());
        Ok(Self {
            statuses: Statuses::new(settings.node_name.clone()),
            target,
            seen,
            inbox: Inbox::default(),
            reports: HashMap::new(),
            queue: HashSet::new(),
            busy: HashSet::new(),
            flying: FuturesUnordered::new(),
            pause: Duration::ZERO,
            not_before: None,
        })
    }

    fn take_in(&mut self, seen: Seen) {
        match seen {
            Seen::Profile(event) => {
                for gone in self.inbox.take_in(ProfileKind::Seccomp, event) {
                    self.reports.remove(&gone);
                }
            }
            // Whoever changed or deleted a status of ours: it is compared with the last report once more.
            Seen::Status(event) => self.queue.extend(self.statuses.take_in(event)),
        }
    }

    /// Starts deliveries, once it is known what was reported before.
    fn start_deliveries(&mut self) {
        if !self.statuses.complete() || self.not_before.is_some() {
            return;
        }
        let free = CONCURRENT.saturating_sub(self.flying.len());
        let next: Vec<ProfileKey> = self.queue.difference(&self.busy).take(free).cloned().collect();
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
        let Delivered { report, status, failure } = delivered;
        self.busy.remove(&report.key);
        if let Some(status) = status {
            self.statuses.written(status);
        }
        let Some(failure) = failure else {
            self.pause = Duration::ZERO;
            return;
        };
        self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.not_before = Some(tokio::time::Instant::now() + self.pause);
        let (error, pause) = (&failure as &dyn std::error::Error, self.pause);
        tracing::warn!(profile = %report.key, error, ?pause, "cannot report, trying again");
        self.queue.insert(report.key.clone());
        let newest = self.reports.entry(report.key.clone()).or_insert_with(|| report.clone());
        newest.event = newest.event.take().or(report.event);
    }

    /// Waits for anything to happen, and takes in all that has happened.
    async fn progress(&mut self) {
        self.start_deliveries();
        let resume = async {
            match self.not_before {
                Some(moment) => tokio::time::sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(seen) = self.seen.next() => self.take_in(seen),
            Some(delivered) = self.flying.next(), if !self.flying.is_empty() => self.delivered(delivered),
            () = resume => self.not_before = None,
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
            if let Some(change) = self.inbox.take(BATCH) {
                return Ok(change);
            }
            self.progress().await;
        }
    }

    fn report(&mut self, reports: Vec<Report>) {
        for mut report in reports {
            self.queue.insert(report.key.clone());
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
            if self.not_before.is_some() && self.flying.is_empty() {
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
