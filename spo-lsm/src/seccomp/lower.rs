//! From names to the numbers of one ABI: the one place where the meaning of a profile is decided, for evaluator and compiler alike.

use std::collections::BTreeMap;

use spo_api::syscalls::Abi;

use super::multiplex::sub_call;
use super::{Argument, Condition, Effect, Profile, Test};

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
    for entry in profile.entries.iter().filter(|entry| !entry.effect.same_as(profile.default_effect)) {
        let conditions: Vec<Condition> = entry.conditions.iter().map(|condition| fitted(*condition, abi)).collect();
        let alternatives: Vec<Vec<Condition>> = if entry.is_split() {
            conditions.into_iter().map(|condition| vec![condition]).collect()
        } else {
            vec![conditions]
        };
        for name in &entry.names {
            for conditions in &alternatives {
                add_call(&mut lowered, abi, name, conditions, entry.effect);
            }
        }
    }
    for decision in lowered.values_mut() {
        if let Decision::First(rules) = decision {
            rules.sort_by_key(|rule| rule.effect.severity());
        }
    }
    lowered
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

fn add(lowered: &mut Lowered, number: u32, mut conditions: Vec<Condition>, effect: Effect) {
    if conditions.is_empty() {
        let decided = matches!(lowered.get(&number), Some(Decision::Always(_)));
        if !decided {
            lowered.insert(number, Decision::Always(effect));
        }
        return;
    }
    conditions.sort_by_key(|condition| condition.argument);
    let rule = Rule { conditions, effect };
    match lowered.entry(number).or_insert_with(|| Decision::First(Vec::new())) {
        Decision::First(rules) if !rules.contains(&rule) => rules.push(rule),
        Decision::First(_) | Decision::Always(_) => {}
    }
}
