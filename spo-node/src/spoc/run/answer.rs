//! What a call that was stopped gets: what the profile says of it, as far as a listener can do that.

use std::collections::HashMap;
use std::fmt;
use std::io;

use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{Call, Effect, Entry, Profile, Verdict, evaluate};

use crate::spoc::sys::listener::Reply;

/// What a stopped call gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Answer {
    /// It is made all the same; the profile only logs it.
    Log,
    /// It fails with this error.
    Refuse {
        /// The error number.
        errno: i32,
    },
    /// It fails, and the thread gets SIGSYS.
    Trap,
    /// Its process is killed.
    Kill,
}

/// Answers for one profile. What does not depend on arguments is worked out once.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    profile: &'a Profile,
    native: Abi,
    known: HashMap<(Abi, u32), Verdict>,
}

impl Answer {
    /// Whether the thread or its process gets a signal, before the reply.
    pub(super) fn is_signal(self) -> bool {
        matches!(self, Self::Trap | Self::Kill)
    }

    /// What the listener replies.
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::Log => Reply::Continue,
            Self::Refuse { errno } => Reply::Refuse { errno },
            Self::Trap => Reply::Refuse { errno: libc::ENOSYS },
            Self::Kill => Reply::Refuse { errno: libc::EPERM },
        }
    }
}

/// What in the profile decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Decider {
    /// The default action.
    Default,
    /// An entry that names the call.
    Entry,
    /// The list of architectures, in which that of the call is missing.
    Architectures,
}

impl<'a> Answers<'a> {
    /// The answers of `profile` on a machine whose own ABI is `native`.
    pub(super) fn new(profile: &'a Profile, native: Abi) -> Self {
        Self { profile, native, known: HashMap::new() }
    }

    /// What the profile says of a call. One of an architecture that is not known here gets nowhere: no profile can cover it.
    pub(super) fn to(&mut self, abi: Option<Abi>, number: u32, args: [u64; 6]) -> (Answer, Decider) {
        let verdict = abi.map_or(Verdict::Uncovered, |abi| self.verdict(&Call { abi, nr: number, args }));
        let decider = match verdict {
            Verdict::Named(_) => Decider::Entry,
            Verdict::Default(_) => Decider::Default,
            Verdict::Uncovered => Decider::Architectures,
        };
        (answer(verdict.effect()), decider)
    }

    fn verdict(&mut self, call: &Call) -> Verdict {
        if let Some(known) = self.known.get(&(call.abi, call.nr)) {
            return *known;
        }
        let verdict = evaluate(self.profile, self.native, call);
        if self.is_worth_keeping(call) {
            self.known.insert((call.abi, call.nr), verdict);
        }
        verdict
    }

    /// Whether the answer does not depend on arguments. A number without a name is not kept: there are 2³² of them.
    fn is_worth_keeping(&self, call: &Call) -> bool {
        call.abi.name(call.nr).is_some_and(|name| !self.depends_on_arguments(name))
    }

    fn depends_on_arguments(&self, name: &str) -> bool {
        // On 32-bit x86 these two stand for others, by their first argument.
        let multiplexed = matches!(name, "socketcall" | "ipc");
        let conditional =
            |entry: &Entry| !entry.conditions().is_empty() && entry.names().iter().any(|known| known == name);
        multiplexed || self.profile.entries().iter().any(conditional)
    }
}

fn answer(effect: Effect) -> Answer {
    match effect {
        Effect::Log => Answer::Log,
        Effect::Errno(errno) => Answer::Refuse { errno: errno.unwrap_or(Effect::DEFAULT_ERRNO).into() },
        Effect::Trap => Answer::Trap,
        Effect::Kill | Effect::KillThread | Effect::KillProcess => Answer::Kill,
        // There is no tracer: the kernel says the same then.
        Effect::Trace(_) => Answer::Refuse { errno: libc::ENOSYS },
        // The filter stops no call that the profile allows, so one of the two is wrong about it, and confinement wins.
        Effect::Allow | Effect::Notify => Answer::Refuse { errno: libc::EPERM },
    }
}

/// As a log line says it.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("logged and made"),
            Self::Refuse { errno } => {
                let text = io::Error::from_raw_os_error(*errno).to_string();
                f.write_str(text.split(" (os error").next().unwrap_or_default())
            }
            Self::Trap => f.write_str("SIGSYS"),
            Self::Kill => f.write_str("killed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use spo_lsm::seccomp::parse_oci;

    use super::*;

    fn profile(json: &str) -> Profile {
        parse_oci("test".parse().unwrap(), json.as_bytes()).unwrap()
    }

    fn number(name: &str) -> u32 {
        Abi::X86_64.number(name).unwrap()
    }

    #[rstest]
    #[case("SCMP_ACT_ERRNO", Answer::Refuse { errno: libc::EPERM })]
    #[case("SCMP_ACT_KILL", Answer::Kill)]
    #[case("SCMP_ACT_KILL_THREAD", Answer::Kill)]
    #[case("SCMP_ACT_KILL_PROCESS", Answer::Kill)]
    #[case("SCMP_ACT_TRAP", Answer::Trap)]
    #[case("SCMP_ACT_TRACE", Answer::Refuse { errno: libc::ENOSYS })]
    #[case("SCMP_ACT_LOG", Answer::Log)]
    fn a_stopped_call_gets_what_its_action_says(#[case] action: &str, #[case] expected: Answer) {
        let profile = profile(&format!(r#"{{"defaultAction": "{action}"}}"#));
        let answered = Answers::new(&profile, Abi::X86_64).to(Some(Abi::X86_64), number("mkdir"), [0; 6]);
        assert_eq!(answered, (expected, Decider::Default));
    }

    #[test]
    fn an_answer_that_depends_on_arguments_is_worked_out_each_time() {
        let profile = profile(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_LOG",
                "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}"#,
        );
        let mut answers = Answers::new(&profile, Abi::X86_64);
        let mut to = |argument| answers.to(Some(Abi::X86_64), number("personality"), [argument, 0, 0, 0, 0, 0]);
        assert_eq!(to(8), (Answer::Log, Decider::Entry));
        assert_eq!(to(9), (Answer::Refuse { errno: libc::EPERM }, Decider::Default));
        assert_eq!(to(8), (Answer::Log, Decider::Entry));
    }

    #[test]
    fn numbers_without_a_name_are_answered_and_not_kept() {
        let profile = profile(r#"{"defaultAction": "SCMP_ACT_ERRNO"}"#);
        let mut answers = Answers::new(&profile, Abi::X86_64);
        for number in 100_000..200_000 {
            let answered = answers.to(Some(Abi::X86_64), number, [0; 6]);
            assert_eq!(answered, (Answer::Refuse { errno: libc::EPERM }, Decider::Default));
        }
        answers.to(Some(Abi::X86_64), number("mkdir"), [0; 6]);
        assert_eq!(answers.known.len(), 1);
    }

    #[test]
    fn a_call_of_an_architecture_that_the_profile_does_not_cover_is_killed() {
        let profile = profile(r#"{"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86_64"]}"#);
        let mut answers = Answers::new(&profile, Abi::X86_64);
        for abi in [Some(Abi::X86), None] {
            assert_eq!(answers.to(abi, 20, [0; 6]), (Answer::Kill, Decider::Architectures));
        }
    }
}
