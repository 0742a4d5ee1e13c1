//! Base profiles: reading the chain, and adding its entries.

use super::{Base, Profile, union};

/// How many base profiles may stand behind each other.
pub const MAX_CHAIN: usize = 15;

/// Why a base profile could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is no such profile.
    #[error("there is no such profile")]
    Missing,
    /// There is one, but it cannot be used.
    #[error("{0}")]
    Unusable(String),
}

/// Why a profile has no complete set of entries. Each names the chain as far as it was read, in the order `web -> base -> …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A base profile could not be had.
    #[error("base profile {base} (of {chain}): {reason}")]
    Lookup {
        /// The profile that was looked for.
        base: Base,
        /// The profiles before it.
        chain: String,
        /// Why.
        reason: LookupError,
    },
    /// A profile builds on itself.
    #[error("base profiles form a circle: {chain}; remove baseProfileName from one of them")]
    Cycle {
        /// The circle, its first profile at both ends.
        chain: String,
    },
    /// More than [`MAX_CHAIN`] base profiles behind each other.
    #[error("more than {MAX_CHAIN} base profiles stand behind each other: {chain}; merge some of them")]
    TooDeep {
        /// The profiles up to the limit.
        chain: String,
    },
}

/// Adds the entries of the base profiles that `profile` builds on, all the way up.
///
/// `lookup` gives the profile that a name or reference means. Of a base only the entries count; its default action, architectures, flags
/// and listener do not.
///
/// # Errors
/// See [`ResolveError`].
pub fn resolve(
    profile: &Profile,
    mut lookup: impl FnMut(&Base) -> Result<Profile, LookupError>,
) -> Result<Profile, ResolveError> {
    let mut chain = vec![Base::Local(profile.name.clone())];
    let mut bases: Vec<Profile> = Vec::new();
    let mut next = if profile.resolved { None } else { profile.base.clone() };
    while let Some(base) = next {
        if chain.contains(&base) {
            chain.push(base);
            return Err(ResolveError::Cycle { chain: written(&chain) });
        }
        if bases.len() == MAX_CHAIN {
            return Err(ResolveError::TooDeep { chain: written(&chain) });
        }
        let found = lookup(&base).map_err(|reason| ResolveError::Lookup {
            base: base.clone(),
            chain: written(&chain),
            reason,
        })?;
        next = if found.resolved { None } else { found.base.clone() };
        chain.push(base);
        bases.push(found);
    }
    let Some(top) = bases.pop() else { return Ok(profile.clone()) };
    let inherited = bases.iter().rev().fold(top, |base, derived| union(&base, derived));
    Ok(Profile { resolved: true, ..union(&inherited, profile) })
}

fn written(chain: &[Base]) -> String {
    chain.iter().map(Base::to_string).collect::<Vec<_>>().join(" -> ")
}
