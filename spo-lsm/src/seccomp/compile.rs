//! From a profile to the filter that the kernel runs.
//!
//! The filter first tells the ABI of a call, then finds its number by bisection: neighbouring numbers with one decision share a leaf,
//! so that a profile which allows 300 calls needs about eight comparisons per call. A leaf is an answer, or a chain of conditions.
//!
//! A filter is made from its end (see `assemble`), so that what follows is said before what leads to it.

use spo_api::syscalls::{Abi, X32_BIT};

use super::assemble::{Code, Label};
use super::bpf::{Compare, Program, data};
use super::lower::{Decision, Rule, lower};
use super::{Condition, Effect, Profile, Test};

/// The kernel's `BPF_MAXINSNS`.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// Why there is no filter for a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It needs more instructions than the kernel takes.
    #[error(
        "the filter has {instructions} instructions, the kernel takes {MAX_INSTRUCTIONS}; use fewer conditions on arguments or fewer architectures"
    )]
    TooLarge {
        /// How many it needs.
        instructions: usize,
    },
}

/// What a call of an architecture meets that a profile does not list, as libseccomp has it where runtimes say nothing else.
const UNCOVERED: Effect = Effect::KillThread;

/// Compiles `profile` for a machine whose own ABI is `native`.
///
/// # Errors
/// [`CompileError::TooLarge`].
pub fn compile(profile: &Profile, native: Abi) -> Result<Program, CompileError> {
    translate(Code::default(), profile, native)
}

/// As [`compile`], but what the profile does not simply allow asks a listener instead: what it refuses, by whatever action, and
/// what it logs.
///
/// The listener can tell which call it was, and then does what [`evaluate`](super::evaluate) says of the call. Without the
/// listener the call fails with ENOSYS, whatever the profile says: a filter that lost its listener confines more, never less.
///
/// # Errors
/// [`CompileError::TooLarge`].
pub fn compile_notifying(profile: &Profile, native: Abi) -> Result<Program, CompileError> {
    translate(Code::notifying(), profile, native)
}

fn translate(mut code: Code, profile: &Profile, native: Abi) -> Result<Program, CompileError> {
    let abis = profile.abis(native);
    let mut next = code.answer(UNCOVERED);
    if let Some(abi) = abis.iter().copied().find(|abi| matches!(abi, Abi::X86)) {
        let section = code.section(profile, abi);
        next = code.compare(Compare::Equal, abi.audit_arch(), section, next);
    }
    if let Some(abi) = abis.iter().copied().find(|abi| matches!(abi, Abi::X86_64 | Abi::X32 | Abi::Aarch64)) {
        let section = code.section_64(profile, &abis, abi);
        next = code.compare(Compare::Equal, abi.audit_arch(), section, next);
    }
    code.load(data::ARCH, next);
    code.finish()
}

/// Which number: bisection.
impl Code {
    /// The code for the calls of one ABI.
    fn section(&mut self, profile: &Profile, abi: Abi) -> Label {
        let search = self.search(profile, abi);
        self.load(data::NUMBER, search)
    }

    /// The code for the ABIs of a 64-bit machine's own architecture, which on x86 are told apart by a bit of the number.
    fn section_64(&mut self, profile: &Profile, abis: &[Abi], abi: Abi) -> Label {
        if abi == Abi::Aarch64 {
            return self.section(profile, abi);
        }
        let x32 = if abis.contains(&Abi::X32) { self.search(profile, Abi::X32) } else { self.uncovered_x32(profile) };
        let x86_64 =
            if abis.contains(&Abi::X86_64) { self.search(profile, Abi::X86_64) } else { self.answer(UNCOVERED) };
        let told = self.compare(Compare::GreaterEqual, X32_BIT, x32, x86_64);
        self.load(data::NUMBER, told)
    }

    /// The code for x32 where it is not listed. A tracer skips a call by the number -1, which is no reason to kill.
    fn uncovered_x32(&mut self, profile: &Profile) -> Label {
        let skipped = self.answer(profile.default_effect);
        let uncovered = self.answer(UNCOVERED);
        self.compare(Compare::Equal, u32::MAX, skipped, uncovered)
    }

    /// The code that finds the number that was loaded.
    fn search(&mut self, profile: &Profile, abi: Abi) -> Label {
        let runs = runs(profile, abi);
        self.narrow = abi.is_32_bit();
        self.bisect(&runs, profile.default_effect)
    }

    /// Halves until a few comparisons in a row do as well.
    fn bisect(&mut self, runs: &[Run], default: Effect) -> Label {
        const IN_A_ROW: usize = 4;
        let ordinary = ordinary(runs);
        if runs.iter().enumerate().map(|(at, _)| comparisons(runs, at, ordinary)).sum::<usize>() <= IN_A_ROW {
            return self.row(runs, ordinary, default);
        }
        let (below, above) = runs.split_at(runs.len() / 2);
        let yes = self.bisect(above, default);
        let no = self.bisect(below, default);
        self.compare(Compare::GreaterEqual, above[0].first, yes, no)
    }

    /// One run after the other; what is in none of them has the ordinary decision.
    fn row(&mut self, runs: &[Run], ordinary: &Decision, default: Effect) -> Label {
        let mut next = self.leaf(ordinary, default);
        for (at, run) in runs.iter().enumerate().rev().filter(|(_, run)| run.decision != *ordinary) {
            let leaf = self.leaf(&run.decision, default);
            // What is outside of these runs was told before: the first has no lower end here, the last no upper end.
            next = match (at > 0, runs.get(at + 1)) {
                (false, None) => leaf,
                (false, Some(after)) => self.compare(Compare::GreaterEqual, after.first, next, leaf),
                (true, None) => self.compare(Compare::GreaterEqual, run.first, leaf, next),
                (true, Some(after)) if after.first - run.first == 1 => {
                    self.compare(Compare::Equal, run.first, leaf, next)
                }
                (true, Some(after)) => {
                    let inside = self.compare(Compare::GreaterEqual, after.first, next, leaf);
                    self.compare(Compare::GreaterEqual, run.first, inside, next)
                }
            };
        }
        next
    }

    fn leaf(&mut self, decision: &Decision, default: Effect) -> Label {
        match decision {
            Decision::Always(effect) => self.answer(*effect),
            Decision::First(rules) => {
                let mut next = self.answer(default);
                for rule in rules.iter().rev() {
                    next = self.rule(rule, next);
                }
                next
            }
        }
    }
}

/// Numbers from `first` up to the next run, with one decision.
struct Run {
    first: u32,
    decision: Decision,
}

/// The decision that is cheapest to be left to the end. Neighbours differ, so that it is among the first two, or nearly as good.
fn ordinary(runs: &[Run]) -> &Decision {
    let cost = |decision: &Decision| (0..runs.len()).map(|at| comparisons(runs, at, decision)).sum::<usize>();
    match runs {
        [first, second, ..] if cost(&second.decision) < cost(&first.decision) => &second.decision,
        _ => &runs[0].decision,
    }
}

/// How many comparisons it takes to tell the numbers of a run from those around it.
fn comparisons(runs: &[Run], at: usize, ordinary: &Decision) -> usize {
    let run = &runs[at];
    match runs.get(at + 1) {
        _ if run.decision == *ordinary => 0,
        Some(after) if at > 0 && after.first - run.first > 1 => 2,
        Some(_) | None => 1,
    }
}

/// All numbers of an ABI, as few runs as possible.
fn runs(profile: &Profile, abi: Abi) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut put = |first: u32, decision: Decision| {
        if runs.last().is_none_or(|last| last.decision != decision) {
            runs.push(Run { first, decision });
        }
    };
    let default = || Decision::Always(profile.default_effect);
    let mut next = Some(0);
    for (number, decision) in lower(profile, abi) {
        if next != Some(number) {
            put(next.unwrap_or_default(), default());
        }
        put(number, decision);
        next = number.checked_add(1);
    }
    if let Some(next) = next {
        put(next, default());
    }
    runs
}

/// Conditions: an argument has 64 bits, a word 32.
impl Code {
    /// The effect of a rule if all its conditions hold, else what is at `next`.
    fn rule(&mut self, rule: &Rule, next: Label) -> Label {
        let mut yes = self.answer(rule.effect);
        for condition in rule.conditions.iter().rev() {
            yes = self.condition(*condition, yes, next);
        }
        yes
    }

    fn condition(&mut self, condition: Condition, yes: Label, no: Label) -> Label {
        let argument = condition.argument.index();
        match condition.test {
            Test::Equal(value) => self.masked(argument, u64::MAX, value, yes, no),
            Test::NotEqual(value) => self.masked(argument, u64::MAX, value, no, yes),
            Test::MaskedEqual { mask, value } => self.masked(argument, mask, value & mask, yes, no),
            Test::GreaterThan(value) => self.ordered(argument, Compare::Greater, value, yes, no),
            Test::LessEqual(value) => self.ordered(argument, Compare::Greater, value, no, yes),
            Test::GreaterEqual(value) => self.ordered(argument, Compare::GreaterEqual, value, yes, no),
            Test::LessThan(value) => self.ordered(argument, Compare::GreaterEqual, value, no, yes),
        }
    }

    fn masked(&mut self, argument: u8, mask: u64, value: u64, yes: Label, no: Label) -> Label {
        let low = self.masked_half(data::low(argument), low_half(mask), low_half(value), yes, no);
        if self.narrow {
            return low;
        }
        self.masked_half(data::high(argument), high_half(mask), high_half(value), low, no)
    }

    fn masked_half(&mut self, offset: u32, mask: u32, value: u32, yes: Label, no: Label) -> Label {
        if mask == 0 {
            return yes;
        }
        let mut label = self.compare(Compare::Equal, value, yes, no);
        if mask != u32::MAX {
            label = self.and(mask, label);
        }
        self.load(offset, label)
    }

    /// The upper half decides unless it is equal.
    fn ordered(&mut self, argument: u8, compare: Compare, value: u64, yes: Label, no: Label) -> Label {
        let low = self.compare(compare, low_half(value), yes, no);
        let low = self.load(data::low(argument), low);
        if self.narrow {
            return low;
        }
        let equal = self.compare(Compare::Equal, high_half(value), low, no);
        let greater = self.compare(Compare::Greater, high_half(value), yes, equal);
        self.load(data::high(argument), greater)
    }
}

const fn low_half(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

const fn high_half(value: u64) -> u32 {
    (value >> 32) as u32
}
