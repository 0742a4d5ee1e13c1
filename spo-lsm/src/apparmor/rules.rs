//! The rules of a profile, in the order of its text (`spec/node.md` 4.3).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use spo_api::apparmor::v1::Mode;

use super::access::{MOUNT_HELPERS, budget, denials};
use super::quoted::Quoted;
use super::{Capability, Glob, Pattern, Profile, Ptrace, Uses};

/// One rule, without the comma that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule<'a> {
    Allow(Quoted<'a>, &'static str),
    /// What is refused whatever permits it. It is written to the log, as any other refusal: who tries that should be seen.
    Deny(Quoted<'a>, &'static str),
    Network(&'static str),
    Capability(Capability),
    Ptrace(Ptrace),
    /// A rule of one word.
    Plain(&'static str),
}

/// What no container may do to the machine, whatever else it may: other processes' and the kernel's files in `/proc`, and the firmware's
/// variables.
pub(super) const DEFAULT_DENIALS: [(&str, &str); 9] = [
    ("@{PROC}/*", "w"),
    // Folders that are no process: those whose names are no number.
    ("@{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/**", "w"),
    ("@{PROC}/sys/[^k]**", "w"),
    // All of sys/kernel but shm*.
    ("@{PROC}/sys/kernel/{?,??,[^s][^h][^m]**}", "w"),
    ("@{PROC}/sysrq-trigger", "rwklx"),
    ("@{PROC}/mem", "rwklx"),
    ("@{PROC}/kmem", "rwklx"),
    ("@{PROC}/kcore", "rwklx"),
    ("/sys/firmware/efi/efivars/**", "rwklx"),
];

/// The rules of a profile.
pub(super) fn rules(profile: &Profile) -> Vec<Rule<'_>> {
    let enforced = profile.mode == Mode::Enforce;
    let raw_io = profile.capabilities.contains(&Capability::SYS_RAWIO);
    let mut rules = Vec::new();
    rules.extend(allow(&profile.executables, "ixr"));
    rules.extend(allow(&profile.libraries, "mr"));
    if raw_io {
        rules.extend(MOUNT_HELPERS.map(|path| Rule::Allow(Quoted::fixed(path), "ixr")));
    }
    files(profile, &mut rules);
    rules.extend(profile.ptrace.iter().copied().map(Rule::Ptrace));
    let network = profile.network.unwrap_or_default();
    let networks = [(network.raw, "raw"), (network.tcp, "tcp"), (network.udp, "udp")];
    rules.extend(
        networks.into_iter().filter(|(allowed, _)| *allowed == Some(true)).map(|(_, kind)| Rule::Network(kind)),
    );
    rules.extend(profile.capabilities.iter().copied().map(Rule::Capability));
    if raw_io {
        rules.extend(["mount", "remount", "umount"].map(Rule::Plain));
    }
    if enforced {
        rules.extend(DEFAULT_DENIALS.map(|(path, access)| Rule::Deny(Quoted::fixed(path), access)));
    }
    rules
}

/// What may be read and written, and in enforce mode the exceptions from it.
fn files<'a>(profile: &'a Profile, rules: &mut Vec<Rule<'a>>) {
    let enforced = profile.mode == Mode::Enforce;
    let denied: BTreeMap<&Pattern, Uses> =
        if enforced { denials(profile, &mut budget()).into_iter().collect() } else { BTreeMap::new() };
    for (paths, access, refused) in [(&profile.read, "r", "wlk"), (&profile.write, "wlk", "r")] {
        for path in paths {
            rules.push(Rule::Allow(path.into(), access));
            rules.extend(denied.contains_key(path).then(|| Rule::Deny(path.into(), refused)));
        }
    }
    rules.extend(allow(&profile.read_write, "rwlk"));
}

/// The denials of every profile that take away whole ways of use.
pub(super) fn denied_everywhere() -> impl Iterator<Item = (Glob, Uses)> {
    let whole = DEFAULT_DENIALS.iter().filter(|(_, access)| *access == "rwklx");
    whole.filter_map(|(path, _)| Some((Glob::parse(path).ok()?, Uses::READ | Uses::WRITE | Uses::EXECUTE)))
}

fn allow<'a>(paths: &'a BTreeSet<Pattern>, access: &'static str) -> impl Iterator<Item = Rule<'a>> {
    paths.iter().map(move |path| Rule::Allow(path.into(), access))
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow(path, access) => write!(f, "{path} {access}"),
            Self::Deny(path, access) => write!(f, "audit deny {path} {access}"),
            Self::Network(kind) => write!(f, "network {kind}"),
            Self::Capability(capability) => write!(f, "capability {capability}"),
            Self::Ptrace(ptrace) => ptrace.fmt(f),
            Self::Plain(word) => f.write_str(word),
        }
    }
}
