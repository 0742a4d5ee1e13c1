//! `spo-node daemon`: keeps the node's profiles as its source wants them.
//!
//! One loop waits for whatever happens next: the source changes, something happens to a file on the node, a batch of steps is done, a
//! failed step is due again, a signal comes. After each, what was touched is compared anew ([`crate::sync`]), what changed is
//! reported, and the next batch begins. Nothing is asked for that does not announce itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use spo_api::ProfileKey;
use spo_lsm::host::{Change, Host, HostError};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::catalogue::{Catalogue, Known};
use crate::health::Ready;
use crate::signals::Ending;
use crate::source::{self, Event, Source, due};
use crate::status::Standing;
use crate::sync::{Files, Scope, Support, Todo, diff, is_error};
use crate::watch::{self, FolderWatch, Seen};
use echo::Echo;

mod echo;
mod folder;
mod tell;
mod work;

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
    /// Whether the folder could not be listed, so that what is in it is not known.
    is_unlisted: bool,
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
    /// How many profiles are in Error, files could not be removed or listed, and inputs could not be used.
    pub errors: usize,
}

impl<S: Source, H: Host + Send + 'static> Daemon<S, H> {
    /// A daemon that installs what `source` wants on `host`, whose profiles are in `folder`.
    pub fn new(source: S, host: H, folder: PathBuf) -> Self {
        Self {
            source,
            support: Support { seccomp: host.support() },
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
            is_unlisted: false,
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
                () = ending.wait() => {
                    ensure!(!once, "ended by a signal before everything was done");
                    break;
                }
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
        touched.extend(self.catalogue.permit(self.source.permitted()));
        self.touch(touched);
    }

    fn touch(&mut self, keys: impl IntoIterator<Item = ProfileKey>) {
        if let Scope::Some(scope) = &mut self.scope {
            scope.extend(keys);
        }
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
                Ok(Err(error)) => {
                    tracing::warn!(error = %format_args!("{error:#}"), "ending with reports that could not be delivered")
                }
                Err(_elapsed) => tracing::warn!("ending with reports that could not be delivered in time"),
            }
        }
        let profiles = self.told.values().filter(|(_, standing)| is_error(standing)).count();
        let files = usize::from(self.files.is_stuck()) + usize::from(self.is_unlisted);
        Ok(Ended { errors: profiles + files + self.source.unusable() })
    }
}

/// Waits for the batch that is under way. Cancel-safe.
async fn finished<H>(batch: &mut Option<JoinHandle<Batch<H>>>) -> Result<Batch<H>> {
    let Some(handle) = batch else { return std::future::pending().await };
    let done = handle.await.context("a batch of steps ended without a result")?;
    *batch = None;
    Ok(done)
}

#[cfg(test)]
mod tests;
