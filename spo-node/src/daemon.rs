//! `spo-node daemon`: keeps the node's profiles as its source wants them.
//!
//! One loop waits for whatever happens next: the source changes, something happens to a file on the node, a batch of steps is done, a
//! failed step is due again, a signal comes. After each, what was touched is compared anew ([`crate::sync`]), what changed is
//! reported, and the next batch begins. Nothing is asked for that does not announce itself. Each module of the kernel has a
//! [`Lane`] of its own.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::select_all;
use tokio::time::Instant;

use crate::catalogue::{Catalogue, Known};
use crate::health::Ready;
use crate::metrics::counters::Counters;
use crate::signals::Ending;
use crate::source::{self, Source};
pub use lane::{BoxedHost, Changes, Lane};

mod lane;

/// What is under way when a signal comes has so long to finish.
const LAST_WORK: Duration = Duration::from_millis(500);
/// Reports that were not delivered yet have so long at the end.
const LAST_REPORTS: Duration = Duration::from_millis(300);

/// Everything the loop knows.
#[derive(Debug)]
pub struct Daemon<S> {
    source: S,
    catalogue: Catalogue,
    lanes: Vec<Lane>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How many profiles are in Error, files could not be removed or listed, and inputs could not be used.
    pub errors: usize,
}

impl<S: Source> Daemon<S> {
    /// A daemon that installs what `source` wants. There is a lane for each module, once.
    pub fn new(source: S, lanes: Vec<Lane>) -> Self {
        Self { source, catalogue: Catalogue::default(), lanes }
    }

    /// The same, with what it does counted.
    #[must_use]
    pub fn counted(mut self, counters: &Counters) -> Self {
        self.lanes.iter_mut().for_each(|lane| lane.count(counters));
        self
    }

    /// Runs until a signal comes; `once`, until the source was read and everything was done or has failed.
    ///
    /// # Errors
    /// What the source cannot get over, and with `once` what could not be reported.
    pub async fn run(mut self, once: bool, ready: &Ready, mut ending: Ending) -> Result<Ended> {
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
                taken_in = next(&mut self.lanes) => taken_in?,
                change = self.source.next() => self.change(change?),
            }
        }
        ready.set(false);
        self.end(once).await
    }

    /// Whether there is nothing left to do that can be done.
    fn is_settled(&self) -> bool {
        self.catalogue.known() != Known::Nothing && self.lanes.iter().all(Lane::is_settled)
    }

    fn change(&mut self, change: source::Change) {
        let all = matches!(change, source::Change::All { .. });
        let mut touched = self.catalogue.change(change);
        touched.extend(self.catalogue.permit(self.source.permitted()));
        for lane in &mut self.lanes {
            if all {
                lane.touch_all();
            }
            lane.touch(touched.iter().cloned());
        }
    }

    fn advance(&mut self) {
        let catalogue = &self.catalogue;
        let reports: Vec<_> = self.lanes.iter_mut().flat_map(|lane| lane.advance(catalogue)).collect();
        if !reports.is_empty() {
            self.source.report(reports);
        }
    }

    /// Lets what is under way finish, and delivers what was found out.
    async fn end(mut self, once: bool) -> Result<Ended> {
        let deadline = Instant::now() + LAST_WORK;
        for lane in &mut self.lanes {
            let reports = lane.end(&self.catalogue, deadline).await;
            self.source.report(reports);
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
        Ok(Ended { errors: self.lanes.iter().map(Lane::errors).sum::<usize>() + self.source.unusable() })
    }
}

/// Waits for what happens next in any lane, and takes it in. Cancel-safe.
async fn next(lanes: &mut [Lane]) -> Result<()> {
    if lanes.is_empty() {
        return std::future::pending().await;
    }
    select_all(lanes.iter_mut().map(|lane| Box::pin(lane.next()))).await.0
}

#[cfg(test)]
mod tests;
