//! What a profile refused: each call named once per process as it happens, and all of it at the end, with what to add.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rustix::process::Pid;
use spo_api::seccomp::{Action, Arch};
use spo_api::syscalls::Abi;

use super::answer::{Answer, Decider};
use super::process::Process;
use crate::spoc::file::Form;

/// A system call, as the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Refused {
    /// The ABI it was made with; `None` for one that has no name here.
    pub(super) abi: Option<Abi>,
    /// Its number.
    pub(super) number: u32,
    /// What it got.
    pub(super) answer: Answer,
    /// What in the profile decided that.
    pub(super) decider: Decider,
}

impl Refused {
    fn name(&self) -> Option<&'static str> {
        self.abi.and_then(|abi| abi.name(self.number))
    }

    /// The text that the reference prints: `Seccomp: <name> (<number>)`.
    pub(super) fn text(&self) -> String {
        format!("Seccomp: {} ({})", self.name().unwrap_or("unknown"), self.number)
    }
}

/// So many different refusals are told one by one, and then only counted: a log is bounded, whatever the command does.
const MAX_TOLD: usize = 1000;

/// So many pairs of call and thread are remembered.
const MAX_SEEN: usize = 1 << 16;

/// So many numbers without a name are counted one by one, and the rest together: there are 2³² of them.
const MAX_UNNAMED: usize = 64;

/// All that was refused so far.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counts: BTreeMap<Refused, u64>,
    /// How many of those have no name.
    unnamed: usize,
    /// How often other numbers without a name were refused.
    others: u64,
    told: BTreeSet<(Refused, Process)>,
    seen: HashSet<(Refused, Pid)>,
}

/// Whether a refusal is worth a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It is the first of its kind in its process.
    Telling,
    /// So too, and the last that is told.
    TellingLast,
    /// It was told, or too much was.
    Nothing,
}

impl Refusals {
    /// Whether this thread was refused the same before; if so, counts it. Who asks first need not find out which process it is.
    pub(super) fn is_again(&mut self, refused: Refused, tid: Pid) -> bool {
        if self.seen.contains(&(refused, tid)) {
            self.count(refused);
            return true;
        }
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        self.seen.insert((refused, tid));
        false
    }

    /// Counts a refusal, and says whether to tell it.
    pub(super) fn add(&mut self, refused: Refused, process: Process) -> Worth {
        self.count(refused);
        if self.told.len() >= MAX_TOLD || !self.told.insert((refused, process)) {
            return Worth::Nothing;
        }
        if self.told.len() == MAX_TOLD { Worth::TellingLast } else { Worth::Telling }
    }

    fn count(&mut self, refused: Refused) {
        if refused.name().is_none() && !self.counts.contains_key(&refused) {
            if self.unnamed >= MAX_UNNAMED {
                self.others += 1;
                return;
            }
            self.unnamed += 1;
        }
        *self.counts.entry(refused).or_default() += 1;
    }

    /// Whether nothing was refused.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// `mkdir (3 times), ptrace (once)`.
    pub(super) fn summary(&self) -> String {
        let mut by_name = BTreeMap::<String, u64>::new();
        for (refused, count) in &self.counts {
            let name = refused.name().map_or_else(|| format!("number {}", refused.number), str::to_owned);
            *by_name.entry(name).or_default() += count;
        }
        let others = (self.others > 0).then(|| ("other numbers".to_owned(), self.others));
        let all = by_name.into_iter().chain(others).map(|(name, count)| match count {
            1 => format!("{name} (once)"),
            _ => format!("{name} ({count} times)"),
        });
        all.collect::<Vec<_>>().join(", ")
    }

    /// What to change in a profile of this form, so that nothing of this is refused any more: paragraphs of lines.
    pub(super) fn amendments(&self, form: Form) -> Vec<String> {
        let names = |decider| {
            let decided = self.counts.keys().filter(move |refused| refused.decider == decider);
            decided.filter_map(Refused::name).collect::<BTreeSet<_>>()
        };
        let uncovered = self.counts.keys().filter(|refused| refused.decider == Decider::Architectures);
        let uncovered: BTreeSet<Arch> = uncovered.filter_map(|refused| refused.abi.map(Abi::arch)).collect();
        let (missing, refused) = (names(Decider::Default), names(Decider::Entry));
        let place = match form {
            Form::Manifest => "spec.",
            Form::Raw => "",
        };
        let mut all = Vec::new();
        if !missing.is_empty() {
            all.push(format!("Add to {place}syscalls:\n{}", entry(&missing, form)));
        }
        if !refused.is_empty() {
            let names = refused.into_iter().collect::<Vec<_>>().join(", ");
            all.push(format!("Take out of the entries of {place}syscalls that say so: {names}"));
        }
        if !uncovered.is_empty() {
            let names = uncovered.into_iter().map(spelt).collect::<Vec<_>>().join(", ");
            all.push(format!("Add to {place}architectures: {names}"));
        }
        all
    }
}

/// An entry that permits `names`, for the list `syscalls` of a profile of this form.
fn entry(names: &BTreeSet<&str>, form: Form) -> String {
    match form {
        Form::Manifest => {
            let names: String = names.iter().map(|name| format!("\n    - {name}")).collect();
            format!("  - action: SCMP_ACT_ALLOW\n    names:{names}")
        }
        Form::Raw => serde_json::json!({"names": names, "action": Action::Allow}).to_string(),
    }
}

/// The architecture, as a profile spells it.
fn spelt(arch: Arch) -> String {
    serde_json::to_value(arch).ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(decider: Decider, abi: Abi, name: &str) -> Refused {
        Refused {
            abi: Some(abi),
            number: abi.number(name).unwrap(),
            answer: Answer::Refuse { errno: libc::EPERM },
            decider,
        }
    }

    fn refused(name: &str) -> Refused {
        by(Decider::Default, Abi::X86_64, name)
    }

    fn process(pid: i32) -> Process {
        Process { pid, name: "sh".to_owned() }
    }

    #[test]
    fn a_refusal_is_told_once_per_process_and_always_counted() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.add(refused("mkdir"), process(1)), Worth::Telling);
        assert_eq!(refusals.add(refused("mkdir"), process(1)), Worth::Nothing);
        assert_eq!(refusals.add(refused("mkdir"), process(2)), Worth::Telling);
        assert_eq!(refusals.add(refused("ptrace"), process(1)), Worth::Telling);
        assert_eq!(refusals.summary(), "mkdir (3 times), ptrace (once)");
    }

    #[test]
    fn what_a_thread_is_refused_again_is_counted() {
        let mut refusals = Refusals::default();
        let tid = Pid::from_raw(7).unwrap();
        assert!(!refusals.is_again(refused("mkdir"), tid));
        refusals.add(refused("mkdir"), process(1));
        assert!(refusals.is_again(refused("mkdir"), tid));
        assert!(!refusals.is_again(refused("ptrace"), tid));
        assert_eq!(refusals.summary(), "mkdir (2 times)");
    }

    #[test]
    fn what_is_told_is_bounded_and_the_last_says_so() {
        let mut refusals = Refusals::default();
        let worth: Vec<Worth> = (0..2000).map(|pid| refusals.add(refused("mkdir"), process(pid))).collect();
        assert!(worth[..MAX_TOLD - 1].iter().all(|worth| *worth == Worth::Telling));
        assert_eq!(worth[MAX_TOLD - 1], Worth::TellingLast);
        assert!(worth[MAX_TOLD..].iter().all(|worth| *worth == Worth::Nothing));
        assert_eq!(refusals.summary(), "mkdir (2000 times)");
    }

    #[test]
    fn numbers_without_a_name_are_counted_together_when_there_are_too_many() {
        let mut refusals = Refusals::default();
        for number in 0..100_000 {
            let odd = Refused { abi: None, number, answer: Answer::Kill, decider: Decider::Architectures };
            refusals.add(odd, process(1));
        }
        refusals.add(refused("mkdir"), process(1));
        assert_eq!(refusals.counts.len(), MAX_UNNAMED + 1);
        let summary = refusals.summary();
        assert!(summary.starts_with("mkdir (once), number 0 (once), "), "{summary}");
        assert!(summary.ends_with(", other numbers (99936 times)"), "{summary}");
    }

    #[test]
    fn what_is_missing_can_be_pasted_into_the_profile() {
        let mut refusals = Refusals::default();
        refusals.add(refused("ptrace"), process(1));
        refusals.add(refused("mkdir"), process(1));
        assert_eq!(
            refusals.amendments(Form::Manifest),
            ["Add to spec.syscalls:\n  - action: SCMP_ACT_ALLOW\n    names:\n    - mkdir\n    - ptrace"]
        );
        let amendment = &refusals.amendments(Form::Raw)[0];
        let json: serde_json::Value =
            serde_json::from_str(amendment.strip_prefix("Add to syscalls:\n").unwrap()).unwrap();
        assert_eq!(json, serde_json::json!({"names": ["mkdir", "ptrace"], "action": "SCMP_ACT_ALLOW"}));
    }

    #[test]
    fn what_an_entry_refuses_is_not_to_be_added_but_taken_out() {
        let mut refusals = Refusals::default();
        refusals.add(by(Decider::Entry, Abi::X86_64, "mkdir"), process(1));
        assert_eq!(
            refusals.amendments(Form::Manifest),
            ["Take out of the entries of spec.syscalls that say so: mkdir"]
        );
    }

    #[test]
    fn an_architecture_that_is_not_covered_is_to_be_added() {
        let mut refusals = Refusals::default();
        refusals.add(by(Decider::Architectures, Abi::X86, "getpid"), process(1));
        assert_eq!(refusals.amendments(Form::Manifest), ["Add to spec.architectures: SCMP_ARCH_X86"]);
        assert_eq!(refusals.amendments(Form::Raw), ["Add to architectures: SCMP_ARCH_X86"]);
    }

    #[test]
    fn a_number_without_a_name_is_told_and_cannot_be_added() {
        let mut refusals = Refusals::default();
        let odd = Refused { abi: None, number: 7, answer: Answer::Kill, decider: Decider::Architectures };
        assert_eq!(odd.text(), "Seccomp: unknown (7)");
        refusals.add(odd, process(1));
        assert_eq!(refusals.summary(), "number 7 (once)");
        assert_eq!(refusals.amendments(Form::Manifest), Vec::<String>::new());
    }
}
