//! The time that a client has to come further.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// A client is slow if it moves fewer bytes than this in a second, after [`GRACE`].
const BYTES_PER_SECOND: u64 = 4 << 20;
/// What every transfer has, however small it is.
const GRACE: Duration = Duration::from_secs(5);

/// When a connection ends unless it has come further. It is moved by whoever sees the next step.
#[derive(Debug, Clone)]
pub(super) struct Deadline(Arc<watch::Sender<Instant>>);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(Arc::new(watch::Sender::new(Instant::now() + time)))
    }

    /// From now on, this much time.
    pub(super) fn allow(&self, time: Duration) {
        self.move_to(Instant::now() + time);
    }

    pub(super) fn move_to(&self, when: Instant) {
        self.0.send_replace(when);
    }

    /// Waits until it is passed.
    pub(super) async fn passed(&self) {
        let mut moved = self.0.subscribe();
        loop {
            let when = *moved.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(when) => return,
                _ = moved.changed() => {}
            }
        }
    }
}

/// A transfer: each byte moved earns time for the next, so that a slow client ends soon and a large body does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    begun: Instant,
    moved_bytes: u64,
}

impl Transfer {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), moved_bytes: 0 }
    }

    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved_bytes += bytes as u64;
    }

    /// When the next bytes have to be there.
    pub(super) fn deadline(&self) -> Instant {
        self.begun + GRACE + Duration::from_millis(self.moved_bytes * 1000 / BYTES_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_moved_passes_later() {
        let deadline = Deadline::after(Duration::from_secs(1));
        let begin = Instant::now();
        let mover = deadline.clone();
        tokio::join!(deadline.passed(), async move { mover.allow(Duration::from_secs(9)) });
        assert_eq!(begin.elapsed().as_secs(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_moved_to_earlier_passes_earlier() {
        let deadline = Deadline::after(Duration::from_secs(100));
        let begin = Instant::now();
        let mover = deadline.clone();
        tokio::join!(deadline.passed(), async move { mover.allow(Duration::from_secs(2)) });
        assert_eq!(begin.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_nothing_has_the_grace_and_whoever_sends_much_earns_more() {
        let begin = Instant::now();
        let mut transfer = Transfer::begin();
        assert_eq!(transfer.deadline() - begin, GRACE);
        transfer.moved(16 << 20);
        assert_eq!(transfer.deadline() - begin, GRACE + Duration::from_secs(4));
    }
}
