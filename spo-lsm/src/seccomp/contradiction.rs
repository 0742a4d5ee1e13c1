//! Entries of one profile that get in each other's way.
//!
//! Runtimes give entries to libseccomp one after another. What it refuses keeps a container from starting, so it is a violation
//! here; what it silently drops or orders by itself is a warning.

use std::collections::BTreeMap;

use spo_api::{FieldPath, Violation};

use super::{Entry, Profile};
use crate::findings::Findings;

/// What the entries of `profile` do to each other; `root` is the path of the list.
pub(super) fn find(profile: &Profile, root: &FieldPath, found: &mut Findings) {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, entry) in profile.entries.iter().enumerate() {
        for name in &entry.names {
            let entries = by_name.entry(name).or_default();
            if entries.last() != Some(&index) {
                entries.push(index);
            }
        }
    }
    for (name, entries) in by_name.into_iter().filter(|(_, entries)| entries.len() > 1) {
        pairs(profile, name, &entries, root, found);
    }
}

fn pairs(profile: &Profile, name: &str, entries: &[usize], root: &FieldPath, found: &mut Findings) {
    for (position, &later) in entries.iter().enumerate() {
        for &earlier in &entries[..position] {
            let (first, second) = (&profile.entries[earlier], &profile.entries[later]);
            if first.effect.same_as(second.effect) {
                continue;
            }
            match judge(profile, first, second) {
                None => {}
                Some(Clash::Refused) => found.refuse_with(|| {
                    let reason = format!(
                        "contradictory argument rules: {name} has another action under the same conditions in {}",
                        root.index(earlier)
                    );
                    Violation::new(root.index(later), reason)
                }),
                Some(Clash::Warned(reason)) => found.warn_with(|| {
                    let reason = format!("{name} is also in {} with another action: {reason}", root.index(earlier));
                    Violation::new(root.index(later), reason)
                }),
            }
        }
    }
}

enum Clash {
    Refused,
    Warned(&'static str),
}

/// What two entries with different effects for one call do to each other.
fn judge(profile: &Profile, first: &Entry, second: &Entry) -> Option<Clash> {
    if first.effect.same_as(profile.default_effect) || second.effect.same_as(profile.default_effect) {
        // An exception from a rule, written as one reads it; but it is not how runtimes read it.
        return overlap(first, second)
            .then_some(Clash::Warned("the one whose action is the default action does nothing"));
    }
    match (first.conditions.is_empty(), second.conditions.is_empty()) {
        (true, true) => Some(Clash::Warned("the first one decides")),
        (true, false) | (false, true) => Some(Clash::Warned("the one without conditions decides alone")),
        (false, false) if sorted(first) == sorted(second) => Some(Clash::Refused),
        (false, false) if overlap(first, second) => {
            Some(Clash::Warned("where both apply, the runtime chooses; the more restrictive one is counted on"))
        }
        (false, false) => None,
    }
}

fn sorted(entry: &Entry) -> Vec<super::Condition> {
    let mut conditions = entry.conditions.clone();
    conditions.sort_unstable();
    conditions
}

/// Whether one call can meet the conditions of both, as far as can be told from single arguments.
fn overlap(a: &Entry, b: &Entry) -> bool {
    // Entries with two conditions on one argument count as several, so that nothing follows from a single pair.
    if a.is_split() || b.is_split() {
        return true;
    }
    let excluded = |one: &super::Condition| {
        b.conditions.iter().any(|other| other.argument == one.argument && one.test.excludes(other.test))
    };
    !a.conditions.iter().any(excluded)
}
