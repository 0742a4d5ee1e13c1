//! From what the kernel holds and sends to values of this crate. Pure.

use spo_api::syscalls::Abi;

use super::wire::{self, COMPAT, NATIVE, NO_SLOT, PART, Place, Slot, WORDS, X32, X32_BIT, X32_PART};
use crate::event::{Event, Loss};
use crate::sys::wire::{bytes_of_mut, zeroed};

/// What the kernel tells, with slots by their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// The last marked task of a slot ended.
    Ended { place: Place },
    /// A process chosen by its executable ended.
    Exited { place: Place, pid: u32 },
    /// An expected pod's cgroup was made.
    Pod { name: String, cgroup: u64 },
    /// A container's cgroup was made; without a place if none was free.
    Container { place: Option<Place>, name: String },
    /// A selected cgroup was removed; with its place if it was a container's.
    Removed { place: Option<Place>, name: String },
}

/// Reads one record of the ring buffer; `None` if it is none of ours.
pub(super) fn told(record: &[u8]) -> Option<Told> {
    let mut event = zeroed::<wire::Event>();
    let bytes = bytes_of_mut(&mut event);
    if record.len() < wire::EVENT_HEAD || record.len() > bytes.len() {
        return None;
    }
    bytes[..record.len()].copy_from_slice(record);
    let name = || text(&event.name);
    let place = Some(event.place).filter(|place| place.slot != NO_SLOT);
    Some(match event.kind {
        wire::EVENT_ENDED => Told::Ended { place: place? },
        wire::EVENT_EXITED => Told::Exited { place: place?, pid: event.pid },
        wire::EVENT_POD => Told::Pod { name: name(), cgroup: event.cgroup },
        wire::EVENT_CONTAINER => Told::Container { place, name: name() },
        wire::EVENT_REMOVED => Told::Removed { place, name: name() },
        _ => return None,
    })
}

/// The text before the first zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// What a slot holds, as events, on a machine of this ABI.
pub(super) fn events(slot: &Slot, native: Abi) -> Vec<Event> {
    let call = |abi| move |number| Event::Call { abi, number };
    let mut events: Vec<Event> = bits(&slot.calls, NATIVE, PART).map(call(native)).collect();
    if native == Abi::X86_64 {
        events.extend(bits(&slot.calls, COMPAT, PART).map(call(Abi::X86)));
        events.extend(bits(&slot.calls, X32, X32_PART).map(|number| number | X32_BIT).map(call(Abi::X32)));
    } else {
        let foreign = bits(&slot.calls, COMPAT, PART).chain(bits(&slot.calls, X32, X32_PART)).count();
        events.push(Event::Lost { what: Loss::ForeignAbiCalls, count: foreign as u64 });
    }
    events.push(Event::Lost { what: Loss::NumbersOutOfRange, count: slot.beyond });
    events.push(Event::Lost { what: Loss::UnmarkedTasks, count: slot.unmarked });
    events.push(Event::Lost { what: Loss::CgroupsNotSelected, count: slot.not_selected });
    events.extend((slot.filtered != 0).then_some(Event::Filtered));
    events
}

/// The bits that are set in a part, counted from its first.
fn bits(words: &[u64; WORDS], first: u32, length: u32) -> impl Iterator<Item = u32> + '_ {
    (0..length).filter(move |bit| {
        let at = first + bit;
        words[at as usize / 64] >> (at % 64) & 1 == 1
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observe::Observation;
    use crate::sys::wire::bytes_of;

    fn observed(bits: &[u32], native: Abi) -> Observation {
        let mut slot = zeroed::<Slot>();
        for bit in bits {
            slot.calls[*bit as usize / 64] |= 1 << (bit % 64);
        }
        let mut seen = Observation::default();
        seen.extend(&events(&slot, native));
        seen
    }

    #[test]
    fn w_x_14_each_part_of_a_slot_is_an_abi_of_its_own() {
        let seen = observed(&[NATIVE + 59, COMPAT + 11, X32 + 520], Abi::X86_64);
        let numbers = |abi: Abi| seen.syscalls[&abi].iter().copied().collect::<Vec<_>>();
        assert_eq!(numbers(Abi::X86_64), [59]);
        assert_eq!(numbers(Abi::X86), [11]);
        assert_eq!(numbers(Abi::X32), [520 | X32_BIT]);
        assert!(seen.losses.is_empty());
    }

    #[test]
    fn calls_of_an_abi_without_a_table_are_counted_and_not_misnamed() {
        let seen = observed(&[NATIVE + 93, COMPAT + 11], Abi::Aarch64);
        assert_eq!(seen.syscalls.keys().collect::<Vec<_>>(), [&Abi::Aarch64]);
        assert_eq!(seen.losses.count(Loss::ForeignAbiCalls), 1);
    }

    #[test]
    fn what_a_slot_missed_is_part_of_what_it_tells() {
        let slot = Slot { beyond: 2, unmarked: 3, not_selected: 4, filtered: 1, ..zeroed() };
        let mut seen = Observation::default();
        seen.extend(&events(&slot, Abi::X86_64));
        assert_eq!(seen.losses.count(Loss::NumbersOutOfRange), 2);
        assert_eq!(seen.losses.count(Loss::UnmarkedTasks), 3);
        assert_eq!(seen.losses.count(Loss::CgroupsNotSelected), 4);
        assert!(seen.filtered);
    }

    #[test]
    fn a_record_has_the_length_of_its_name() {
        let mut event = zeroed::<wire::Event>();
        event.kind = wire::EVENT_CONTAINER;
        let place = Place { slot: 4, generation: 2 };
        event.name[..3].copy_from_slice(b"abc");
        for (there, told_there) in [(place, Some(place)), (wire::NOWHERE, None)] {
            event.place = there;
            let record = &bytes_of(&event)[..wire::EVENT_HEAD + 4];
            assert_eq!(told(record), Some(Told::Container { place: told_there, name: "abc".into() }));
        }
    }

    proptest! {
        #[test]
        fn any_record_is_read_without_panic(record in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = told(&record);
        }

        #[test]
        fn any_slot_is_read_without_panic(bits in proptest::collection::vec(0..wire::BITS, 0..80)) {
            let seen = observed(&bits, Abi::X86_64);
            let expected: std::collections::BTreeSet<u32> = bits.into_iter().collect();
            prop_assert_eq!(seen.syscalls.values().map(std::collections::BTreeSet::len).sum::<usize>(), expected.len());
        }
    }
}
