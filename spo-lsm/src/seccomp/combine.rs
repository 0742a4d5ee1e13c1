//! One profile out of two, call by call.
//!
//! What [`merge`](super::merge) and [`intersect`](super::intersect) share: the effect of the result for each call is chosen from those of
//! the two profiles, the parts of the space where it differs from the default effect become entries again, and the result is then
//! proved, ABI by ABI, against the two. Combining goes by name, since entries do; what names do not tell (arguments of 32 bits, sub-calls
//! of `socketcall` and `ipc`) is left to the proof.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::syscalls::Abi;

use super::lower::{Decision, Lowered, by_name, lower};
use super::multiplex::sub_calls;
use super::parse::action_name;
use super::space::{Block, Budget, Side, TooComplex, largest, partition};
use super::{Call, Condition, Effect, Entry, Profile};

/// More entries for one call than this are not written: a filter that has them is of no use to anybody who reads it.
const MAX_ENTRIES_PER_CALL: usize = 128;

/// Calls for which one effect was chosen.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    block: Block,
    /// The conditions as they were written, if the block is theirs still.
    written: Option<Vec<Condition>>,
}

impl Part {
    fn entire(rule: &[Condition], block: Block) -> Self {
        Self { block, written: Some(rule.to_vec()) }
    }

    /// What of it is in `other`, and what is not. A part that `other` does not touch stays as it was written.
    fn split(self, other: &Block) -> (Vec<Self>, Vec<Self>) {
        if self.block.is_apart(other) {
            return (Vec::new(), vec![self]);
        }
        let (inside, outside) = self.block.split(other);
        let cut = |blocks: Vec<Block>| {
            let part = |block| Self { block, written: self.written.clone().filter(|_| block == self.block) };
            blocks.into_iter().map(part).collect()
        };
        (cut(inside), cut(outside))
    }

    fn conditions(self) -> Vec<Vec<Condition>> {
        self.written.map_or_else(|| self.block.conditions(), |written| vec![written])
    }

    fn weight(&self) -> usize {
        if self.written.is_some() { 1 } else { self.block.weight() }
    }
}

/// Parts with their effects. Where two overlap, their effects are the same.
type Parts = Vec<(Part, Effect)>;

/// What a profile says of a call, as parts.
fn parts(decision: Option<&Decision>, budget: &mut Budget) -> Result<Parts, TooComplex> {
    let all = Block::all(largest(false));
    let rules = match decision {
        None => return Ok(Vec::new()),
        Some(Decision::Always(effect)) => return Ok(vec![(Part::entire(&[], all), *effect)]),
        Some(Decision::First(rules)) => rules,
    };
    let mut parts: Parts = Vec::new();
    let mut before: Vec<(Block, Effect)> = Vec::new();
    for rule in rules {
        let Some(block) = Block::of(&rule.conditions, largest(false)) else { continue };
        let others = before.iter().filter(|(_, effect)| !effect.same_as(rule.effect)).map(|(block, _)| block);
        let rest = outside(Part::entire(&rule.conditions, block), others, budget)?;
        parts.extend(rest.into_iter().map(|part| (part, rule.effect)));
        before.push((block, rule.effect));
    }
    Ok(parts)
}

/// What of a part is in none of some blocks.
fn outside<'a>(
    part: Part,
    blocks: impl Iterator<Item = &'a Block>,
    budget: &mut Budget,
) -> Result<Vec<Part>, TooComplex> {
    let mut rest = vec![part];
    for block in blocks {
        budget.take(1 + rest.len())?;
        rest = rest.into_iter().flat_map(|part| part.split(block).1).collect();
    }
    Ok(rest)
}

/// The parts of a call for which `choose` says what neither is nor becomes the default.
fn choose_parts(
    a: (&Parts, Effect),
    b: (&Parts, Effect),
    choose: impl Fn(Effect, Effect) -> Effect,
    budget: &mut Budget,
) -> Result<Parts, TooComplex> {
    let mut chosen = Parts::new();
    for (part, effect) in a.0 {
        let alone = choose(*effect, b.1);
        let mut rest = vec![part.clone()];
        for (other, others) in b.0 {
            let both = choose(*effect, *others);
            if both.same_as(alone) {
                continue;
            }
            budget.take(1 + rest.len())?;
            let (inside, left): (Vec<_>, Vec<_>) = rest.into_iter().map(|part| part.split(&other.block)).unzip();
            chosen.extend(inside.into_iter().flatten().map(|part| (part, both)));
            rest = left.into_iter().flatten().collect();
        }
        chosen.extend(rest.into_iter().map(|part| (part, alone)));
    }
    // Where both have parts, the above has chosen.
    for (part, effect) in b.0 {
        let alone = choose(a.1, *effect);
        let chosen_above = |(_, others): &&(Part, Effect)| !choose(*others, *effect).same_as(alone);
        let blocks = a.0.iter().filter(chosen_above).map(|(part, _)| &part.block);
        chosen.extend(outside(part.clone(), blocks, budget)?.into_iter().map(|part| (part, alone)));
    }
    let default = choose(a.1, b.1);
    chosen.retain(|(_, effect)| !effect.same_as(default));
    without_covered(chosen, budget)
}

/// Leaves out what another part with the same effect says already.
fn without_covered(parts: Parts, budget: &mut Budget) -> Result<Parts, TooComplex> {
    let mut kept: Parts = Vec::new();
    for (part, effect) in parts {
        budget.take(1 + kept.len())?;
        if kept.iter().any(|(other, others)| others.same_as(effect) && other.block.covers(&part.block)) {
            continue;
        }
        kept.retain(|(other, others)| !(others.same_as(effect) && part.block.covers(&other.block)));
        kept.push((part, effect));
    }
    Ok(kept)
}

/// Entries by what they say, for the names that they say it of.
#[derive(Default)]
pub(super) struct Entries<'a>(BTreeMap<Said, BTreeSet<&'a str>>);

/// What makes two entries one: the order is that of the entries.
type Said = (&'static str, Effect, Vec<Condition>);

impl<'a> Entries<'a> {
    fn add(&mut self, name: &'a str, effect: Effect, conditions: Vec<Condition>) {
        self.0.entry((action_name(effect.action()), effect, conditions)).or_default().insert(name);
    }

    /// Says of a name nothing but this.
    pub(super) fn only(&mut self, name: &'a str, effect: Effect) {
        self.0.values_mut().for_each(|names| _ = names.remove(name));
        self.0.retain(|_, names| !names.is_empty());
        self.add(name, effect, Vec::new());
    }

    pub(super) fn to_entries(&self) -> Vec<Entry> {
        let entry = |((_, effect, conditions), names): (&Said, &BTreeSet<&str>)| Entry {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            effect: *effect,
            conditions: conditions.clone(),
        };
        self.0.iter().map(entry).collect()
    }
}

/// The entries by which each call has the effect that `choose` says; and the names for which they are too many.
pub(super) fn combine<'a>(
    a: &'a Profile,
    b: &'a Profile,
    choose: impl Fn(Effect, Effect) -> Effect + Copy,
    budget: &mut Budget,
) -> (Entries<'a>, Vec<&'a str>) {
    let (of_a, of_b) = (by_name(a), by_name(b));
    let names: BTreeSet<&str> = of_a.keys().chain(of_b.keys()).copied().collect();
    let (mut entries, mut too_complex) = (Entries::default(), Vec::new());
    for name in names {
        budget.begin();
        let mut chosen = || {
            let (in_a, in_b) = (parts(of_a.get(name), budget)?, parts(of_b.get(name), budget)?);
            let chosen = choose_parts((&in_a, a.default_effect), (&in_b, b.default_effect), choose, budget)?;
            let weight = chosen.iter().fold(0_usize, |sum, (part, _)| sum.saturating_add(part.weight()));
            if weight > MAX_ENTRIES_PER_CALL.max(in_a.len() + in_b.len()) { Err(TooComplex) } else { Ok(chosen) }
        };
        let Ok(chosen) = chosen() else {
            too_complex.push(name);
            continue;
        };
        for (part, effect) in chosen {
            part.conditions().into_iter().for_each(|conditions| entries.add(name, effect, conditions));
        }
    }
    (entries, too_complex)
}

/// How the result stands to the two for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    /// The call.
    pub(super) call: Call,
    /// What happens to it: by the first, by the second, by the result.
    pub(super) effects: [Effect; 3],
}

/// What stands out among the calls of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) abi: Abi,
    pub(super) number: u32,
    /// A call of it for which something is as was asked; or that its space has too many pieces to tell.
    pub(super) found: Result<Finding, TooComplex>,
}

/// The numbers that have a call for which `is_found` holds of the effects in the three profiles, with that call.
pub(super) fn find(
    profiles: [&Profile; 3],
    budget: &mut Budget,
    is_found: impl Fn([Effect; 3]) -> bool,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for abi in profiles[2].covered() {
        let lowered: [Lowered; 3] = profiles.map(|profile| lower(profile, abi));
        let numbers: BTreeSet<u32> = lowered.iter().flat_map(|lowered| lowered.keys().copied()).collect();
        for number in numbers {
            let side = |at: usize| Side::new(lowered[at].get(&number), profiles[at].default_effect, abi.is_32_bit());
            let mut found = None;
            let cut = partition(&[side(0), side(1), side(2)], abi.is_32_bit(), budget, |block, effects| {
                if is_found(effects) {
                    let call = Call { abi, nr: number, args: block.example() };
                    found = Some(Finding { call, effects });
                }
                found.is_none()
            });
            let found = cut.map(|()| found).transpose();
            outcomes.extend(found.map(|found| Outcome { abi, number, found }));
        }
    }
    outcomes
}

/// The names that decide about a number: its own, and those of its sub-calls.
pub(super) fn names_of(abi: Abi, number: u32) -> Vec<&'static str> {
    let Some(name) = abi.name(number) else { return Vec::new() };
    let subs = if abi == Abi::X86 { sub_calls(name) } else { &[] };
    std::iter::once(name).chain(subs.iter().map(|(sub, _)| *sub)).collect()
}

/// One list with what either has, in their order.
pub(super) fn united<T: Copy + PartialEq>(a: &[T], b: &[T]) -> Vec<T> {
    let mut united: Vec<T> = Vec::new();
    for one in a.iter().chain(b) {
        if !united.contains(one) {
            united.push(*one);
        }
    }
    united
}
