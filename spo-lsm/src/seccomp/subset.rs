//! Whether one profile permits no more than another.

use super::compare::compare;
use super::space::Budget;
use super::{Call, Effect, Profile};

/// A call that one profile permits and another does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// The call.
    pub call: Call,
    /// What the one says of it.
    pub permitted: Effect,
    /// What the other says.
    pub refused: Effect,
}

/// The conditions of two profiles are more than can be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the conditions on arguments of {} are too many to be compared; simplify them in one profile", .names.join(", "))]
pub struct SubsetError {
    /// The calls.
    pub names: Vec<String>,
}

/// A call that `profile` permits and `bound` does not; none if `profile` permits no more than `bound` does, on any ABI.
///
/// ALLOW, LOG, TRACE and NOTIFY permit. [`evaluate`](super::evaluate) says the same of the call that is given back.
///
/// # Errors
/// [`SubsetError`] if no such call was found and not every call could be looked at.
pub fn excess(profile: &Profile, bound: &Profile) -> Result<Option<Excess>, SubsetError> {
    let mut found = None;
    let uncompared = compare(profile, bound, &mut Budget::default(), |spot| {
        let [permitted, refused] = spot.effects;
        if permitted.is_permissive() && !refused.is_permissive() && found.is_none() {
            found = Some(Excess { call: spot.call, permitted, refused });
        }
        found.is_none()
    });
    if found.is_none() && !uncompared.is_empty() {
        return Err(SubsetError { names: uncompared.into_iter().map(str::to_owned).collect() });
    }
    Ok(found)
}
