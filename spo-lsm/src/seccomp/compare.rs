//! Two profiles side by side, call by call, on every ABI that one of them covers.

use std::collections::BTreeSet;

use spo_api::syscalls::{Abi, X32_BIT};

use super::lower::lower;
use super::space::{Block, Budget, Side, partition};
use super::{Call, Effect, Profile};

/// Calls that the two profiles may tell apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) abi: Abi,
    /// None for the calls that neither names.
    pub(super) name: Option<&'static str>,
    /// Which of the two cover the ABI.
    pub(super) covered: [bool; 2],
    pub(super) block: &'a Block,
    pub(super) effects: [Effect; 2],
    /// One of the calls.
    pub(super) call: Call,
}

/// Shows `look` all calls in pieces in which each profile has one effect, until it says that it has seen enough of a number. What there is
/// no time for is given back.
pub(super) fn compare(
    a: &Profile,
    b: &Profile,
    budget: &mut Budget,
    mut look: impl FnMut(Spot<'_>) -> bool,
) -> Vec<&'static str> {
    let mut uncompared = BTreeSet::new();
    let abis: BTreeSet<Abi> = a.covered().chain(b.covered()).collect();
    for abi in abis {
        let profiles = [a, b];
        let covered = profiles.map(|profile| profile.covered().any(|one| one == abi));
        let lowered = profiles.map(|profile| lower(profile, abi));
        let numbers: BTreeSet<u32> = lowered.iter().flat_map(|lowered| lowered.keys().copied()).collect();
        let nameless = (if abi == Abi::X32 { X32_BIT } else { 0 }..).find(|number| !numbers.contains(number));
        for nr in numbers.iter().copied().chain(nameless) {
            let name = if Some(nr) == nameless { None } else { abi.name(nr) };
            let side = |at: usize| match covered[at] {
                true => Side::new(lowered[at].get(&nr), profiles[at].default_effect, abi.is_32_bit()),
                false => Side::always(Effect::KillThread),
            };
            let cut = partition(&[side(0), side(1)], abi.is_32_bit(), budget, |block, effects| {
                look(Spot { abi, name, covered, block, effects, call: Call { abi, nr, args: block.example() } })
            });
            if cut.is_err() {
                uncompared.extend(name);
            }
        }
    }
    uncompared.into_iter().collect()
}
