//! The rules of a profile, one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::denial::Denial;
use super::head::Head;
use super::network::Networks;
use super::{ImportError, Notes, Statement, denial, file};
use crate::apparmor::access::MOUNT_HELPERS;
use crate::apparmor::{Capability, Pattern, Profile, Ptrace, parse, to_spec};

/// What `sys_rawio` brings in a text of ours.
const MOUNTS: [&str; 3] = ["mount", "remount", "umount"];
/// Classes of rules that an AppArmorProfile has no words for.
const OTHER_CLASSES: [&str; 15] = [
    "mount",
    "remount",
    "umount",
    "pivot_root",
    "signal",
    "unix",
    "dbus",
    "change_profile",
    "set",
    "rlimit",
    "link",
    "userns",
    "io_uring",
    "mqueue",
    "all",
];
const NO_WORDS: &str = "an AppArmorProfile has no words for it";

/// What was read of the rules.
#[derive(Debug)]
pub(super) struct Body<'a> {
    /// Variables that the text defines itself.
    variables: BTreeSet<&'a str>,
    pub(super) executables: BTreeSet<Pattern>,
    /// Those that stand in several rules, as a program does which is named beside those that come with a capability.
    pub(super) repeated: BTreeSet<Pattern>,
    pub(super) libraries: BTreeSet<Pattern>,
    pub(super) read: BTreeSet<Pattern>,
    pub(super) write: BTreeSet<Pattern>,
    pub(super) read_write: BTreeSet<Pattern>,
    /// The rule that names a path.
    pub(super) named: BTreeMap<Pattern, Statement<'a>>,
    pub(super) denials: Vec<Denial<'a>>,
    ptrace: BTreeSet<Ptrace>,
    pub(super) networks: Networks,
    pub(super) capabilities: BTreeSet<Capability>,
    mounts: BTreeMap<&'static str, Statement<'a>>,
    raw_io: Option<Statement<'a>>,
    /// Whether `abstractions/base` is included, as in every text of ours.
    base: bool,
    /// Whether it was said what goes with writing.
    pub(super) locks_told: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(variables: BTreeSet<&'a str>) -> Self {
        Self {
            variables,
            executables: BTreeSet::new(),
            repeated: BTreeSet::new(),
            libraries: BTreeSet::new(),
            read: BTreeSet::new(),
            write: BTreeSet::new(),
            read_write: BTreeSet::new(),
            named: BTreeMap::new(),
            denials: Vec::new(),
            ptrace: BTreeSet::new(),
            networks: Networks::default(),
            capabilities: BTreeSet::new(),
            mounts: BTreeMap::new(),
            raw_io: None,
            base: false,
            locks_told: false,
        }
    }

    /// An inclusion.
    pub(super) fn line(&mut self, line: &Statement<'a>, notes: &mut Notes) {
        if line.includes("abstractions/base") {
            self.base = true;
        } else {
            notes.add(line, "is not looked into; an AppArmorProfile includes abstractions/base only, so write out what is needed of it");
        }
    }

    pub(super) fn rule(&mut self, rule: Statement<'a>, notes: &mut Notes) {
        let mut words = rule.words.as_slice();
        let (mut denied, mut audited, mut unsayable) = (false, false, None);
        while let [first, rest @ ..] = words {
            match *first {
                "allow" => {}
                "deny" => denied = true,
                "audit" => audited = true,
                "owner" => unsayable = Some("is left out: an AppArmorProfile permits files whoever owns them"),
                word if word.starts_with("priority=") => {
                    unsayable = Some("is left out: the rules of an AppArmorProfile have no priorities");
                }
                _ => break,
            }
            words = rest;
        }
        if denied {
            // Words that are none of a known rule: such a denial is no exception of ours.
            let words = if unsayable.is_some() { rule.words.clone() } else { words.to_vec() };
            self.denials.push(Denial { rule, words });
            return;
        }
        if let Some(reason) = unsayable {
            return notes.add(&rule, reason);
        }
        let words = words.to_vec();
        if audited {
            notes.add(&rule, "what it permits is not written to the log: an AppArmorProfile audits nothing");
        }
        self.permission(rule, &words, notes);
    }

    fn permission(&mut self, rule: Statement<'a>, words: &[&'a str], notes: &mut Notes) {
        match words {
            ["capability", names @ ..] => self.capability(&rule, names, notes),
            ["network", kinds @ ..] => self.networks.add(&rule, kinds, notes),
            ["ptrace", rest @ ..] => self.ptrace(&rule, rest, notes),
            [word] if MOUNTS.contains(word) => {
                let known = MOUNTS.iter().find(|known| *known == word);
                known.and_then(|known| self.mounts.insert(known, rule));
            }
            [word, ..] if OTHER_CLASSES.contains(word) => notes.add(&rule, format!("is left out: {NO_WORDS}")),
            words => file::permission(self, rule, words, notes),
        }
    }

    fn capability(&mut self, rule: &Statement<'a>, names: &[&str], notes: &mut Notes) {
        if names.is_empty() {
            notes.add(rule, "is left out: an AppArmorProfile names each capability; write those that are needed");
        }
        for name in names {
            match name.parse::<Capability>() {
                Ok(capability) => {
                    if capability == Capability::SYS_RAWIO {
                        self.raw_io.get_or_insert_with(|| rule.clone());
                    }
                    self.capabilities.insert(capability);
                }
                Err(error) => notes.add(rule, error.to_string()),
            }
        }
    }

    fn ptrace(&mut self, rule: &Statement<'a>, words: &[&str], notes: &mut Notes) {
        let accesses = match words {
            [list] => list.strip_prefix('(').and_then(|list| list.strip_suffix(')')).unwrap_or(list),
            _ => return notes.add(rule, "is left out: an AppArmorProfile permits tracing of any process, or of none"),
        };
        for access in accesses.split([',', ' ', '\t', '\n', '\r']).filter(|access| !access.is_empty()) {
            match format!("ptrace ({access}),").parse::<Ptrace>() {
                Ok(ptrace) => {
                    self.ptrace.insert(ptrace);
                }
                Err(error) => notes.add(rule, format!("{access:?} {error}")),
            }
        }
    }

    /// A pattern, if it can be one of an AppArmorProfile.
    pub(super) fn pattern(&self, text: &str) -> Result<Pattern, String> {
        let own = text.split("@{").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
        if let Some(name) = own.into_iter().find(|name| self.variables.contains(name)) {
            return Err(format!("@{{{name}}} is defined by the text itself, which an AppArmorProfile cannot"));
        }
        if text.starts_with('@') {
            return Err("a path of an AppArmorProfile begins with '/'; write what the variable stands for".to_owned());
        }
        text.parse().map_err(|error: crate::apparmor::InvalidPattern| error.to_string())
    }

    /// The profile of all that was read.
    pub(super) fn finish(
        mut self,
        head: Head,
        open: &Statement<'a>,
        notes: &mut Notes,
    ) -> Result<Profile, ImportError> {
        if !self.base {
            notes.add(open, "an AppArmorProfile includes abstractions/base, too, so it permits what that does");
        }
        self.mounting(notes);
        let denials = std::mem::take(&mut self.denials);
        let named = std::mem::take(&mut self.named);
        let name = head.object.clone();
        let mut profile = self.profile(head, notes);
        denial::settle(&mut profile, denials, &named, open, notes);
        // What a profile may not have is told by the one who knows, as of an object.
        let checked = parse(name.clone(), &to_spec(&profile));
        checked.map_err(|violations| match violations.into_iter().next() {
            Some(violation) => ImportError::Profile { name: name.to_string(), violation },
            None => ImportError::NoProfile,
        })
    }

    /// Mounting goes with one capability, and so do programs that it needs.
    fn mounting(&mut self, notes: &mut Notes) {
        let Some(rule) = &self.raw_io else {
            for mount in self.mounts.values() {
                notes.add(
                    mount,
                    "is left out: an AppArmorProfile permits mounting together with the capability sys_rawio only",
                );
            }
            return;
        };
        let helpers = MOUNT_HELPERS.iter().filter_map(|path| path.parse::<Pattern>().ok());
        let helpers: Vec<Pattern> = helpers.filter(|helper| self.executables.contains(helper)).collect();
        if self.mounts.len() < MOUNTS.len() || helpers.len() < MOUNT_HELPERS.len() {
            let helpers = MOUNT_HELPERS.join(" and ");
            notes.add(rule, format!("sys_rawio of an AppArmorProfile permits mounting, and to run {helpers}, too"));
        }
        for helper in helpers.into_iter().filter(|helper| !self.repeated.contains(helper)) {
            self.executables.remove(&helper);
        }
    }

    fn profile(self, head: Head, notes: &mut Notes) -> Profile {
        Profile {
            loaded_as: head.loaded_as,
            name: head.object,
            state: None,
            mode: head.mode,
            executables: self.executables,
            libraries: self.libraries,
            read: self.read,
            write: self.write,
            read_write: self.read_write,
            ptrace: self.ptrace,
            network: self.networks.finish(notes),
            capabilities: self.capabilities,
            warnings: Vec::new(),
        }
    }
}
