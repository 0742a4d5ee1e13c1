//! Adding the entries of one profile to those of another.

use super::parse::action_name;
use super::{Entry, Profile};

/// `derived` with the entries of `base` (`spec/node.md` 3.3). Everything but entries is that of `derived`.
///
/// As the reference does, base entries come first and all are ordered by action name, which decides where entries of both name one call.
/// Beyond it, entries that differ in their names only become one, so that nothing is there twice.
pub fn union(base: &Profile, derived: &Profile) -> Profile {
    Profile { entries: merged(base.entries.iter().chain(&derived.entries)), ..derived.clone() }
}

fn merged<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Entry> {
    let mut sorted: Vec<&Entry> = entries.collect();
    sorted.sort_by_key(|entry| action_name(entry.effect.action()));
    let mut merged: Vec<Entry> = Vec::new();
    for entry in sorted {
        // Of two entries for one call with different numbers the first decides, so none may overtake another.
        let alike = merged.iter().rposition(|other| other.effect != entry.effect).map_or(0, |other| other + 1);
        match merged[alike..].iter_mut().find(|other| other.conditions == entry.conditions) {
            Some(other) => other.names.extend_from_slice(&entry.names),
            None => merged.push(entry.clone()),
        }
    }
    for entry in &mut merged {
        entry.names.sort_unstable();
        entry.names.dedup();
    }
    merged
}
