//! How many bytes of requests are in memory at a time.
//!
//! A request takes its share, which is the length it announces, before its body is read: until then its bytes wait with their
//! sender, held back by TCP. The share is given back when the answer has been sent, so that an answer of about the same size is
//! covered too: at most twice the budget is in memory.
//!
//! There are two lanes, so that nobody waits behind a large review with a small one.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body up to this size is a small one: no object is larger.
pub(super) const SMALL_BYTES: u64 = 3 << 20;
/// For small bodies, all together.
const SMALL_LANE_BYTES: u64 = 12 << 20;
/// For larger ones: four reviews of 15 MB, or one of the largest size.
const LARGE_LANE_BYTES: u64 = 64 << 20;
/// Shares are counted in these.
const UNIT_BYTES: u64 = 1024;

/// The bytes that requests may hold.
#[derive(Debug)]
pub(super) struct Budget {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A right to hold bytes, until it is dropped.
#[derive(Debug)]
pub(super) struct Share(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Budget {
    pub(super) fn new() -> Self {
        let lane = |bytes: u64| Arc::new(Semaphore::new((bytes / UNIT_BYTES) as usize));
        Self { small: lane(SMALL_LANE_BYTES), large: lane(LARGE_LANE_BYTES) }
    }

    /// Waits for its turn, first come first served. `bytes` is at most what a lane has.
    pub(super) async fn share(&self, bytes: u64) -> Option<Share> {
        let lane = if bytes <= SMALL_BYTES { &self.small } else { &self.large };
        let units = u32::try_from(bytes.min(LARGE_LANE_BYTES).div_ceil(UNIT_BYTES)).ok()?;
        lane.clone().acquire_many_owned(units).await.ok().map(Share)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const MB: u64 = 1_000_000;

    #[test]
    fn w_x_20_four_reviews_of_15_mb_are_held_at_once_and_the_fifth_waits() {
        let budget = Budget::new();
        let mut held: Vec<_> = (0..4).map(|_| budget.share(15 * MB).now_or_never().unwrap()).collect();
        assert!(budget.share(15 * MB).now_or_never().is_none());
        held.pop();
        assert!(budget.share(15 * MB).now_or_never().is_some());
    }

    #[test]
    fn the_largest_body_fits_alone() {
        let budget = Budget::new();
        let largest = budget.share(LARGE_LANE_BYTES).now_or_never().unwrap().unwrap();
        assert!(budget.share(SMALL_BYTES + 1).now_or_never().is_none());
        drop(largest);
        assert!(budget.share(SMALL_BYTES + 1).now_or_never().is_some());
    }

    #[test]
    fn a_small_request_never_waits_for_a_large_one() {
        let budget = Budget::new();
        let _large = budget.share(LARGE_LANE_BYTES).now_or_never().unwrap();
        let waiting = budget.share(LARGE_LANE_BYTES);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(budget.share(10_000).now_or_never().is_some());
    }
}
