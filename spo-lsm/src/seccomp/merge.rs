//! Two profiles in one: what either of them permits, and no more (`spec/node.md` 12).
//!
//! Calls that either profile permits are permitted, under exactly the conditions under which one of them does, by the less restrictive
//! of their actions. Calls that both refuse are refused as the first does. Architectures and flags are united (W-OP-10), and what the
//! entries say is judged on each of the united architectures. All else is that of the first profile.
//!
//! The result is proved: on every ABI that it covers, no call is permitted that neither profile permits, and none refused that one does.
//! If there is no such profile (32-bit ABIs look at half of an argument) or it would need too many entries, there is none at all.

use super::combine::{Entries, combine, find, united};
use super::parse::{MAX_ENTRIES, MAX_NAMES};
use super::space::{Budget, TooComplex};
use super::{Base, Call, Effect, Entry, Profile};

/// Why two profiles cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// What happens to calls that nobody names differs.
    #[error(
        "the default actions of {base} ({base_default}) and {other} ({other_default}) differ; a profile has only one, so change that of one of them"
    )]
    DefaultActions {
        /// The first profile.
        base: String,
        /// Its default.
        base_default: Effect,
        /// The second profile.
        other: String,
        /// Its default.
        other_default: Effect,
    },
    /// The second profile has calls from a base profile that the first does not build on.
    #[error(
        "{other} builds on the base profile {inherited}, whose calls are not in it; name it first, give both the same baseProfileName, or copy its entries"
    )]
    Base {
        /// The second profile.
        other: String,
        /// What it builds on.
        inherited: Base,
    },
    /// Calls are to be asked about at two places.
    #[error(
        "the listenerPath of {base} ({base_path}) and {other} ({other_path}) differ; a filter has only one listener"
    )]
    Listeners {
        /// The first profile.
        base: String,
        /// Its listener.
        base_path: String,
        /// The second profile.
        other: String,
        /// Its listener.
        other_path: String,
    },
    /// The conditions for some calls cut each other into more pieces than can be written.
    #[error("the conditions on arguments of {} are too many to be merged exactly; simplify them in one profile", .names.join(", "))]
    TooComplex {
        /// The calls.
        names: Vec<String>,
    },
    /// More entries than a profile can have.
    #[error(
        "the merged profile would have {entries} entries with {names} names; at most {MAX_ENTRIES} and {MAX_NAMES} fit"
    )]
    TooLarge {
        /// How many entries.
        entries: usize,
        /// How many names in them.
        names: usize,
    },
    /// No list of entries means the same for all architectures.
    #[error(
        "{name} cannot be merged exactly: for {} with arguments {:#x?} the result says {result}, the profiles {base} and {other}; write its entries alike in both, or leave {} out of the architectures",
        .call.abi, .call.args, .call.abi
    )]
    Inexact {
        /// The system call.
        name: String,
        /// A call of it that would be wrong.
        call: Call,
        /// What the first profile says.
        base: Effect,
        /// What the second says.
        other: Effect,
        /// What the result would say.
        result: Effect,
    },
}

/// The profile that permits what `base` or `other` permits.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(base: &Profile, other: &Profile) -> Result<Profile, MergeError> {
    same_default(base, other)?;
    same_base(base, other)?;
    let (entries, too_complex) = combine(base, other, permissive, &mut Budget::default());
    if !too_complex.is_empty() {
        return Err(MergeError::TooComplex { names: too_complex.into_iter().map(str::to_owned).collect() });
    }
    let merged = Profile {
        architectures: united(&base.architectures, &other.architectures),
        flags: united(&base.flags, &other.flags),
        entries: bounded(&entries)?,
        warnings: Vec::new(),
        ..base.clone()
    };
    let merged = with_listener(merged, base, other)?;
    prove(&merged, base, other)?;
    Ok(merged)
}

/// The effect of a call whose effects in the two profiles are these.
fn permissive(base: Effect, other: Effect) -> Effect {
    let other_wins = if base.is_permissive() {
        other.is_permissive() && other.severity() > base.severity()
    } else {
        other.is_permissive()
    };
    if other_wins { other } else { base }
}

fn same_default(base: &Profile, other: &Profile) -> Result<(), MergeError> {
    if base.default_effect.same_as(other.default_effect) {
        return Ok(());
    }
    Err(MergeError::DefaultActions {
        base: base.name.to_string(),
        base_default: base.default_effect,
        other: other.name.to_string(),
        other_default: other.default_effect,
    })
}

/// The calls of a base profile that only the first builds on are permitted by it, and so by the result. Those of the second would be lost.
fn same_base(base: &Profile, other: &Profile) -> Result<(), MergeError> {
    match &other.base {
        Some(inherited) if !other.resolved && (base.resolved || base.base != other.base) => {
            Err(MergeError::Base { other: other.name.to_string(), inherited: inherited.clone() })
        }
        _ => Ok(()),
    }
}

fn bounded(entries: &Entries<'_>) -> Result<Vec<Entry>, MergeError> {
    let entries = entries.to_entries();
    let names = entries.iter().map(|entry| entry.names.len()).sum();
    if entries.len() > MAX_ENTRIES || names > MAX_NAMES {
        return Err(MergeError::TooLarge { entries: entries.len(), names });
    }
    Ok(entries)
}

fn with_listener(merged: Profile, base: &Profile, other: &Profile) -> Result<Profile, MergeError> {
    if !merged.notifies() {
        return Ok(merged);
    }
    match (&base.listener_path, &other.listener_path) {
        (Some(one), Some(two)) if one != two => Err(MergeError::Listeners {
            base: base.name.to_string(),
            base_path: one.clone(),
            other: other.name.to_string(),
            other_path: two.clone(),
        }),
        (None, Some(path)) => Ok(Profile {
            listener_path: Some(path.clone()),
            listener_metadata: other.listener_metadata.clone(),
            ..merged
        }),
        _ => Ok(merged),
    }
}

fn prove(merged: &Profile, base: &Profile, other: &Profile) -> Result<(), MergeError> {
    let wrong =
        |[base, other, merged]: [Effect; 3]| merged.is_permissive() != (base.is_permissive() || other.is_permissive());
    let Some(outcome) = find([base, other, merged], &mut Budget::default(), wrong).into_iter().next() else {
        return Ok(());
    };
    let name = outcome.abi.name(outcome.number).unwrap_or("a call").to_owned();
    Err(match outcome.found {
        Err(TooComplex) => MergeError::TooComplex { names: vec![name] },
        Ok(found) => {
            let [base, other, result] = found.effects;
            MergeError::Inexact { name, call: found.call, base, other, result }
        }
    })
}
