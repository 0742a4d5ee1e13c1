//! The rules of a profile, in the order of its text (`spec/node.md` 4.3).

use std::collections::BTreeSet;
use std::fmt;

use spo_api::apparmor::v1::Mode;

use super::covers::Inside;
use super::quoted::Quoted;
use super::{Capability, Pattern, Profile, Ptrace};

/// One rule, without the comma that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule<'a> {
    Allow(Quoted<'a>, &'static str),
    Deny(Quoted<'a>, &'static str),
    Network(&'static str),
    DenyNetwork(&'static str),
    Capability(Capability),
    Ptrace(Ptrace),
    /// A rule of one word.
    Plain(&'static str),
}

/// What a filesystem check needs, which comes with raw access to disks.
const MOUNT_HELPERS: [&str; 2] = ["/sbin/fsck", "/sbin/fsck.ext4"];

/// What no container may do to the machine, whatever else it may: other processes' and the kernel's files in `/proc`, and the firmware's
/// variables.
const DEFAULT_DENIALS: [(&str, &str); 9] = [
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
    files(profile, enforced, &mut rules);
    rules.extend(profile.ptrace.iter().copied().map(Rule::Ptrace));
    if let Some(network) = profile.network {
        match (network.raw, enforced) {
            (true, _) => rules.push(Rule::Network("raw")),
            (false, true) => rules.push(Rule::DenyNetwork("raw")),
            (false, false) => {}
        }
        rules.extend(network.tcp.then_some(Rule::Network("tcp")));
        rules.extend(network.udp.then_some(Rule::Network("udp")));
    }
    rules.extend(profile.capabilities.iter().copied().map(Rule::Capability));
    if raw_io {
        rules.extend(["mount", "remount", "umount"].map(Rule::Plain));
    }
    if enforced {
        rules.extend(DEFAULT_DENIALS.map(|(path, access)| Rule::Deny(Quoted::fixed(path), access)));
    }
    rules
}

/// What may be read and written, and in enforce mode the denials that go with it.
fn files<'a>(profile: &'a Profile, enforced: bool, rules: &mut Vec<Rule<'a>>) {
    let both = &profile.read_write;
    let written = Inside::new(profile.write.iter().chain(both));
    let read = Inside::new(profile.read.iter().chain(both).chain(&profile.executables).chain(&profile.libraries));
    for (paths, access, denied, permitted) in
        [(&profile.read, "r", "wlk", &written), (&profile.write, "wlk", "r", &read)]
    {
        for path in paths {
            rules.push(Rule::Allow(path.into(), access));
            if enforced && !permitted.has_part_of(path) {
                rules.push(Rule::Deny(path.into(), denied));
            }
        }
    }
    rules.extend(allow(both, "rwlk"));
}

fn allow<'a>(paths: &'a BTreeSet<Pattern>, access: &'static str) -> impl Iterator<Item = Rule<'a>> {
    paths.iter().map(move |path| Rule::Allow(path.into(), access))
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow(path, access) => write!(f, "{path} {access}"),
            Self::Deny(path, access) => write!(f, "deny {path} {access}"),
            Self::Network(kind) => write!(f, "network {kind}"),
            Self::DenyNetwork(kind) => write!(f, "deny network {kind}"),
            Self::Capability(capability) => write!(f, "capability {capability}"),
            Self::Ptrace(ptrace) => ptrace.fmt(f),
            Self::Plain(word) => f.write_str(word),
        }
    }
}
