//! The profiles of one module of the kernel: what is known of them, what is under way, what was told.
//!
//! Modules have nothing to do with each other. A policy of SELinux takes the host a minute; filters for seccomp do not wait for it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use spo_api::{Module, ProfileKey};
use spo_lsm::host::{Change, Host, HostError, Installed, Unsupported};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::catalogue::{Catalogue, Known};
use crate::metrics::counters::Counters;
use crate::source::{Event, Report, due};
use crate::status::{Standing, chain};
use crate::sync::{Files, Scope, Todo, diff, is_error};
use sight::Sight;

mod echo;
mod sight;
mod tell;
mod work;

pub use sight::Changes;

/// A failed step is tried again after this, and after twice as long each time it fails again,
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// but not later than this.
const RETRY_LAST: Duration = Duration::from_secs(60);

/// A host that may be sent to another thread while it is at work.
pub type BoxedHost = Box<dyn Host + Send>;

/// The profiles of one module.
pub struct Lane {
    module: Module,
    /// Away while it is at work; none for a module that is switched off.
    host: Option<BoxedHost>,
    support: Result<(), Unsupported>,
    files: Files,
    /// What may have changed since it was last compared.
    scope: Scope,
    work: Option<JoinHandle<Done>>,
    /// Whether the host is to be asked for what is there, before anything else is done.
    look: bool,
    /// Whether it could not say.
    is_unlisted: bool,
    sight: Sight,
    /// So many steps are done at a time: a signal is heard after each batch.
    batch: usize,
    /// What was last reported.
    told: BTreeMap<ProfileKey, Told>,
    /// What is to be told with the next report.
    events: BTreeMap<ProfileKey, Event>,
    retry_at: Option<Instant>,
    retry_after: Duration,
    /// Where what is done is counted, if it is.
    counters: Option<Counters>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("module", &self.module).field("support", &self.support).finish_non_exhaustive()
    }
}

/// What was reported of a profile.
#[derive(Debug, PartialEq)]
struct Told {
    /// Of which object: one that was deleted and made anew may have the generation of the one before.
    uid: Option<String>,
    generation: i64,
    standing: Standing,
}

/// What a host has done.
enum Done {
    /// Said what it supports and what is there.
    Looked { host: BoxedHost, support: Result<(), Unsupported>, installed: Result<Installed, HostError> },
    /// A batch.
    Applied { host: BoxedHost, results: Vec<(Todo, Result<Change, HostError>)> },
}

impl Lane {
    /// The lane of a host. `changes` tells what others do there.
    pub fn new(host: BoxedHost, changes: Changes) -> Self {
        let module = host.module();
        Self { host: Some(host), look: true, sight: Sight::new(changes), ..Self::bare(module, Ok(())) }
    }

    /// The lane of a module that this daemon installs no profiles of; each says why.
    pub fn without(module: Module, why: Unsupported) -> Self {
        Self::bare(module, Err(why))
    }

    fn bare(module: Module, support: Result<(), Unsupported>) -> Self {
        Self {
            module,
            host: None,
            support,
            files: Files::new(module),
            scope: Scope::All,
            work: None,
            look: false,
            is_unlisted: false,
            sight: Sight::new(Changes::Unseen),
            batch: batch(module),
            told: BTreeMap::new(),
            events: BTreeMap::new(),
            retry_at: None,
            retry_after: RETRY_FIRST,
            counters: None,
        }
    }

    /// Has what is done counted.
    pub(super) fn count(&mut self, counters: &Counters) {
        self.counters = Some(counters.clone());
    }

    /// Says that these profiles may have changed. Those of other modules are passed over.
    pub(super) fn touch(&mut self, keys: impl IntoIterator<Item = ProfileKey>) {
        if let Scope::Some(scope) = &mut self.scope {
            scope.extend(keys.into_iter().filter(|key| key.kind.module() == self.module));
        }
    }

    /// Says that anything may have changed.
    pub(super) fn touch_all(&mut self) {
        self.scope = Scope::All;
    }

    /// Whether there is nothing left to do that can be done.
    pub(super) fn is_settled(&self) -> bool {
        self.work.is_none() && !self.look && self.scope.is_empty()
    }

    /// How many profiles are in Error, or could not be removed or listed.
    pub(super) fn errors(&self) -> usize {
        let profiles = self.told.values().filter(|told| is_error(&told.standing)).count();
        profiles + usize::from(self.files.is_stuck()) + usize::from(self.is_unlisted)
    }

    /// Compares what was touched, begins the next batch, and gives what is to be reported.
    pub(super) fn advance(&mut self, catalogue: &Catalogue) -> Vec<Report> {
        if self.work.is_some() {
            return Vec::new();
        }
        self.absorb();
        if self.look {
            self.begin_to_look();
            return Vec::new();
        }
        if self.scope.is_empty() || catalogue.known() == Known::Nothing {
            return Vec::new();
        }
        let scope = std::mem::take(&mut self.scope);
        let plan = diff(catalogue, &self.files, &self.support, &scope);
        self.forget(catalogue, &scope);
        let reports = self.tell(catalogue, plan.standings);
        self.begin(catalogue, plan.todo);
        self.plan_retry();
        reports
    }

    /// Waits for what happens next, and takes it in. Cancel-safe.
    ///
    /// # Errors
    /// Work that ended without a result, and a folder that cannot be watched.
    pub(super) async fn next(&mut self) -> Result<()> {
        tokio::select! {
            biased;
            done = finished(&mut self.work) => self.finish(done?),
            seen = self.sight.next() => self.look |= seen.context("cannot watch the profiles folder")?,
            () = due(self.retry_at) => self.retry(),
        }
        Ok(())
    }

    /// Gives what is under way until then to finish, and what is to be reported of it.
    pub(super) async fn end(&mut self, catalogue: &Catalogue, deadline: Instant) -> Vec<Report> {
        let Some(work) = self.work.take() else { return Vec::new() };
        let Ok(Ok(done)) = tokio::time::timeout_at(deadline, work).await else { return Vec::new() };
        self.finish(done);
        let plan = diff(catalogue, &self.files, &self.support, &self.scope);
        self.tell(catalogue, plan.standings)
    }

    fn begin_to_look(&mut self) {
        let Some(mut host) = self.host.take() else { return };
        self.look = false;
        // Watched before it is listed, so that nothing is missed in between.
        self.sight.renew();
        self.work = Some(tokio::task::spawn_blocking(move || {
            let support = host.support();
            let installed = host.installed();
            Done::Looked { host, support, installed }
        }));
    }

    fn looked(&mut self, support: Result<(), Unsupported>, installed: Result<Installed, HostError>) {
        if let (Err(unsupported), true) = (&support, self.support != support) {
            tracing::warn!(module = %self.module, reason = %unsupported.reason, next_step = %unsupported.next_step, "this node cannot use profiles of the module");
        }
        self.is_unlisted = installed.is_err() && support.is_ok();
        self.support = support;
        match installed {
            Ok(installed) => {
                for foreign in &installed.foreign {
                    let (file, what) = (&foreign.name, foreign.what);
                    tracing::warn!(file, what, "something that is no profile has the name of one");
                }
                self.files.listed(&installed);
            }
            Err(error) if self.is_unlisted => {
                tracing::error!(module = %self.module, error = %chain(&error), "cannot list what is installed, trying again")
            }
            // It was just said why.
            Err(_unsupported) => {}
        }
        self.scope = Scope::All;
    }
}

/// How many steps are one batch. All that is pending for SELinux is one transaction of its policy.
fn batch(module: Module) -> usize {
    match module {
        Module::Seccomp | Module::AppArmor => 32,
        Module::Selinux => usize::MAX,
    }
}

/// Waits for the work that is under way. Cancel-safe.
async fn finished(work: &mut Option<JoinHandle<Done>>) -> Result<Done> {
    let Some(handle) = work else { return std::future::pending().await };
    let done = handle.await.context("a host ended without a result")?;
    *work = None;
    Ok(done)
}
