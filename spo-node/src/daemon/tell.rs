//! Telling the source what became of profiles, once.

use spo_api::ProfileKey;
use spo_lsm::host::Host;

use super::Daemon;
use crate::source::{Event, Report, Source};
use crate::status::{self, Standing};
use crate::sync::{Scope, is_error};

impl<S: Source, H: Host + Send + 'static> Daemon<S, H> {
    /// Reports where profiles stand, as far as that is news.
    pub(super) fn tell(&mut self, standings: Vec<(ProfileKey, Standing)>) {
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
    pub(super) fn forget(&mut self, scope: &Scope) {
        let catalogue = &self.catalogue;
        let there = |key: &ProfileKey| catalogue.get(key).is_some();
        match scope {
            Scope::All => {
                self.told.retain(|key, _| there(key));
                self.events.retain(|key, _| there(key));
            }
            Scope::Some(keys) => {
                for key in keys.iter().filter(|key| !there(key)) {
                    self.told.remove(key);
                    self.events.remove(key);
                }
            }
        }
    }
}

fn log(report: &Report, error: bool) {
    let Report { key: profile, state, generation, message: detail, .. } = report;
    if error {
        tracing::error!(%profile, %state, generation, %detail, "profile");
    } else {
        tracing::info!(%profile, %state, generation, %detail, "profile");
    }
}
