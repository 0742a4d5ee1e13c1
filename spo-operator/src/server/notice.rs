//! What is said about clients that misbehave: each kind of trouble once in a while, however often it happens.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One kind of trouble is told of once in this time.
const PAUSE: Duration = Duration::from_secs(10);

/// What can be wrong with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It could not be accepted: too many files are open.
    Accept,
    /// No handshake: it does not speak TLS, not in a version that is permitted, or does not trust the certificate.
    Handshake,
    /// It took too long, or went away in the middle.
    Slow,
    /// No HTTP.
    Http,
    /// A request that cannot be answered: an unknown path, a wrong method, no review, too large.
    Request,
    /// It waited in vain for memory.
    Full,
}

/// How many kinds there are.
const KINDS: usize = 6;

/// When each kind of trouble was last told of, and how often it was kept quiet since.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<[Kept; KINDS]>);

#[derive(Debug, Default, Clone, Copy)]
struct Kept {
    told: Option<Instant>,
    quiet: u64,
}

impl Notices {
    /// Tells of it, unless the same was told a moment ago; then it is counted.
    pub(super) fn tell(&self, trouble: Trouble, error: &dyn Display) {
        let Some(more) = self.due(trouble, Instant::now()) else {
            return tracing::debug!(?trouble, %error, "trouble with a client");
        };
        let message = match trouble {
            Trouble::Accept => "cannot accept a connection",
            Trouble::Handshake => "a client did not finish its TLS handshake",
            Trouble::Slow => "a client is too slow or went away",
            Trouble::Http => "a client does not speak HTTP/1.1",
            Trouble::Request => "a request cannot be answered",
            Trouble::Full => "a request found no room in memory in time",
        };
        tracing::warn!(%error, since_the_last_such_line = more, "{message}");
    }

    /// How many were kept quiet, if it is time to tell.
    fn due(&self, trouble: Trouble, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut all[trouble as usize];
        if kept.told.is_some_and(|told| now.duration_since(told) < PAUSE) {
            kept.quiet += 1;
            return None;
        }
        kept.told = Some(now);
        Some(std::mem::take(&mut kept.quiet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_told_once_in_a_while_and_counted() {
        let (notices, begin) = (Notices::default(), Instant::now());
        assert_eq!(notices.due(Trouble::Slow, begin), Some(0));
        assert_eq!(notices.due(Trouble::Slow, begin), None);
        assert_eq!(notices.due(Trouble::Full, begin), Some(0), "another kind is not held back");
        assert_eq!(notices.due(Trouble::Slow, begin + PAUSE), Some(1));
        assert_eq!(notices.due(Trouble::Slow, begin + PAUSE), None);
    }
}
