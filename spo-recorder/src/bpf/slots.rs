//! Which slots are in use. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;

use super::SlotId;

/// The slots of a recorder. An id is never used again; an index is, once no task carries its mark any more.
#[derive(Debug)]
pub(super) struct Slots {
    next: u64,
    active: BTreeMap<SlotId, Active>,
    /// The one that was free the longest is used first, as the kernel may still have something to tell of the others.
    free: VecDeque<u32>,
    /// Given back while tasks still carried their mark.
    retired: Vec<u32>,
}

/// A slot in use.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) index: u32,
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
        let free = if by_kernel { VecDeque::new() } else { (0..count).collect() };
        Self { next: 1, active: BTreeMap::new(), free, retired: Vec::new() }
    }

    /// Takes a free index.
    pub(super) fn reserve(&mut self) -> Option<u32> {
        self.free.pop_front()
    }

    /// Gives back an index that no task carries.
    pub(super) fn give_back(&mut self, index: u32) {
        self.free.push_back(index);
    }

    /// Keeps an index aside until no task carries its mark.
    pub(super) fn retire(&mut self, index: u32) {
        self.retired.push(index);
    }

    /// Whether an index is kept aside.
    pub(super) fn is_retired(&self, index: u32) -> bool {
        self.retired.contains(&index)
    }

    /// The indices that were kept aside.
    pub(super) fn take_retired(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.retired)
    }

    /// Begins to use an index.
    pub(super) fn begin(&mut self, index: u32, chosen: Chosen, counts: Vec<u64>) -> SlotId {
        let id = SlotId(self.next);
        self.next += 1;
        self.active.insert(id, Active { index, chosen, counts, ended: false });
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

    /// Who uses an index.
    pub(super) fn by_index(&self, index: u32) -> Option<SlotId> {
        self.active.iter().find(|(_, active)| active.index == index).map(|(id, _)| *id)
    }

    /// The indices in use.
    pub(super) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.active.values().map(|active| active.index)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_used_again_though_its_index_is() {
        let mut slots = Slots::new(1, false);
        let index = slots.reserve().unwrap();
        assert_eq!(slots.reserve(), None);
        let first = slots.begin(index, Chosen::Container, Vec::new());
        slots.end(first).unwrap();
        slots.give_back(index);
        let index = slots.reserve().unwrap();
        let second = slots.begin(index, Chosen::Container, Vec::new());
        assert_ne!(first, second);
        assert!(slots.get(first).is_none());
        assert!(!slots.tell_end(first));
        assert!(slots.tell_end(second) && !slots.tell_end(second), "an end is told once");
        assert_eq!(slots.by_index(index), Some(second));
    }
}
