//! Everything that was seen of one workload: a pure accumulator.
//!
//! The order of events does not matter, nor does seeing one twice: a recorder that was restarted reads again what it may
//! have read before, and several replicas of one workload add up to one profile.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::syscalls::Abi;

use crate::event::{Event, Loss};

/// What was seen of one workload, and what was missed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// The numbers of the calls, by the ABI they were made with.
    pub syscalls: BTreeMap<Abi, BTreeSet<u32>>,
    /// What was missed.
    pub losses: Losses,
    /// Whether a seccomp filter stood before any of it: what a filter refuses can neither be seen nor counted.
    pub filtered: bool,
}

impl Observation {
    /// Takes in one event.
    pub fn add(&mut self, event: &Event) {
        match *event {
            Event::Call { abi, number } => {
                self.syscalls.entry(abi).or_default().insert(number);
            }
            Event::Lost { what, count } => self.losses.raise(what, count),
            Event::Filtered => self.filtered = true,
        }
    }

    /// Takes in what was seen elsewhere, or earlier.
    pub fn merge(&mut self, other: Self) {
        for (abi, numbers) in other.syscalls {
            self.syscalls.entry(abi).or_default().extend(numbers);
        }
        for (what, count) in other.losses.0 {
            self.losses.raise(what, count);
        }
        self.filtered |= other.filtered;
    }
}

impl<'a> Extend<&'a Event> for Observation {
    fn extend<I: IntoIterator<Item = &'a Event>>(&mut self, events: I) {
        events.into_iter().for_each(|event| self.add(event));
    }
}

/// How much was missed, by kind.
///
/// Counts are lower bounds: merging keeps the higher one, as two readings of one counter must not add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<Loss, u64>);

impl Losses {
    /// Whether nothing was missed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was missed, and at least how often.
    pub fn iter(&self) -> impl Iterator<Item = (Loss, u64)> + '_ {
        self.0.iter().map(|(what, count)| (*what, *count))
    }

    /// How often at least `what` was missed.
    #[must_use]
    pub fn count(&self, what: Loss) -> u64 {
        self.0.get(&what).copied().unwrap_or(0)
    }

    fn raise(&mut self, what: Loss, count: u64) {
        if count > 0 {
            let known = self.0.entry(what).or_default();
            *known = count.max(*known);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        let abi = prop_oneof![Just(Abi::X86_64), Just(Abi::X86), Just(Abi::X32), Just(Abi::Aarch64)];
        let loss = prop_oneof![Just(Loss::UnmarkedTasks), Just(Loss::StillRunning), Just(Loss::DroppedNotifications)];
        prop_oneof![
            (abi, 0..600_u32).prop_map(|(abi, number)| Event::Call { abi, number }),
            (loss, 0..9_u64).prop_map(|(what, count)| Event::Lost { what, count }),
            Just(Event::Filtered),
        ]
    }

    fn observed<'a>(events: impl IntoIterator<Item = &'a Event>) -> Observation {
        let mut observation = Observation::default();
        observation.extend(events);
        observation
    }

    proptest! {
        #[test]
        fn the_order_of_events_does_not_matter(
            (events, shuffled) in vec(event(), 0..60).prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle()))
        ) {
            prop_assert_eq!(observed(&events), observed(&shuffled));
        }

        #[test]
        fn an_event_seen_twice_changes_nothing(events in vec(event(), 0..60)) {
            prop_assert_eq!(observed(&events), observed(events.iter().chain(&events)));
        }

        #[test]
        fn merging_is_the_same_as_seeing_everything_in_one_place(a in vec(event(), 0..40), b in vec(event(), 0..40)) {
            let (mut ab, mut ba) = (observed(&a), observed(&b));
            ab.merge(observed(&b));
            ba.merge(observed(&a));
            prop_assert_eq!(&ab, &observed(a.iter().chain(&b)));
            prop_assert_eq!(ab, ba);
        }
    }

    #[test]
    fn a_loss_that_did_not_happen_is_no_loss() {
        let event = Event::Lost { what: Loss::DroppedNotifications, count: 0 };
        assert!(observed([&event]).losses.is_empty());
    }
}
