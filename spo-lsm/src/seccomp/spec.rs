//! From the model back to the `spec` of the API.

use spo_api::seccomp::v1::{Arg, SeccompProfileSpec, Syscall};

use super::{Base, Condition, Effect, Entry, Profile};

/// Why a profile cannot be an object of the API, though runtimes can read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// `defaultErrnoRet` is not in the API.
    #[error(
        "a SeccompProfile cannot say that calls are refused by {effect} by default: the number is always {}; change it to that",
        Effect::DEFAULT_ERRNO
    )]
    DefaultNumber {
        /// The default effect.
        effect: Effect,
    },
    /// The API takes 0 for "not given".
    #[error(
        "a SeccompProfile cannot say {effect} of {name}: the number 0 is taken for {}; use another number",
        Effect::DEFAULT_ERRNO
    )]
    NumberZero {
        /// A call of the entry.
        name: String,
        /// Its effect.
        effect: Effect,
    },
    /// Numbers of the API are signed.
    #[error("a SeccompProfile cannot say {condition} of {name}: its numbers are at most {}", i64::MAX)]
    Value {
        /// A call of the entry.
        name: String,
        /// The condition.
        condition: Condition,
    },
}

/// The `spec` from which [`parse`](super::parse) makes a profile that means the same.
///
/// # Errors
/// See [`SpecError`]: the JSON of runtimes can say what the API cannot.
pub fn to_spec(profile: &Profile) -> Result<SeccompProfileSpec, SpecError> {
    let default = profile.default_effect;
    if default.number().is_some_and(|number| number != Effect::DEFAULT_ERRNO) {
        return Err(SpecError::DefaultNumber { effect: default });
    }
    // A base whose entries are here already would only add them again.
    let base = profile.base.as_ref().filter(|_| !profile.resolved);
    let syscalls = profile.entries.iter().map(syscall).collect::<Result<Vec<_>, _>>()?;
    Ok(SeccompProfileSpec {
        state: profile.state,
        base_profile_name: base.map(Base::to_string),
        default_action: default.action(),
        architectures: list(&profile.architectures),
        listener_path: profile.listener_path.clone(),
        listener_metadata: profile.listener_metadata.clone(),
        syscalls: (!syscalls.is_empty()).then_some(syscalls),
        flags: list(&profile.flags),
    })
}

fn list<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn syscall(entry: &Entry) -> Result<Syscall, SpecError> {
    let name = || entry.names.first().cloned().unwrap_or_default();
    if entry.effect.number() == Some(0) {
        return Err(SpecError::NumberZero { name: name(), effect: entry.effect });
    }
    let arg =
        |condition: &Condition| arg(*condition).ok_or_else(|| SpecError::Value { name: name(), condition: *condition });
    let args = entry.conditions.iter().map(arg).collect::<Result<Vec<_>, _>>()?;
    Ok(Syscall {
        names: entry.names.clone(),
        action: entry.effect.action(),
        errno_ret: entry.effect.number().map(i32::from),
        args: (!args.is_empty()).then_some(args),
    })
}

fn arg(condition: Condition) -> Option<Arg> {
    let (op, value, value_two) = condition.test.parts();
    let value_two = i64::try_from(value_two).ok()?;
    Some(Arg {
        index: condition.argument.index().into(),
        value: Some(i64::try_from(value).ok()?),
        value_two: (value_two != 0).then_some(value_two),
        op,
    })
}
