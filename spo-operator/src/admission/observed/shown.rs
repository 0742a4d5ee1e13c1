//! The objects of one kind, as their watch shows them.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::RangeFrom;

use kube::runtime::watcher::Event;

/// Records by their keys, in the order of these.
#[derive(Debug)]
pub(super) struct Shown<K, V> {
    records: BTreeMap<K, (Round, V)>,
    round: Round,
    complete: bool,
}

/// How often the watch has begun anew: what it has not shown in its current round is gone when the round is complete.
type Round = u32;

impl<K, V> Default for Shown<K, V> {
    fn default() -> Self {
        Self { records: BTreeMap::new(), round: 0, complete: false }
    }
}

impl<K: Ord, V> Shown<K, V> {
    /// Whether every object was shown once.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.records.get(key).map(|(_, record)| record)
    }

    /// The records from `first` on.
    pub(super) fn range(&self, first: RangeFrom<K>) -> impl Iterator<Item = (&K, &V)> {
        self.records.range(first).map(|(key, (_, record))| (key, record))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.records.iter().map(|(key, (_, record))| (key, record))
    }

    /// Takes in what the watch shows. `key` says which object one is, `record` what is kept of it, given what was kept before; an
    /// object for which either is `None` is not known.
    pub(super) fn take_in<O>(
        &mut self,
        event: Event<O>,
        key: impl FnOnce(&O) -> Option<K>,
        record: impl FnOnce(O, Option<&V>) -> Option<V>,
    ) {
        match event {
            Event::Init => self.round = self.round.wrapping_add(1),
            Event::InitDone => {
                self.complete = true;
                self.records.retain(|_, (round, _)| *round == self.round);
            }
            Event::Delete(object) => drop(key(&object).and_then(|key| self.records.remove(&key))),
            Event::Apply(object) | Event::InitApply(object) => {
                let Some(key) = key(&object) else { return };
                let before = self.records.get(&key).map(|(_, record)| record);
                match record(object, before) {
                    Some(record) => drop(self.records.insert(key, (self.round, record))),
                    None => drop(self.records.remove(&key)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(events: impl IntoIterator<Item = Event<&'static str>>) -> Shown<&'static str, usize> {
        let mut shown = Shown::default();
        for event in events {
            shown.take_in(
                event,
                |name| Some(*name),
                |_, before: Option<&usize>| Some(before.map_or(1, |times| *times + 1)),
            );
        }
        shown
    }

    #[test]
    fn what_a_restarted_watch_does_not_show_is_gone_when_it_is_through() {
        let mut all = shown([Event::Init, Event::InitApply("a"), Event::InitApply("b"), Event::InitDone, Event::Init]);
        assert!(all.get("a").is_some(), "until then it may still come");
        for event in [Event::InitApply("b"), Event::Apply("c"), Event::InitDone] {
            all.take_in(event, |name| Some(*name), |_, _| Some(1));
        }
        assert_eq!(all.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_watch_is_complete_after_its_first_round() {
        assert!(!shown([Event::Init, Event::InitApply("a")]).is_complete());
        assert!(shown([Event::Init, Event::InitDone]).is_complete());
        assert!(shown([Event::Init, Event::InitDone, Event::Init]).is_complete());
    }

    #[test]
    fn a_record_is_made_with_what_was_known() {
        assert_eq!(shown([Event::Apply("a"), Event::Apply("a"), Event::Apply("b")]).get("a"), Some(&2));
        assert_eq!(shown([Event::Apply("a"), Event::Delete("a"), Event::Apply("a")]).get("a"), Some(&1));
    }

    #[test]
    fn an_object_that_became_unreadable_is_forgotten() {
        let mut all = shown([Event::Apply("a")]);
        all.take_in(Event::Apply("a"), |name| Some(*name), |_, _| None);
        assert!(all.get("a").is_none());
    }
}
