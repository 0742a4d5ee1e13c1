//! Which slots are in use. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;

use super::SlotId;
use super::wire::Place;

/// The slots of a recorder. Neither an id nor a place is ever used again; the slot of a place is, in its next generation.
#[derive(Debug)]
pub(super) struct Slots {
    next: u64,
    active: BTreeMap<SlotId, Active>,
    /// The one that was free the longest is used first.
    free: VecDeque<Place>,
}

/// A slot in use.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) place: Place,
    pub(super) chosen: Chosen,
    /// The counters of the recorder when this began.
    pub(super) counts: Vec<u64>,
    /// Whether its end was told.
    ended: bool,
}

/// How the tasks of a slot are chosen, as far as that must be undone.
#[derive(Debug)]
pub(super) enum Chosen {
    /// The process that a tree begins with.
    Process(OwnedFd),
    /// An executable.
    Executable,
    /// A container.
    Container,
}

impl Slots {
    /// `count` slots: free for us to give out, or given out by the kernel.
    pub(super) fn new(count: u32, by_kernel: bool) -> Self {
        let free = (0..count).map(|slot| Place { slot, generation: 0 });
        Self { next: 1, active: BTreeMap::new(), free: if by_kernel { VecDeque::new() } else { free.collect() } }
    }

    /// Takes a free place.
    pub(super) fn reserve(&mut self) -> Option<Place> {
        self.free.pop_front()
    }

    /// Gives back a place that was not used, or the next one of a slot that was.
    pub(super) fn give_back(&mut self, place: Place) {
        self.free.push_back(place);
    }

    /// Begins to use a place.
    pub(super) fn begin(&mut self, place: Place, chosen: Chosen, counts: Vec<u64>) -> SlotId {
        let id = SlotId(self.next);
        self.next += 1;
        self.active.insert(id, Active { place, chosen, counts, ended: false });
        id
    }

    pub(super) fn get(&self, id: SlotId) -> Option<&Active> {
        self.active.get(&id)
    }

    pub(super) fn end(&mut self, id: SlotId) -> Option<Active> {
        self.active.remove(&id)
    }

    /// Notes that the end of one is told; `false` if it was before.
    pub(super) fn tell_end(&mut self, id: SlotId) -> bool {
        self.active.get_mut(&id).is_some_and(|active| !std::mem::replace(&mut active.ended, true))
    }

    /// Who uses a place.
    pub(super) fn by_place(&self, place: Place) -> Option<SlotId> {
        self.active.iter().find(|(_, active)| active.place == place).map(|(id, _)| *id)
    }

    /// The places in use.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.active.values().map(|active| active.place)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_an_id_nor_a_place_is_used_again_though_the_slot_is() {
        let mut slots = Slots::new(1, false);
        let place = slots.reserve().unwrap();
        assert_eq!(slots.reserve(), None);
        let first = slots.begin(place, Chosen::Container, Vec::new());
        slots.end(first).unwrap();
        slots.give_back(Place { generation: 1, ..place });
        let next = slots.reserve().unwrap();
        let second = slots.begin(next, Chosen::Container, Vec::new());
        assert_ne!(first, second);
        assert!(slots.get(first).is_none());
        assert!(!slots.tell_end(first));
        assert!(slots.tell_end(second) && !slots.tell_end(second), "an end is told once");
        assert_eq!((slots.by_place(place), slots.by_place(next)), (None, Some(second)));
    }
}
