//! What is reported of profiles, once.

use spo_api::ProfileKey;

use super::{Lane, Told};
use crate::catalogue::Catalogue;
use crate::source::{Desired, Event, Report};
use crate::status::{self, Standing};
use crate::sync::{Scope, is_error};

impl Lane {
    /// Reports where profiles stand, as far as that is news.
    pub(super) fn tell(&mut self, catalogue: &Catalogue, standings: Vec<(ProfileKey, Standing)>) -> Vec<Report> {
        let mut reports = Vec::new();
        for (key, standing) in standings {
            let Some(entry) = catalogue.get(&key) else { continue };
            if let Some(counters) = &self.counters {
                counters.compared(key.kind, is_error(&standing));
            }
            let event = self.events.remove(&key);
            let Desired { object, generation, .. } = &entry.desired;
            let now = Told { uid: object.uid.clone(), generation: *generation, standing };
            if event.is_none() && self.told.get(&key) == Some(&now) {
                continue;
            }
            let mut report = status::report(&entry.desired, &now.standing);
            let news = self.told.get(&key).is_none_or(|before| before.standing != now.standing);
            let warning = now.standing.warning(self.module).filter(|_| news);
            if let (Some(reason), Some(counters), false) = (warning, &self.counters, now.standing.is_of_a_step()) {
                counters.failed(&key, reason);
            }
            report.event = event.or_else(|| warning.map(|reason| Event { reason, note: report.message.clone() }));
            log(&report, is_error(&now.standing));
            self.told.insert(key, now);
            reports.push(report);
        }
        reports
    }

    /// Nothing is told any more about what is gone.
    pub(super) fn forget(&mut self, catalogue: &Catalogue, scope: &Scope) {
        let there = |key: &ProfileKey| catalogue.get(key).is_some();
        match scope {
            Scope::All => {
                self.told.keys().filter(|key| !there(key)).for_each(|key| self.uncount(key));
                self.told.retain(|key, _| there(key));
                self.events.retain(|key, _| there(key));
            }
            Scope::Some(keys) => {
                for key in keys.iter().filter(|key| !there(key)) {
                    self.uncount(key);
                    self.told.remove(key);
                    self.events.remove(key);
                }
            }
        }
    }

    /// No series names a profile that is gone.
    fn uncount(&self, key: &ProfileKey) {
        if let Some(counters) = &self.counters {
            counters.forget(key);
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
