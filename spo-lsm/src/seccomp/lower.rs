//! From names to the numbers of one ABI: the one place where the meaning of a profile is decided, for evaluator and compiler alike.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::syscalls::Abi;

use super::multiplex::sub_call;
use super::{Argument, Condition, Effect, Entry, Profile, Test};

/// What happens to the calls of one ABI that are not left to the default effect, by number.
pub(super) type Lowered = BTreeMap<u32, Decision>;

/// What happens to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// The same always.
    Always(Effect),
    /// The effect of the first rule that applies, else the default effect. The more restrictive come first.
    First(Vec<Rule>),
}

/// An effect if all conditions hold; there is at least one, ordered by argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Condition>,
    pub(super) effect: Effect,
}

/// The rules of `profile` for `abi`.
pub(super) fn lower(profile: &Profile, abi: Abi) -> Lowered {
    let mut lowered = Lowered::new();
    for entry in telling(profile) {
        let conditions = entry.conditions.iter().map(|condition| fitted(*condition, abi)).collect();
        let alternatives = alternatives(entry, conditions);
        for name in &entry.names {
            for conditions in &alternatives {
                add_call(&mut lowered, abi, name, conditions, entry.effect);
            }
        }
    }
    sort(&mut lowered);
    lowered
}

/// What `profile` says of each name, as on an ABI with wide arguments whose calls each have a name of their own.
pub(super) fn by_name(profile: &Profile) -> BTreeMap<&str, Decision> {
    let mut by_name = BTreeMap::new();
    for entry in telling(profile) {
        let alternatives = alternatives(entry, entry.conditions.clone());
        for name in &entry.names {
            for conditions in &alternatives {
                add(&mut by_name, name.as_str(), conditions.clone(), entry.effect);
            }
        }
    }
    sort(&mut by_name);
    by_name
}

/// The entries that do something.
pub(super) fn telling(profile: &Profile) -> impl Iterator<Item = &Entry> {
    profile.entries.iter().filter(|entry| !entry.effect.same_as(profile.default_effect))
}

/// Whether an entry decides about its calls alone on this ABI.
pub(super) fn is_unconditional(entry: &Entry, abi: Abi) -> bool {
    let conditions = entry.conditions.iter().map(|condition| fitted(*condition, abi)).collect();
    alternatives(entry, conditions).iter().any(Vec::is_empty)
}

/// Lists of conditions of an entry, of which one must hold whole. Those that look at no bit are left out, as libseccomp does: a list of
/// nothing else is none.
fn alternatives(entry: &Entry, conditions: Vec<Condition>) -> Vec<Vec<Condition>> {
    let looks = |condition: &Condition| !condition.test.is_blind();
    if entry.is_split() {
        conditions.into_iter().map(|condition| Vec::from_iter(Some(condition).filter(looks))).collect()
    } else {
        vec![conditions.into_iter().filter(looks).collect()]
    }
}

fn sort<K>(decisions: &mut BTreeMap<K, Decision>) {
    for decision in decisions.values_mut() {
        if let Decision::First(rules) = decision {
            // One and the same rule may have been named often.
            let mut known = BTreeSet::new();
            rules.retain(|rule| known.insert((rule.conditions.clone(), rule.effect.return_value())));
            rules.sort_by_key(|rule| rule.effect.severity());
        }
    }
}

fn fitted(condition: Condition, abi: Abi) -> Condition {
    if abi.is_32_bit() { Condition { test: condition.test.truncated(), ..condition } } else { condition }
}

fn add_call(lowered: &mut Lowered, abi: Abi, name: &str, conditions: &[Condition], effect: Effect) {
    let sub_call = if abi == Abi::X86 { sub_call(name) } else { None };
    if let Some((call, number)) = sub_call
        && let Some(call) = abi.number(call)
    {
        add(lowered, call, of_sub_call(number, conditions), effect);
    }
    if let Some(number) = abi.number(name) {
        add(lowered, number, conditions.to_vec(), effect);
    }
}

/// The conditions of a sub-call: the first argument says which it is, whatever the entry said about it.
fn of_sub_call(number: u64, conditions: &[Condition]) -> Vec<Condition> {
    let which = Condition { argument: Argument::FIRST, test: Test::Equal(number) };
    std::iter::once(which).chain(conditions.iter().copied().filter(|other| other.argument != Argument::FIRST)).collect()
}

fn add<K: Ord>(decisions: &mut BTreeMap<K, Decision>, call: K, mut conditions: Vec<Condition>, effect: Effect) {
    if conditions.is_empty() {
        let decided = matches!(decisions.get(&call), Some(Decision::Always(_)));
        if !decided {
            decisions.insert(call, Decision::Always(effect));
        }
        return;
    }
    conditions.sort_by_key(|condition| condition.argument);
    let rule = Rule { conditions, effect };
    match decisions.entry(call).or_insert_with(|| Decision::First(Vec::new())) {
        Decision::First(rules) => rules.push(rule),
        Decision::Always(_) => {}
    }
}
