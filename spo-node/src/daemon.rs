//! `spo-node daemon`: keeps the node's profiles as its source wants them.
//!
//! One loop waits for whatever happens next: the source changes, something happens to a file on the node, a batch of steps is done, a
//! failed step is due again, a signal comes. After each, what was touched is compared anew ([`crate::sync`]), what changed is
//! reported, and the next batch begins. Nothing is asked for that does not announce itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use spo_api::ProfileKey;
use spo_lsm::host::{Change, Host, HostError, Step, Support};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::catalogue::{Catalogue, Known};
use crate::health::Ready;
use crate::signals::Ending;
use crate::source::{self, Event, EventReason, Report, Source};
use crate::status::{self, Standing, chain};
use crate::sync::{Files, Scope, Todo, diff, is_error, owners};
use crate::watch::{self, FolderWatch, Seen};
use echo::Echo;

mod echo;

/// So many steps are one batch: a signal is heard after each.
const BATCH: usize = 32;
/// A failed step is tried again after this, and after twice as long each time it fails again,
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// but not later than this.
const RETRY_LAST: Duration = Duration::from_secs(60);
/// What is under way when a signal comes has so long to finish.
const LAST_BATCH: Duration = Duration::from_millis(500);
/// Reports that were not delivered yet have so long at the end.
const LAST_REPORTS: Duration = Duration::from_millis(300);

/// Everything the loop knows.
#[derive(Debug)]
pub struct Daemon<S, H> {
    source: S,
    /// Away while a batch is done.
    host: Option<H>,
    support: Support,
    /// The profiles folder, where this process finds it.
    folder: PathBuf,
    watch: Option<FolderWatch>,
    catalogue: Catalogue,
    files: Files,
    /// What may have changed since it was last compared.
    scope: Scope,
    /// What was last reported.
    told: BTreeMap<ProfileKey, (i64, Standing)>,
    /// What is to be told with the next report.
    events: BTreeMap<ProfileKey, Event>,
    batch: Option<JoinHandle<Batch<H>>>,
    /// What happened to files, but was not looked at yet.
    seen: Seen,
    echo: Echo,
    retry_at: Option<Instant>,
    retry_after: Duration,
}

/// A batch that was done.
#[derive(Debug)]
struct Batch<H> {
    host: H,
    results: Vec<(Todo, Result<Change, HostError>)>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How many profiles are in Error, files could not be removed, and inputs could not be used.
    pub errors: usize,
}

impl<S: Source, H: Host + Send + 'static> Daemon<S, H> {
    /// A daemon that installs what `source` wants on `host`, whose profiles are in `folder`.
    pub fn new(source: S, host: H, folder: PathBuf) -> Self {
        Self {
            source,
            support: host.support(),
            host: Some(host),
            folder,
            watch: None,
            catalogue: Catalogue::default(),
            files: Files::default(),
            scope: Scope::All,
            told: BTreeMap::new(),
            events: BTreeMap::new(),
            batch: None,
            seen: Seen::default(),
            echo: Echo::default(),
            retry_at: None,
            retry_after: RETRY_FIRST,
        }
    }

    /// Runs until a signal comes; `once`, until the source was read and everything was done or has failed.
    ///
    /// # Errors
    /// What the source cannot get over, and with `once` what could not be reported.
    pub async fn run(mut self, once: bool, ready: &Ready, mut ending: Ending) -> Result<Ended> {
        if let Err(unsupported) = &self.support.seccomp {
            tracing::warn!(reason = %unsupported.reason, next_step = %unsupported.next_step, "this node cannot use seccomp profiles");
        }
        self.look();
        loop {
            self.advance();
            if self.is_settled() {
                ready.set(true);
                if once {
                    break;
                }
            }
            tokio::select! {
                biased;
                () = ending.wait() => break,
                batch = finished(&mut self.batch) => self.finish(batch?),
                seen = watch::next(&mut self.watch) => self.seen.merge(seen.context("cannot watch the profiles folder")?),
                () = due(self.retry_at) => self.retry(),
                change = self.source.next() => self.change(change?),
            }
        }
        ready.set(false);
        self.end(once).await
    }

    /// Whether there is nothing left to do that can be done.
    fn is_settled(&self) -> bool {
        self.batch.is_none() && self.catalogue.known() != Known::Nothing && self.scope == Scope::Some(BTreeSet::new())
    }

    fn change(&mut self, change: source::Change) {
        if matches!(change, source::Change::All { .. }) {
            self.scope = Scope::All;
        }
        let mut touched = self.catalogue.change(change);
        touched.extend(self.catalogue.permit(self.source.policy()));
        self.touch(touched);
    }

    fn touch(&mut self, keys: impl IntoIterator<Item = ProfileKey>) {
        if let Scope::Some(scope) = &mut self.scope {
            scope.extend(keys);
        }
    }

    /// Looks at the whole folder, and watches it from then on.
    fn look(&mut self) {
        let Some(host) = &self.host else { return };
        // Watched before it is listed, so that nothing is missed in between. A folder that does not exist yet is watched once it does.
        self.watch = match FolderWatch::new(&self.folder) {
            Ok(watch) => Some(watch),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::error!(folder = %self.folder.display(), %error, "cannot watch the profiles folder: what others change there is noticed at the next start");
                None
            }
        };
        self.echo = Echo::default();
        self.seen = Seen::default();
        match host.installed() {
            Ok(installed) => {
                for foreign in &installed.foreign {
                    tracing::warn!(file = foreign.name, what = foreign.what, "something that is no profile has the name of one");
                }
                self.files.listed(&installed);
            }
            Err(error) => tracing::error!(folder = %self.folder.display(), error = chain(&error), "cannot list the profiles folder"),
        }
        self.scope = Scope::All;
    }

    /// Compares what was touched, reports, and begins the next batch.
    fn advance(&mut self) {
        if self.batch.is_some() {
            return;
        }
        self.absorb();
        if self.scope == Scope::Some(BTreeSet::new()) || self.catalogue.known() == Known::Nothing {
            return;
        }
        let scope = std::mem::replace(&mut self.scope, Scope::Some(BTreeSet::new()));
        let plan = diff(&self.catalogue, &self.files, &self.support, &scope);
        self.forget(&scope);
        self.tell(plan.standings);
        self.begin(plan.todo);
        self.plan_retry();
    }

    /// Takes in what happened to files, but for the echo of this process's own doing.
    fn absorb(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        if seen.overflow || seen.gone {
            tracing::warn!(folder = %self.folder.display(), gone = seen.gone, "lost sight of the profiles folder; looking at all of it");
            self.look();
        }
        for (name, happened) in seen.names {
            let Some(name) = name.to_str() else { continue };
            if self.echo.is_news(name, happened) {
                tracing::debug!(file = name, "something happened to a file");
                self.files.touched(name);
                self.touch(owners(name));
            }
        }
    }

    fn tell(&mut self, standings: Vec<(ProfileKey, Standing)>) {
        let mut reports = Vec::new();
        for (key, standing) in standings {
            let Some(entry) = self.catalogue.get(&key) else { continue };
            let event = self.events.remove(&key);
            let now = (entry.desired.generation, standing);
            if event.is_none() && self.told.get(&key) == Some(&now) {
                continue;
            }
            let mut report = status::report(&entry.desired, &now.1);
            let news = self.told.get(&key).is_none_or(|(_, before)| *before != now.1);
            let warning = now.1.warning().filter(|_| news);
            report.event = event.or_else(|| warning.map(|reason| Event { reason, note: report.message.clone() }));
            log(&report, is_error(&now.1));
            self.told.insert(key, now);
            reports.push(report);
        }
        if !reports.is_empty() {
            self.source.report(reports);
        }
    }

    /// Nothing is told any more about what is gone.
    fn forget(&mut self, scope: &Scope) {
        let catalogue = &self.catalogue;
        match scope {
            Scope::All => self.told.retain(|key, _| catalogue.get(key).is_some()),
            Scope::Some(keys) => {
                for key in keys.iter().filter(|key| catalogue.get(key).is_none()) {
                    self.told.remove(key);
                }
            }
        }
    }

    /// Begins the next batch. What does not fit into it is compared again after it.
    fn begin(&mut self, mut todo: Vec<Todo>) {
        let later = todo.split_off(todo.len().min(BATCH));
        self.touch(later.into_iter().map(|todo| todo.key().clone()));
        let steps: Vec<(Todo, Step)> = todo.into_iter().filter_map(|todo| self.step(&todo).map(|step| (todo, step))).collect();
        if steps.is_empty() {
            return;
        }
        let Some(mut host) = self.host.take() else { return };
        self.batch = Some(tokio::task::spawn_blocking(move || {
            let (todo, steps): (Vec<Todo>, Vec<Step>) = steps.into_iter().unzip();
            let outcomes = host.apply(&steps);
            Batch { host, results: todo.into_iter().zip(outcomes.into_iter().map(|outcome| outcome.result)).collect() }
        }));
    }

    fn step(&self, todo: &Todo) -> Option<Step> {
        match todo {
            Todo::Install { key, .. } => {
                let (checked, artifact) = self.catalogue.build(key)?;
                Some(Step::Install { checked, artifact, generation: self.catalogue.get(key)?.desired.generation })
            }
            Todo::Remove { key, file_name } => Some(Step::Remove { key: key.clone(), file_name: file_name.clone() }),
        }
    }

    fn finish(&mut self, batch: Batch<H>) {
        self.host = Some(batch.host);
        for (todo, result) in batch.results {
            self.note(&todo, &result);
            if let (Ok(change), true) = (&result, self.watch.is_some()) {
                self.echo.expect(todo.file_name(), *change);
            }
            self.files.done(&todo, &result);
            self.touch(owners(todo.file_name()));
        }
        if self.watch.is_none() && self.folder.is_dir() {
            self.look();
        }
    }

    /// Remembers what is worth an event, and logs what no report will tell.
    fn note(&mut self, todo: &Todo, result: &Result<Change, HostError>) {
        let file = todo.file_name();
        match (todo, result) {
            (Todo::Install { key, fit }, Ok(Change::Written)) => {
                let restored = self.files.is_proven(file, fit.digest);
                let note = if restored { format!("restored {file}, which something else changed") } else { format!("saved {file}") };
                if restored {
                    tracing::warn!(file, "restored a file that something else changed");
                }
                self.events.insert(key.clone(), Event { reason: EventReason::SavedSeccompProfile, note });
            }
            (Todo::Remove { key, .. }, Ok(Change::Removed)) => tracing::info!(profile = %key, file, "removed"),
            (Todo::Remove { key, .. }, Err(error)) => tracing::error!(profile = %key, file, error = chain(error), "cannot remove"),
            _ => {}
        }
    }

    /// Sets the time at which what failed is tried again. While steps are under way, it is too early to tell.
    fn plan_retry(&mut self) {
        if self.batch.is_some() {
            return;
        }
        if !self.files.may_retry() {
            self.retry_at = None;
            self.retry_after = RETRY_FIRST;
        } else if self.retry_at.is_none() {
            self.retry_at = Some(Instant::now() + self.retry_after);
            self.retry_after = RETRY_LAST.min(self.retry_after * 2);
        }
    }

    /// Tries again what failed. The failed steps are forgotten together, so one comparison finds them all.
    fn retry(&mut self) {
        self.retry_at = None;
        self.files.retry();
        self.scope = Scope::All;
    }

    /// Lets what is under way finish, and delivers what was found out.
    async fn end(mut self, once: bool) -> Result<Ended> {
        if let Some(batch) = self.batch.take()
            && let Ok(Ok(batch)) = tokio::time::timeout(LAST_BATCH, batch).await
        {
            self.finish(batch);
            let plan = diff(&self.catalogue, &self.files, &self.support, &self.scope);
            self.tell(plan.standings);
        }
        if once {
            self.source.flush().await?;
        } else {
            match tokio::time::timeout(LAST_REPORTS, self.source.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(error = format!("{error:#}"), "ending with reports that could not be delivered"),
                Err(_elapsed) => tracing::warn!("ending with reports that could not be delivered in time"),
            }
        }
        let profiles = self.told.values().filter(|(_, standing)| is_error(standing)).count();
        Ok(Ended { errors: profiles + usize::from(self.files.is_stuck()) + self.source.unusable() })
    }
}

fn log(report: &Report, error: bool) {
    let (profile, state, generation) = (&report.key, report.state, report.generation);
    if error {
        tracing::error!(%profile, %state, generation, message = report.message, "profile");
    } else {
        tracing::info!(%profile, %state, generation, message = report.message, "profile");
    }
}

/// Waits for the batch that is under way. Cancel-safe.
async fn finished<H>(batch: &mut Option<JoinHandle<Batch<H>>>) -> Result<Batch<H>> {
    let Some(handle) = batch else { return std::future::pending().await };
    let done = handle.await.context("a batch of steps ended without a result")?;
    *batch = None;
    Ok(done)
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
