//! Doing what is to be done, one batch at a time, and again what failed.

use spo_lsm::host::{Change, HostError, Step};
use tokio::time::Instant;

use super::{Done, Lane, RETRY_FIRST, RETRY_LAST};
use crate::catalogue::Catalogue;
use crate::source::{Event, EventReason};
use crate::status::chain;
use crate::sync::{Todo, owners};

impl Lane {
    /// Begins the next batch. What does not fit into it is compared again after it.
    pub(super) fn begin(&mut self, catalogue: &Catalogue, mut todo: Vec<Todo>) {
        let later = todo.split_off(todo.len().min(self.batch));
        self.touch(later.into_iter().map(|todo| todo.key().clone()));
        let steps: Vec<(Todo, Step)> =
            todo.into_iter().filter_map(|todo| step(catalogue, &todo).map(|step| (todo, step))).collect();
        if steps.is_empty() {
            return;
        }
        let Some(mut host) = self.host.take() else { return };
        self.work = Some(tokio::task::spawn_blocking(move || {
            let (todo, steps): (Vec<Todo>, Vec<Step>) = steps.into_iter().unzip();
            let outcomes = host.apply(&steps);
            let results = todo.into_iter().zip(outcomes.into_iter().map(|outcome| outcome.result)).collect();
            Done::Applied { host, results }
        }));
    }

    pub(super) fn finish(&mut self, done: Done) {
        match done {
            Done::Looked { host, support, installed } => {
                self.host = Some(host);
                self.looked(support, installed);
            }
            Done::Applied { host, results } => {
                self.host = Some(host);
                results.iter().for_each(|(todo, result)| self.applied(todo, result));
                // The folder was just made, or is another than before: what is in it is not known.
                self.look |= self.sight.is_lost();
            }
        }
    }

    fn applied(&mut self, todo: &Todo, result: &Result<Change, HostError>) {
        self.note(todo, result);
        self.tally(todo, result);
        if let Ok(change) = result {
            self.sight.expect(todo.file_name(), *change);
        }
        self.files.done(todo, result);
        self.touch(owners(self.module, todo.file_name()));
    }

    /// Remembers what is worth an event, and logs what no report will tell.
    fn note(&mut self, todo: &Todo, result: &Result<Change, HostError>) {
        let file = todo.file_name();
        match (todo, result) {
            (Todo::Install { key, fit }, Ok(Change::Written)) => {
                let restored = self.files.is_proven(file, fit.digest);
                let note = if restored {
                    format!("restored {file}, which something else changed")
                } else {
                    format!("saved {file}")
                };
                if restored {
                    tracing::warn!(file, "restored a file that something else changed");
                }
                self.events.insert(key.clone(), Event { reason: EventReason::Saved(self.module), note });
            }
            (Todo::Remove { key, .. }, Ok(Change::Removed)) => tracing::info!(profile = %key, file, "removed"),
            (Todo::Remove { key, .. }, Err(error)) => {
                tracing::error!(profile = %key, file, error = %chain(error), "cannot remove")
            }
            _ => {}
        }
    }

    /// Counts what was done. A step that fails again counts again.
    fn tally(&self, todo: &Todo, result: &Result<Change, HostError>) {
        let Some(counters) = &self.counters else { return };
        match (todo, result) {
            (_, Ok(change)) => counters.changed(self.module, *change),
            (Todo::Install { key, .. }, Err(_)) => counters.failed(key, EventReason::CannotSave(self.module)),
            (Todo::Remove { key, .. }, Err(_)) if self.told.contains_key(key) => {
                counters.failed(key, EventReason::CannotRemove(self.module));
            }
            (Todo::Remove { .. }, Err(_)) => {
                counters.failed_of_gone(self.module, EventReason::CannotRemove(self.module));
            }
        }
    }

    /// Sets the time at which what failed is tried again. While steps are under way, it is too early to tell.
    pub(super) fn plan_retry(&mut self) {
        if self.work.is_some() {
            return;
        }
        if !self.files.may_retry() && !self.is_unlisted {
            self.retry_at = None;
            self.retry_after = RETRY_FIRST;
        } else if self.retry_at.is_none() {
            self.retry_at = Some(Instant::now() + self.retry_after);
            self.retry_after = RETRY_LAST.min(self.retry_after * 2);
        }
    }

    /// Tries again what failed. The failed steps are forgotten together, so one comparison finds them all.
    pub(super) fn retry(&mut self) {
        self.retry_at = None;
        self.files.retry();
        self.touch_all();
        self.look |= self.is_unlisted;
    }
}

fn step(catalogue: &Catalogue, todo: &Todo) -> Option<Step> {
    match todo {
        Todo::Install { key, .. } => {
            let (checked, artifact) = catalogue.build(key)?;
            Some(Step::Install { checked, artifact })
        }
        Todo::Remove { key, file_name } => Some(Step::Remove { key: key.clone(), file_name: file_name.clone() }),
    }
}
