//! Entries for one call that libseccomp gets wrong together.
//!
//! It puts the rules for a call into one tree of comparisons. That goes right where each comparison is EQ or MASKED_EQ, and where there
//! is but one for each rule, of one argument, and none is LT or LE. Of other trees it (2.5 and 2.6) permits some calls that no rule
//! permits, refuses some that one does, and some it never finishes, so that the container does not start.

use spo_api::FieldPath;
use spo_api::syscalls::Abi;

use super::lower::{Decision, Rule, by_name, lower};
use super::multiplex::sub_calls;
use super::{Profile, Test};
use crate::findings::Findings;

/// So many calls are named.
const MAX_NAMES: usize = 8;
/// So many rules for one call are compared with each other; profiles as people write them have a dozen.
const MAX_RULES: usize = 256;

/// Warns of calls whose entries are such; `root` is the path of the entries.
pub(super) fn find(profile: &Profile, root: &FieldPath, found: &mut Findings) {
    let wrong = |decision: &Decision| matches!(decision, Decision::First(rules) if !goes_right(rules));
    let calls = by_name(profile).into_iter().filter(|(_, decision)| wrong(decision));
    let mut names: Vec<&str> = calls.map(|(name, _)| name).collect();
    if profile.covered().any(|abi| abi == Abi::X86) {
        // Entries for their sub-calls are theirs as well, which nothing else compares with their own.
        let clash = |decision: &Decision| matches!(decision, Decision::First(rules) if clash(rules));
        let calls = lower(profile, Abi::X86).into_iter().filter(|(_, decision)| wrong(decision) || clash(decision));
        let shared = calls.filter_map(|(number, _)| Abi::X86.name(number)).filter(|name| !sub_calls(name).is_empty());
        names.extend(shared);
    }
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        let more = names.len().saturating_sub(MAX_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names = names[..names.len().min(MAX_NAMES)].join(", ");
        let reason = format!(
            "libseccomp mixes up the conditions of several rules for one call, here for {names}{more}: some calls meet another action, or \
             the container never starts; use one entry for it, or SCMP_CMP_EQ and SCMP_CMP_MASKED_EQ alone"
        );
        found.warn_first(root.clone(), reason);
    }
}

fn goes_right(rules: &[Rule]) -> bool {
    let tests = || rules.iter().flat_map(|rule| &rule.conditions);
    let equal = tests().all(|condition| matches!(condition.test, Test::Equal(_) | Test::MaskedEqual { .. }));
    let less = tests().any(|condition| matches!(condition.test, Test::LessThan(_) | Test::LessEqual(_)));
    let alone = rules.iter().all(|rule| rule.conditions.len() == 1);
    let argument = tests().next().map(|condition| condition.argument);
    let same = tests().all(|condition| Some(condition.argument) == argument);
    rules.len() < 2 || equal || (alone && same && !less)
}

/// Whether two rules with different effects may apply to one call.
fn clash(rules: &[Rule]) -> bool {
    let apart = |one: &Rule, other: &Rule| {
        one.conditions.iter().any(|one| {
            other.conditions.iter().any(|other| one.argument == other.argument && one.test.excludes(other.test))
        })
    };
    let clashes = |(at, one): (usize, &Rule)| {
        rules[..at].iter().any(|other| !one.effect.same_as(other.effect) && !apart(one, other))
    };
    rules.len() > MAX_RULES || rules.iter().enumerate().any(clashes)
}
