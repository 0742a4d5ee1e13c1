//! When what could not be delivered is tried again. Pure.
//!
//! A report that the API server refuses waits by itself: the others go on. What all reports would meet with (no API server, no
//! permission) makes all of them wait.

use std::collections::HashMap;
use std::time::Duration;

use spo_api::ProfileKey;
use tokio::time::Instant;

/// The first pause of a report, doubled up to the last.
const ONE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(60));
/// The same for all of them.
const ALL: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The pauses that there are.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// Of profiles whose last delivery failed.
    by_key: HashMap<ProfileKey, Pause>,
    /// Of everything, until something succeeds.
    all: Option<Pause>,
}

/// A pause, and how many failures in a row led to it.
#[derive(Debug, Clone, Copy)]
struct Pause {
    failures: u32,
    length: Duration,
    until: Instant,
}

/// What a failure led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paused {
    /// How long it is until the next try.
    pub(super) length: Duration,
    /// How often this profile's report was refused since one of it was delivered.
    pub(super) refusals: u32,
}

impl Pauses {
    /// The delivery of a report failed for a reason of its own.
    pub(super) fn refused(&mut self, key: &ProfileKey, now: Instant) -> Paused {
        let pause = longer(self.by_key.get(key), ONE, now);
        self.by_key.insert(key.clone(), pause);
        Paused { length: pause.length, refusals: pause.failures }
    }

    /// A delivery failed for a reason that all others would meet with.
    pub(super) fn all_failed(&mut self, now: Instant) -> Paused {
        // Those that were under way together fail together: that is one failure.
        let pause = match self.all {
            Some(pause) if pause.until > now => pause,
            _ => longer(self.all.as_ref(), ALL, now),
        };
        self.all = Some(pause);
        Paused { length: pause.length, refusals: 0 }
    }

    /// A report was delivered.
    pub(super) fn delivered(&mut self, key: &ProfileKey) {
        self.by_key.remove(key);
        self.all = None;
    }

    /// There is nothing more to deliver of a profile, or something new.
    pub(super) fn forget(&mut self, key: &ProfileKey) {
        self.by_key.remove(key);
    }

    /// Whether a report about this profile may be delivered now.
    pub(super) fn permit(&self, key: &ProfileKey, now: Instant) -> bool {
        [self.by_key.get(key), self.all.as_ref()].into_iter().flatten().all(|pause| pause.until <= now)
    }

    /// When the next of these pauses ends.
    pub(super) fn next_end(&self, now: Instant) -> Option<Instant> {
        let pauses = self.by_key.values().chain(&self.all);
        pauses.map(|pause| pause.until).filter(|until| *until > now).min()
    }
}

fn longer(before: Option<&Pause>, (first, last): (Duration, Duration), now: Instant) -> Pause {
    let length = before.map_or(first, |pause| last.min(pause.length * 2));
    Pause { failures: before.map_or(0, |pause| pause.failures) + 1, length, until: now + length }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::key;

    #[test]
    fn a_report_that_is_refused_delays_no_other() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        let paused = pauses.refused(&key("web"), now);
        assert!(!pauses.permit(&key("web"), now) && pauses.permit(&key("db"), now));
        assert_eq!(pauses.next_end(now), Some(now + paused.length));
        assert!(pauses.permit(&key("web"), now + paused.length));
    }

    #[test]
    fn a_pause_grows_with_each_refusal_and_ends_with_a_delivery() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        let lengths: Vec<Duration> = (0..12).map(|_| pauses.refused(&key("web"), now).length).collect();
        assert_eq!((lengths[0], lengths[1], lengths[11]), (ONE.0, ONE.0 * 2, ONE.1));
        assert_eq!(pauses.refused(&key("web"), now).refusals, 13);
        pauses.delivered(&key("web"));
        assert!(pauses.permit(&key("web"), now));
        assert_eq!(pauses.refused(&key("web"), now), Paused { length: ONE.0, refusals: 1 });
    }

    #[test]
    fn what_all_would_meet_with_makes_all_wait_until_something_is_delivered() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        let first = pauses.all_failed(now);
        assert_eq!(pauses.all_failed(now), first, "what failed together is one failure");
        assert!(!pauses.permit(&key("web"), now));
        assert_eq!(pauses.all_failed(now + first.length).length, ALL.0 * 2);
        pauses.delivered(&key("db"));
        assert!(pauses.permit(&key("web"), now));
    }

    #[test]
    fn nothing_is_waited_for_that_is_over_or_forgotten() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        let paused = pauses.refused(&key("web"), now);
        assert_eq!(pauses.next_end(now + paused.length), None);
        pauses.forget(&key("web"));
        assert_eq!(pauses.next_end(now), None);
    }
}
