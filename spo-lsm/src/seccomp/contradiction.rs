//! Entries of one profile that get in each other's way.
//!
//! Runtimes give entries to libseccomp one after another. What it refuses keeps a container from starting, so it is a violation
//! here, and each is found; what it silently drops or orders by itself is a warning, and enough of them are found to be seen.
//! A profile of any size that is read at all is looked through in bounded time and memory.

use std::collections::BTreeMap;

use spo_api::syscalls::Abi;
use spo_api::{FieldPath, Violation};

use super::lower::is_unconditional;
use super::{Condition, Entry, Profile};
use crate::findings::Findings;

/// Enough to see what is wrong; a status has no room for thousands.
const MAX_FINDINGS: usize = 24;
/// How many pairs of entries are compared in search of warnings. Profiles as people write them need a few hundred.
const MAX_COMPARISONS: usize = 1 << 14;
/// Entries are compared as on any ABI whose arguments have all of their bits.
const WIDE: Abi = Abi::X86_64;

#[derive(Default)]
struct Contradictions {
    violations: Vec<Violation>,
    warnings: Vec<Violation>,
}

/// What the entries of `profile` do to each other; `root` is the path of the list.
pub(super) fn find(profile: &Profile, root: &FieldPath, found: &mut Findings) {
    let Contradictions { violations, warnings } = Search::run(profile, root).found;
    violations.into_iter().for_each(|violation| found.refuse(violation.path, violation.reason));
    warnings.into_iter().for_each(|warning| found.warn(warning.path, warning.reason));
}

struct Search<'a> {
    profile: &'a Profile,
    root: &'a FieldPath,
    /// The conditions of each entry, in one order.
    conditions: Vec<Vec<Condition>>,
    /// Pairs that were compared.
    comparisons: usize,
    found: Contradictions,
}

impl<'a> Search<'a> {
    fn run(profile: &'a Profile, root: &'a FieldPath) -> Self {
        let conditions = profile.entries.iter().map(sorted).collect();
        let mut search = Self { profile, root, conditions, comparisons: 0, found: Contradictions::default() };
        for (name, entries) in by_name(profile).into_iter().filter(|(_, entries)| entries.len() > 1) {
            search.refusals(name, &entries);
            search.surprises(name, &entries);
        }
        if search.is_cut() {
            let reason = "entries for the same call get in each other's way more often than is listed here";
            search.found.warnings.push(Violation::new(root.clone(), reason));
        }
        search
    }

    /// Two actions under the same conditions. One that does nothing else than the default is left out by runtimes.
    fn refusals(&mut self, name: &str, entries: &[usize]) {
        let Self { profile, root, conditions, found, .. } = self;
        let mut first: BTreeMap<&[Condition], usize> = BTreeMap::new();
        for &later in entries {
            let effect = profile.entries[later].effect;
            if is_unconditional(&profile.entries[later], WIDE) || effect.same_as(profile.default_effect) {
                continue;
            }
            let earlier = *first.entry(&conditions[later]).or_insert(later);
            if effect.same_as(profile.entries[earlier].effect) || found.violations.len() == MAX_FINDINGS {
                continue;
            }
            found.violations.push(Violation::new(
                root.index(later),
                format!(
                    "contradictory argument rules: {name} has another action under the same conditions in {}",
                    root.index(earlier)
                ),
            ));
        }
    }

    /// Actions that do not do what one reads. An entry is told once for a name, with the first that it meets.
    fn surprises(&mut self, name: &str, entries: &[usize]) {
        for (position, &later) in entries.iter().enumerate() {
            if let Some((earlier, reason)) = self.surprise(&entries[..position], later) {
                let earlier = self.root.index(earlier);
                let reason = format!("{name} is also in {earlier} with another action: {reason}");
                self.found.warnings.push(Violation::new(self.root.index(later), reason));
            }
            if self.is_cut() {
                return;
            }
        }
    }

    fn surprise(&mut self, earlier: &[usize], later: usize) -> Option<(usize, &'static str)> {
        let Self { profile, conditions, comparisons, .. } = self;
        let second = &profile.entries[later];
        let differs = |earlier: &usize| !profile.entries[*earlier].effect.same_as(second.effect);
        for earlier in earlier.iter().copied().filter(differs) {
            if *comparisons == MAX_COMPARISONS {
                return None;
            }
            *comparisons += 1;
            let is_refused = !is_unconditional(second, WIDE) && conditions[earlier] == conditions[later];
            if let Some(reason) = judge(profile, &profile.entries[earlier], second, is_refused) {
                return Some((earlier, reason));
            }
        }
        None
    }

    /// Whether the search for warnings ended before its end.
    fn is_cut(&self) -> bool {
        self.comparisons == MAX_COMPARISONS || self.found.warnings.len() >= MAX_FINDINGS
    }
}

/// Which entries name a call.
fn by_name(profile: &Profile) -> BTreeMap<&str, Vec<usize>> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, entry) in profile.entries.iter().enumerate() {
        for name in &entry.names {
            let entries = by_name.entry(name).or_default();
            if entries.last() != Some(&index) {
                entries.push(index);
            }
        }
    }
    by_name
}

fn sorted(entry: &Entry) -> Vec<Condition> {
    let mut conditions = entry.conditions.clone();
    conditions.sort_unstable();
    conditions
}

/// What two entries with different effects for one call do to each other, unless they are refused for being under the same conditions.
fn judge(profile: &Profile, first: &Entry, second: &Entry, is_refused: bool) -> Option<&'static str> {
    if first.effect.same_as(profile.default_effect) || second.effect.same_as(profile.default_effect) {
        // An exception from a rule, written as one reads it; but it is not how runtimes read it.
        return overlap(first, second).then_some("the one whose action is the default action does nothing");
    }
    match (is_unconditional(first, WIDE), is_unconditional(second, WIDE)) {
        (true, true) => Some("the first one decides"),
        (true, false) | (false, true) => Some("the one without conditions decides alone"),
        (false, false) if is_refused || !overlap(first, second) => None,
        (false, false) => Some("where both apply, the runtime chooses; the more restrictive one is counted on"),
    }
}

/// Whether one call can meet the conditions of both, as far as can be told from single arguments.
fn overlap(a: &Entry, b: &Entry) -> bool {
    // Entries with two conditions on one argument count as several, so that nothing follows from a single pair.
    if a.is_split() || b.is_split() {
        return true;
    }
    let excluded = |one: &Condition| {
        b.conditions.iter().any(|other| other.argument == one.argument && one.test.excludes(other.test))
    };
    !a.conditions.iter().any(excluded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::seccomp::{Argument, Effect, Test};

    const SHARED: [&str; 8] = ["read", "write", "ioctl", "clone", "prctl", "socket", "mmap", "openat"];

    /// As many entries as are read at most, each for the same eight calls, and each with an error of its own.
    fn profile(conditions: impl Fn(u16) -> Vec<Condition>) -> Profile {
        let entry = |at: u16| Entry {
            names: SHARED.map(str::to_owned).to_vec(),
            effect: Effect::Errno(Some(at + 1)),
            conditions: conditions(at),
        };
        let empty = serde_json::from_value(json!({"defaultAction": "SCMP_ACT_ALLOW"})).unwrap();
        let empty = crate::seccomp::parse("test".parse().unwrap(), &empty).unwrap();
        Profile { entries: (0..1024).map(entry).collect(), ..empty }
    }

    fn equal(value: u16) -> Vec<Condition> {
        vec![Condition { argument: Argument::FIRST, test: Test::Equal(value.into()) }]
    }

    #[test]
    fn a_profile_whose_entries_all_contradict_each_other_is_told_in_a_few_lines_after_a_few_comparisons() {
        let cases: [(&str, Profile, usize, usize); 3] = [
            ("without conditions", profile(|_| Vec::new()), 0, MAX_FINDINGS + 1),
            ("under the same condition", profile(|_| equal(5)), MAX_FINDINGS, 1),
            ("under conditions that exclude each other", profile(equal), 0, 1),
        ];
        for (name, profile, violations, warnings) in cases {
            let root = FieldPath::new("spec");
            let search = Search::run(&profile, &root);
            let counts = (search.found.violations.len(), search.found.warnings.len());
            assert_eq!(counts, (violations, warnings), "{name}");
            assert!(search.comparisons <= MAX_COMPARISONS, "{name}: {} comparisons", search.comparisons);
        }
    }

    #[test]
    fn two_entries_that_contradict_each_other_are_found_behind_a_first_that_does_not() {
        let mut profile = profile(|at| equal(at.min(1)));
        profile.entries.truncate(3);
        let found = Search::run(&profile, &FieldPath::new("list")).found;
        let reasons: Vec<String> = found.violations.iter().map(ToString::to_string).collect();
        assert_eq!(reasons.len(), SHARED.len());
        assert!(reasons[0].starts_with("list[2]: ") && reasons[0].ends_with("list[1]"), "{reasons:?}");
    }
}
