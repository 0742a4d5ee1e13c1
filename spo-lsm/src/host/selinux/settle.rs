//! Changing as much as can be changed, in as few transactions as it takes.

use crate::host::HostError;

/// Why a transaction failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// Nothing can be changed now, whatever it is.
    All(HostError),
    /// This item cannot; without it the others may.
    Item(usize, HostError),
    /// Some item cannot, or some do not go together.
    Some(HostError),
}

/// An item that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Its place.
    pub(super) place: usize,
    /// Why.
    pub(super) error: HostError,
    /// Whether it is the reason itself: the same item would fail on the same host again.
    pub(super) is_its_own: bool,
}

/// Carries out `count` changes by `run`, which is given the places of those to do in one transaction, and does all of them or none.
///
/// The usual case is one transaction. An item that is known to be bad is left out and the rest tried again; where nobody knows which,
/// halves are tried. What failed for want of something in another half is tried once more with what else failed.
pub(super) fn settle(count: usize, mut run: impl FnMut(&[usize]) -> Result<(), Failed>) -> Vec<Failure> {
    let mut batch: Vec<usize> = (0..count).collect();
    loop {
        let round = round(batch.clone(), &mut run);
        let is_progress = round.failures.len() < batch.len();
        if !(round.was_split && is_progress && !round.failures.is_empty()) || round.is_over {
            return round.failures;
        }
        batch = round.failures.into_iter().map(|failure| failure.place).collect();
    }
}

#[derive(Default)]
struct Round {
    failures: Vec<Failure>,
    was_split: bool,
    /// Whether nothing can be changed any more.
    is_over: bool,
}

fn round(batch: Vec<usize>, run: &mut impl FnMut(&[usize]) -> Result<(), Failed>) -> Round {
    let mut round = Round::default();
    let mut waiting = vec![batch];
    while let Some(mut batch) = waiting.pop() {
        match if batch.is_empty() { Ok(()) } else { run(&batch) } {
            Ok(()) => {}
            Err(Failed::All(error)) => {
                let rest = waiting.drain(..).flatten().chain(batch);
                round.failures.extend(rest.map(|place| Failure { place, error: error.clone(), is_its_own: false }));
                round.is_over = true;
            }
            Err(Failed::Item(place, error)) if batch.contains(&place) => {
                batch.retain(|other| *other != place);
                round.failures.push(Failure { place, error, is_its_own: true });
                waiting.push(batch);
            }
            Err(Failed::Item(_, error) | Failed::Some(error)) if batch.len() == 1 => {
                round.failures.extend(batch.into_iter().map(|place| Failure {
                    place,
                    error: error.clone(),
                    is_its_own: true,
                }));
            }
            Err(Failed::Item(..) | Failed::Some(_)) => {
                let other = batch.split_off(batch.len() / 2);
                waiting.extend([other, batch]);
                round.was_split = true;
            }
        }
    }
    round
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn error() -> HostError {
        HostError::Tool { tool: "semodule", message: "no".to_owned(), may_pass: true }
    }

    /// A store: which changes are bad, which need another one, and whether it names who is bad.
    #[derive(Debug, Clone)]
    struct Fake {
        bad: BTreeSet<usize>,
        needs: Vec<Option<usize>>,
        names: bool,
        done: BTreeSet<usize>,
        runs: usize,
    }

    impl Fake {
        fn run(&mut self, batch: &[usize]) -> Result<(), Failed> {
            self.runs += 1;
            let there: BTreeSet<usize> = self.done.iter().copied().chain(batch.iter().copied()).collect();
            let lacks = |place: usize| self.needs[place].is_some_and(|needed| !there.contains(&needed));
            match batch.iter().find(|place| self.bad.contains(place) || lacks(**place)) {
                None => {
                    self.done = there;
                    Ok(())
                }
                Some(place) if self.names => Err(Failed::Item(*place, error())),
                Some(_) => Err(Failed::Some(error())),
            }
        }
    }

    fn any_store() -> impl Strategy<Value = Fake> {
        (1_usize..20, any::<bool>()).prop_flat_map(|(count, names)| {
            let bad = prop::collection::btree_set(0..count, 0..3);
            // By a rank, so that nothing needs itself in a circle.
            let rank = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
            let needs = prop::collection::vec(prop::option::weighted(0.2, 0..count), count);
            (bad, needs, rank).prop_map(move |(bad, mut needs, rank)| {
                needs
                    .iter_mut()
                    .enumerate()
                    .for_each(|(place, needed)| *needed = needed.filter(|other| rank[*other] < rank[place]));
                Fake { bad, needs, names, done: BTreeSet::new(), runs: 0 }
            })
        })
    }

    proptest! {
        #[test]
        fn w_x_9_what_can_be_done_is_done_and_the_rest_is_told(mut store in any_store()) {
            let count = store.needs.len();
            let failures = settle(count, |batch| store.run(batch));
            let failed: BTreeSet<usize> = failures.iter().map(|failure| failure.place).collect();
            prop_assert_eq!(failed.len(), failures.len());
            // An item can be done if neither it nor what it needs, in turn, is bad.
            let possible = |mut place: usize| (0..=count).all(|_| {
                let good = !store.bad.contains(&place);
                place = store.needs[place].unwrap_or(place);
                good
            });
            let expected: BTreeSet<usize> = (0..count).filter(|place| !possible(*place)).collect();
            prop_assert_eq!(&store.done, &(0..count).filter(|place| possible(*place)).collect());
            prop_assert_eq!(failed, expected);
        }
    }

    #[test]
    fn w_x_9_a_bad_one_that_is_named_costs_one_more_transaction() {
        let mut store = Fake { bad: [3].into(), needs: vec![None; 50], names: true, done: [].into(), runs: 0 };
        assert_eq!(settle(50, |batch| store.run(batch)).len(), 1);
        assert_eq!((store.runs, store.done.len()), (2, 49));
    }

    #[test]
    fn nothing_more_is_tried_once_nothing_can_be_changed() {
        let mut runs = 0;
        let failures = settle(8, |batch| {
            runs += 1;
            if batch.len() > 4 { Err(Failed::Some(error())) } else { Err(Failed::All(error())) }
        });
        assert_eq!((failures.len(), runs), (8, 2));
    }
}
