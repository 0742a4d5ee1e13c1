//! From what was seen to a profile, and to how far that profile can be trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use spo_api::seccomp::v1::{SeccompProfileSpec, Syscall};
use spo_api::seccomp::{Action, Arch};
use spo_api::syscalls::Abi;

use crate::observe::{Losses, Observation};

/// How a profile is drafted.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// The machine's own ABI: its architecture is always in the profile, and comes first.
    pub native: Abi,
    /// Names that are added to what was seen, such as [`crate::base::BASE_SYSCALLS`] or [`crate::base::RUNTIME_START`].
    pub base: &'a [&'a str],
}

impl Default for Draft<'_> {
    /// For this machine, without additions.
    fn default() -> Self {
        Self { native: Abi::native(), base: &[] }
    }
}

/// Drafts the seccomp profile that allows what was seen and refuses everything else.
#[must_use]
pub fn seccomp(seen: &Observation, how: &Draft<'_>) -> (SeccompProfileSpec, Completeness) {
    let (names, unknown) = names(seen);
    let names = names.into_iter().chain(how.base.iter().copied()).collect::<BTreeSet<_>>();
    let allowed = Syscall {
        names: names.into_iter().map(str::to_owned).collect(),
        action: Action::Allow,
        errno_ret: None,
        args: None,
    };
    let spec = SeccompProfileSpec {
        state: None,
        base_profile_name: None,
        default_action: Action::Errno,
        architectures: Some(architectures(seen, how.native)),
        listener_path: None,
        listener_metadata: None,
        syscalls: Some(vec![allowed]),
        flags: None,
    };
    (spec, Completeness { losses: seen.losses.clone(), unknown, filtered: seen.filtered })
}

/// The names of what was seen, and the numbers that have none.
fn names(seen: &Observation) -> (BTreeSet<&'static str>, BTreeMap<Abi, BTreeSet<u32>>) {
    let mut names = BTreeSet::new();
    let mut unknown = BTreeMap::<Abi, BTreeSet<u32>>::new();
    for (abi, numbers) in &seen.syscalls {
        for number in numbers {
            match abi.name(*number) {
                Some(name) => {
                    names.insert(name);
                }
                None => {
                    unknown.entry(*abi).or_default().insert(*number);
                }
            }
        }
    }
    (names, unknown)
}

/// The machine's own architecture, then the others that were seen.
fn architectures(seen: &Observation, native: Abi) -> Vec<Arch> {
    let others = seen.syscalls.keys().filter(|abi| **abi != native).map(|abi| abi.arch());
    std::iter::once(native.arch()).chain(others).collect()
}

/// How far a recorded profile can be trusted: what may be missing from it.
///
/// A seccomp filter that the workload is under is a thing of its own. What it refuses the recorder does not see, as the kernel
/// asks filters first. That is no loss: the profile permits everything that took place, and what is refused today is refused by the
/// profile too, though maybe with another error. But a workload that is to be permitted more than it is today must be recorded
/// without a filter, so it is [told](Self::is_filtered) apart from losses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completeness {
    losses: Losses,
    unknown: BTreeMap<Abi, BTreeSet<u32>>,
    filtered: bool,
}

impl Completeness {
    /// Whether nothing that took place is known to be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.losses.is_empty() && self.unknown.is_empty()
    }

    /// Whether calls may be missing because a seccomp filter refused them before they were seen: one of the container, of a systemd
    /// unit, or of the program's own.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.filtered
    }

    /// What the recording missed.
    #[must_use]
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Numbers that were seen and have no name, so that the profile cannot allow them.
    #[must_use]
    pub fn unknown_numbers(&self) -> &BTreeMap<Abi, BTreeSet<u32>> {
        &self.unknown
    }

    /// Refuses a draft that leaves out calls whose name is not known.
    ///
    /// # Errors
    /// The numbers, where there are any.
    pub fn require_known(&self) -> Result<(), UnknownNumbers> {
        if self.unknown.is_empty() { Ok(()) } else { Err(UnknownNumbers(self.unknown.clone())) }
    }
}

impl fmt::Display for Completeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let losses = self.losses.iter().map(|(what, count)| format!("at least {count} {what}"));
        let unknown = self.unknown.iter().map(|(abi, numbers)| unnamed(*abi, numbers));
        let missed = losses.chain(unknown).collect::<Vec<_>>().join("; ");
        match self.is_complete() {
            true => f.write_str("complete: nothing was missed")?,
            false => write!(f, "may be incomplete: {missed}")?,
        }
        if self.filtered {
            f.write_str("; but a seccomp filter was in place, and calls that it refused could not be seen")?;
        }
        Ok(())
    }
}

/// The value of the annotation `spo.x-k8s.io/completeness`.
impl Serialize for Completeness {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            complete: bool,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            losses: BTreeMap<crate::event::Loss, u64>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            unknown_numbers: BTreeMap<Arch, BTreeSet<u32>>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            filtered: bool,
        }
        Wire {
            complete: self.is_complete(),
            losses: self.losses.iter().collect(),
            unknown_numbers: self.unknown.iter().map(|(abi, numbers)| (abi.arch(), numbers.clone())).collect(),
            filtered: self.filtered,
        }
        .serialize(serializer)
    }
}

/// Calls were made whose names are not known, so no profile can allow them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownNumbers(pub BTreeMap<Abi, BTreeSet<u32>>);

impl std::error::Error for UnknownNumbers {}

impl fmt::Display for UnknownNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.iter().map(|(abi, numbers)| unnamed(*abi, numbers)).collect::<Vec<_>>().join("; ");
        write!(f, "{all}. A newer version may know them; what the kernel does not know either it refuses anyway")
    }
}

fn unnamed(abi: Abi, numbers: &BTreeSet<u32>) -> String {
    let list = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    format!("system calls of {abi} without a known name: {list}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Loss};

    fn seen(events: &[Event]) -> Observation {
        let mut observation = Observation::default();
        observation.extend(events);
        observation
    }

    fn call(abi: Abi, name: &str) -> Event {
        Event::Call { abi, number: abi.number(name).unwrap() }
    }

    const X86_64: Draft<'static> = Draft { native: Abi::X86_64, base: &[] };

    fn allowed(spec: &SeccompProfileSpec) -> Vec<&str> {
        let entries = spec.syscalls.as_deref().unwrap();
        assert_eq!(entries.len(), 1);
        entries[0].names.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_was_seen_and_the_base_are_one_sorted_list() {
        let seen = seen(&[call(Abi::X86_64, "write"), call(Abi::X86_64, "brk")]);
        let (spec, completeness) = seccomp(&seen, &Draft { base: &["close", "write"], ..X86_64 });
        assert_eq!(allowed(&spec), ["brk", "close", "write"]);
        assert_eq!(spec.default_action, Action::Errno);
        assert!(completeness.is_complete());
        assert_eq!(completeness.to_string(), "complete: nothing was missed");
    }

    #[test]
    fn w_x_14_calls_of_a_32_bit_program_are_named_by_its_own_table_and_its_architecture_is_added() {
        let seen = seen(&[Event::Call { abi: Abi::X86, number: 20 }, call(Abi::X86_64, "execve")]);
        let (spec, _) = seccomp(&seen, &X86_64);
        assert_eq!(allowed(&spec), ["execve", "getpid"], "20 is writev for 64-bit programs");
        assert_eq!(spec.architectures, Some(vec![Arch::X86_64, Arch::X86]));
    }

    #[test]
    fn the_own_architecture_comes_first_even_if_only_another_was_seen() {
        let (spec, _) = seccomp(&seen(&[call(Abi::X86, "getpid")]), &X86_64);
        assert_eq!(spec.architectures, Some(vec![Arch::X86_64, Arch::X86]));
    }

    #[test]
    fn numbers_without_name_are_told_and_never_swallowed() {
        let (spec, completeness) = seccomp(&seen(&[Event::Call { abi: Abi::X86_64, number: 511 }]), &X86_64);
        assert_eq!(allowed(&spec), Vec::<&str>::new());
        let message = completeness.require_known().unwrap_err().to_string();
        assert!(message.starts_with("system calls of x86_64 without a known name: 511."), "{message}");
        let json = serde_json::to_string(&completeness).unwrap();
        assert_eq!(json, r#"{"complete":false,"unknownNumbers":{"SCMP_ARCH_X86_64":[511]}}"#);
    }

    #[test]
    fn losses_make_a_profile_incomplete_and_say_how() {
        let (_, completeness) = seccomp(&seen(&[Event::Lost { what: Loss::StillRunning, count: 2 }]), &X86_64);
        assert_eq!(
            completeness.to_string(),
            "may be incomplete: at least 2 tasks were still running when the recording ended"
        );
        assert_eq!(serde_json::to_string(&completeness).unwrap(), r#"{"complete":false,"losses":{"stillRunning":2}}"#);
    }

    #[test]
    fn a_seccomp_filter_is_told_and_is_no_loss() {
        let (_, completeness) = seccomp(&seen(&[call(Abi::X86_64, "read"), Event::Filtered]), &X86_64);
        assert!(completeness.is_complete() && completeness.is_filtered());
        assert_eq!(
            completeness.to_string(),
            "complete: nothing was missed; but a seccomp filter was in place, and calls that it refused could not be seen"
        );
        assert_eq!(serde_json::to_string(&completeness).unwrap(), r#"{"complete":true,"filtered":true}"#);
    }
}
