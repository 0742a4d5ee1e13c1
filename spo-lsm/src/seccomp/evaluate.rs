//! What happens to one call under a profile.

use spo_api::syscalls::Abi;

use super::lower::{Decision, Rule, lower};
use super::{Effect, Profile};

/// A system call, as the kernel shows it to a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The ABI by which it was made.
    pub abi: Abi,
    /// Its number there; on x32 with the bit.
    pub nr: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// What happens to a call, and whether a rule says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An entry decides.
    Named(Effect),
    /// No entry does, so the default effect does.
    Default(Effect),
    /// The profile does not cover the ABI of the call, which kills the thread.
    Uncovered,
}

impl Verdict {
    /// What happens.
    pub fn effect(self) -> Effect {
        match self {
            Self::Named(effect) | Self::Default(effect) => effect,
            Self::Uncovered => Effect::KillThread,
        }
    }
}

/// What happens to `call` under `profile` on a machine whose own ABI is `native`.
///
/// It answers one call. Who has many to ask compiles the profile instead.
pub fn evaluate(profile: &Profile, native: Abi, call: &Call) -> Verdict {
    if !profile.abis(native).contains(&call.abi) {
        return Verdict::Uncovered;
    }
    let decided = match lower(profile, call.abi).get(&call.nr) {
        None => None,
        Some(Decision::Always(effect)) => Some(*effect),
        Some(Decision::First(rules)) => rules.iter().find(|rule| applies(rule, call)).map(|rule| rule.effect),
    };
    decided.map_or(Verdict::Default(profile.default_effect), Verdict::Named)
}

fn applies(rule: &Rule, call: &Call) -> bool {
    rule.conditions.iter().all(|condition| {
        let argument = call.args[usize::from(condition.argument.index())];
        condition.test.holds(if call.abi.is_32_bit() { argument & 0xffff_ffff } else { argument })
    })
}
