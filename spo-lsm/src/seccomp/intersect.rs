//! What two profiles both permit: a profile that can only tighten each of them (`spec/kep-6061.md`).
//!
//! Of the two effects of a call the more restrictive one holds, in the order KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, NOTIFY, TRACE, LOG,
//! ALLOW. A list of architectures or flags that is empty defers to the other; else what both have is kept.
//!
//! Conditions on arguments are intersected exactly wherever that can be written down. Where it cannot, the call is killed, always with its
//! process, and [`Intersection::tightened`] names it. The result is proved on every ABI that it covers: it never permits what one of the
//! profiles, asked about that ABI, does not.

use std::collections::BTreeSet;

use super::combine::{combine, find, names_of};
use super::space::Budget;
use super::{Effect, Profile};

/// What both of two profiles permit.
#[derive(Debug, Clone, PartialEq)]
pub struct Intersection {
    /// The profile.
    pub profile: Profile,
    /// The calls that it refuses though both permit some of them, or refuses harder than both do: there the intersection could not be
    /// written exactly.
    pub tightened: Vec<String>,
}

/// Why there is no intersection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntersectError {
    /// A profile builds on another whose calls are not in it.
    #[error("{profile} builds on a base profile whose calls are not in it; resolve it first")]
    Unresolved {
        /// The profile.
        profile: String,
    },
    /// Calls are to be asked about at two places.
    #[error("the profiles {first} and {second} ask different listeners; a filter has only one")]
    Listeners {
        /// The first profile.
        first: String,
        /// The second.
        second: String,
    },
    /// The proof would need more time than it is given.
    #[error(
        "the conditions on arguments of {first} and {second} are too many to be compared; simplify them in one profile"
    )]
    TooComplex {
        /// The first profile.
        first: String,
        /// The second.
        second: String,
    },
}

/// The profile that permits only what `first` and `second` both permit. Its name and state are those of `first`.
///
/// # Errors
/// See [`IntersectError`].
pub fn intersect(first: &Profile, second: &Profile) -> Result<Intersection, IntersectError> {
    for profile in [first, second] {
        if !profile.is_resolved() {
            return Err(IntersectError::Unresolved { profile: profile.name.to_string() });
        }
    }
    let (mut entries, mut killed) = combine(first, second, restrictive, &mut Budget::default());
    let mut profile = Profile {
        base: None,
        resolved: true,
        default_effect: restrictive(first.default_effect, second.default_effect),
        architectures: common(&first.architectures, &second.architectures),
        flags: common(&first.flags, &second.flags),
        entries: entries.to_entries(),
        warnings: Vec::new(),
        ..first.clone()
    };
    // Each round kills more names, of which there are as many as the tables have.
    loop {
        killed.drain(..).for_each(|name| entries.only(name, Effect::KillProcess));
        profile.entries = entries.to_entries();
        let looser = find([first, second, &profile], &mut Budget::default(), |[a, b, result]| {
            result.severity() > restrictive(a, b).severity()
        });
        if looser.is_empty() {
            break;
        }
        let known = |name: &&str| !killed_already(&profile, name);
        killed.extend(looser.iter().flat_map(|outcome| names_of(outcome.abi, outcome.number)).filter(known));
        if killed.is_empty() {
            let (first, second) = (first.name.to_string(), second.name.to_string());
            return Err(IntersectError::TooComplex { first, second });
        }
    }
    let profile = with_listener(profile, first, second)?;
    let tightened = tightened(first, second, &profile);
    Ok(Intersection { profile, tightened })
}

/// The effect of a call whose effects in the two profiles are these.
fn restrictive(first: Effect, second: Effect) -> Effect {
    if second.severity() < first.severity() { second } else { first }
}

/// What both have; what one has if the other has nothing.
fn common<T: Copy + PartialEq>(a: &[T], b: &[T]) -> Vec<T> {
    match (a, b) {
        ([], list) | (list, []) => list.to_vec(),
        _ => a.iter().copied().filter(|one| b.contains(one)).collect(),
    }
}

fn killed_already(profile: &Profile, name: &str) -> bool {
    profile.entries.iter().any(|entry| {
        entry.effect == Effect::KillProcess && entry.conditions.is_empty() && entry.names.iter().any(|one| one == name)
    })
}

fn with_listener(profile: Profile, first: &Profile, second: &Profile) -> Result<Profile, IntersectError> {
    if !profile.notifies() {
        return Ok(Profile { listener_path: None, listener_metadata: None, ..profile });
    }
    match (&first.listener_path, &second.listener_path) {
        (Some(one), Some(two)) if one != two => {
            Err(IntersectError::Listeners { first: first.name.to_string(), second: second.name.to_string() })
        }
        (None, Some(path)) => Ok(Profile {
            listener_path: Some(path.clone()),
            listener_metadata: second.listener_metadata.clone(),
            ..profile
        }),
        _ => Ok(profile),
    }
}

fn tightened(first: &Profile, second: &Profile, profile: &Profile) -> Vec<String> {
    let tighter = find([first, second, profile], &mut Budget::default(), |[a, b, result]| {
        result.severity() < restrictive(a, b).severity()
    });
    let names: BTreeSet<&str> = tighter.iter().filter_map(|outcome| outcome.abi.name(outcome.number)).collect();
    names.into_iter().map(str::to_owned).collect()
}
