//! From what was written to the model: every rule that can be told from the text of one profile.
//!
//! The API type and the JSON of the OCI runtime specification differ in little; both are brought into [`Written`], and one function
//! makes the model of it. It collects everything that is wrong, so that a manifest is mended once.

use std::collections::BTreeSet;

use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::seccomp::{Action, Operator};
use spo_api::syscalls::is_known;
use spo_api::{FieldPath, ListenerPath, ProfileName, Violation};

use super::written::{Written, WrittenArg, WrittenEntry};
use super::{Argument, Base, Condition, Effect, Entry, Profile, Test};
use super::{contradiction, lost, tree};
use crate::findings::Findings;

/// More entries than any profile has use for: a filter has 4096 instructions at most.
pub(super) const MAX_ENTRIES: usize = 1024;
/// More names, over all entries, than that: Linux has about 500 calls.
pub(super) const MAX_NAMES: usize = 8192;
/// The longest name of a call that is looked at; the kernel's have at most 28 characters.
const MAX_NAME_BYTES: usize = 64;
/// The kernel's `MAX_ERRNO`.
const MAX_ERRNO: i64 = 4095;

/// Makes the model of a profile of the API.
///
/// # Errors
/// Everything that is wrong with it, by field of the object.
pub fn parse(name: ProfileName, spec: &SeccompProfileSpec) -> Result<Profile, Vec<Violation>> {
    Written::from_api(spec).into_profile(name, &FieldPath::new("spec"))
}

impl Written<'_> {
    /// The model, or everything that is wrong, with `root` as the path of the profile in its document.
    pub(super) fn into_profile(self, name: ProfileName, root: &FieldPath) -> Result<Profile, Vec<Violation>> {
        let mut found = Findings::default();
        let default_effect = found.effect(self.default_action, self.default_errno, &root.child("defaultErrnoRet"));
        let base = self.base.and_then(|base| found.base(base, &name, &root.child("baseProfileName")));
        if let Some(path) = self.listener_path {
            found.listener(path, &root.child("listenerPath"));
        }
        let syscalls = root.child("syscalls");
        let mut entries = Vec::new();
        if found.fits(&self.entries, &syscalls) {
            for (index, entry) in self.entries.into_iter().enumerate() {
                entries.extend(found.entry(entry, default_effect, &syscalls.index(index)));
            }
        }
        let profile = Profile {
            name,
            state: self.state,
            base,
            resolved: false,
            default_effect,
            architectures: self.architectures.to_vec(),
            listener_path: self.listener_path.map(str::to_owned),
            listener_metadata: self.listener_metadata.map(str::to_owned),
            entries,
            flags: self.flags.to_vec(),
            warnings: Vec::new(),
        };
        if found.refused() == 0 {
            contradiction::find(&profile, &syscalls, &mut found);
            lost::find(&profile, &syscalls, &mut found);
            tree::find(&profile, &syscalls, &mut found);
            found.listener_warnings(&profile, root);
        }
        Ok(Profile { warnings: found.finish()?, ..profile })
    }
}

/// One rule each.
impl Findings {
    fn base(&mut self, base: &str, own: &ProfileName, path: &FieldPath) -> Option<Base> {
        if let Some(reference) = base.strip_prefix("oci://") {
            if reference.is_empty() || reference.len() > 1024 {
                self.refuse(
                    path.clone(),
                    "after oci:// a reference of 1 to 1024 characters is wanted, as oci://registry.example/profile:v1",
                );
                return None;
            }
            return Some(Base::Oci(reference.to_owned()));
        }
        match base.parse::<ProfileName>() {
            Ok(name) if name == *own => {
                self.refuse(path.clone(), "a profile cannot build on itself; name another, or none")
            }
            Ok(name) => return Some(Base::Local(name)),
            Err(error) => self
                .refuse(path.clone(), format!("neither the name of a SeccompProfile nor oci://<reference>: {error}")),
        }
        None
    }

    /// The schema's pattern admits `..` as the last part (W-X-16); it is refused here.
    fn listener(&mut self, path: &str, field: &FieldPath) {
        if let Err(error) = path.parse::<ListenerPath>() {
            self.refuse(field.clone(), error.to_string());
        }
    }

    /// Whether there are as few entries and names as are looked at one by one.
    fn fits(&mut self, entries: &[WrittenEntry<'_>], path: &FieldPath) -> bool {
        let names: usize = entries.iter().map(|entry| entry.names.len()).sum();
        if entries.len() > MAX_ENTRIES {
            self.refuse(path.clone(), format!("{} entries are too many; at most {MAX_ENTRIES} fit", entries.len()));
        }
        if names > MAX_NAMES {
            self.refuse(
                path.clone(),
                format!("{names} names are too many; at most {MAX_NAMES} fit, and Linux has about 500 calls"),
            );
        }
        entries.len() <= MAX_ENTRIES && names <= MAX_NAMES
    }

    fn effect(&mut self, action: Action, errno: Option<i64>, path: &FieldPath) -> Effect {
        let highest = match action {
            Action::Errno => MAX_ERRNO,
            Action::Trace => i64::from(u16::MAX),
            Action::Kill
            | Action::KillProcess
            | Action::KillThread
            | Action::Trap
            | Action::Allow
            | Action::Log
            | Action::Notify => -1,
        };
        let number = errno.and_then(|errno| {
            if highest < 0 {
                self.refuse(path.clone(), "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE carry a number; leave it out");
            } else if errno < 0 || errno > highest {
                self.refuse(path.clone(), format!("{errno} is out of range: 0 to {highest} are possible"));
            }
            u16::try_from(errno).ok()
        });
        match action {
            Action::Kill => Effect::Kill,
            Action::KillProcess => Effect::KillProcess,
            Action::KillThread => Effect::KillThread,
            Action::Trap => Effect::Trap,
            Action::Errno => Effect::Errno(number),
            Action::Trace => Effect::Trace(number),
            Action::Allow => Effect::Allow,
            Action::Log => Effect::Log,
            Action::Notify => Effect::Notify,
        }
    }

    fn entry(&mut self, entry: WrittenEntry<'_>, default: Effect, path: &FieldPath) -> Option<Entry> {
        let before = self.refused();
        let effect = self.effect(entry.action, entry.errno, &path.child("errnoRet"));
        self.names(entry.names, effect, default, &path.child("names"));
        let conditions = self.conditions(&entry.args, &path.child("args"));
        (self.refused() == before).then(|| Entry { names: entry.names.to_vec(), effect, conditions })
    }

    fn names(&mut self, names: &[String], effect: Effect, default: Effect, path: &FieldPath) {
        // An entry without names is accepted by the reference; it says nothing.
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            let path = path.index(index);
            if name.is_empty() {
                self.refuse(path, "an empty name; runtimes refuse to start a container with it");
            } else if name.len() > MAX_NAME_BYTES {
                self.refuse(
                    path,
                    format!("a name of {} bytes; no system call has more than {MAX_NAME_BYTES}", name.len()),
                );
            } else if !seen.insert(name) {
                self.warn(path, format!("{name} is named twice"));
            } else if !is_known(name) {
                self.unknown(name, effect, default, path);
            }
        }
    }

    /// A call that we do not know is one that runtimes leave out. That confines more where it was to be allowed, and is a hole where it
    /// was to be refused.
    fn unknown(&mut self, name: &str, effect: Effect, default: Effect, path: FieldPath) {
        if default.is_permissive() && !effect.is_permissive() {
            let action = action_name(effect.action());
            self.refuse(
                path,
                format!("no Linux architecture has a system call {name:?}, so {action} would be left out and the call stay permitted; correct the name or remove it"),
            );
        } else {
            self.warn(path, format!("no Linux architecture has a system call {name:?}; runtimes leave it out"));
        }
    }

    fn conditions(&mut self, args: &[WrittenArg], path: &FieldPath) -> Vec<Condition> {
        if args.len() > usize::from(Argument::COUNT) {
            self.refuse(path.clone(), format!("{} conditions; at most {} are possible", args.len(), Argument::COUNT));
            return Vec::new();
        }
        let conditions: Vec<Condition> =
            args.iter().enumerate().filter_map(|(index, arg)| self.condition(arg, &path.index(index))).collect();
        self.same_argument(&conditions, path);
        conditions
    }

    fn condition(&mut self, arg: &WrittenArg, path: &FieldPath) -> Option<Condition> {
        let argument = Argument::new(arg.index);
        if argument.is_none() {
            self.refuse(path.child("index"), format!("{} is no argument of a system call: they are 0 to 5", arg.index));
        }
        let value = self.operand(arg.value, &path.child("value"));
        let value_two = self.operand(arg.value_two, &path.child("valueTwo"));
        let (argument, value, value_two) = (argument?, value?, value_two?);
        let masked = arg.operator == Operator::MaskedEqual;
        if masked && value_two & !value != 0 {
            self.warn(path.child("valueTwo"), "has bits outside the mask in value; they are not looked at");
        }
        if !masked && value_two != 0 {
            self.warn(path.child("valueTwo"), "is used by SCMP_CMP_MASKED_EQ only, and left out");
        }
        Some(Condition { argument, test: Test::new(arg.operator, value, value_two) })
    }

    fn operand(&mut self, value: i128, path: &FieldPath) -> Option<u64> {
        let operand = u64::try_from(value).ok();
        if operand.is_none() {
            self.refuse(
                path.clone(),
                format!("{value} is out of range: arguments are compared as unsigned 64-bit numbers"),
            );
        }
        operand
    }

    /// Two conditions on one argument: runtimes take each for an entry of its own.
    fn same_argument(&mut self, conditions: &[Condition], path: &FieldPath) {
        for (later, condition) in conditions.iter().enumerate() {
            let Some(earlier) = conditions[..later].iter().position(|other| other.argument == condition.argument)
            else {
                continue;
            };
            let other = conditions[earlier];
            if other.test.excludes(condition.test) {
                self.refuse(
                    path.index(later),
                    format!("contradictory argument rules: {other} and {condition} never hold together; write one entry for each if either shall do"),
                );
            } else {
                self.warn(
                    path.index(later),
                    format!("runtimes take {other} and {condition}, being about one argument, for entries of their own: either suffices"),
                );
            }
        }
    }

    /// What keeps a container from starting, depending on its runtime.
    fn listener_warnings(&mut self, profile: &Profile, root: &FieldPath) {
        if profile.default_effect == Effect::Notify {
            self.warn_first(
                root.child("defaultAction"),
                "runc starts no container with SCMP_ACT_NOTIFY as default action",
            );
        }
        if profile.notifies() && profile.listener_path.is_none() {
            self.warn_first(
                root.child("listenerPath"),
                "is wanted by SCMP_ACT_NOTIFY; without it a container does not start",
            );
        }
        if !profile.notifies() && profile.listener_path.is_some() {
            self.warn_first(root.child("listenerPath"), "is not used: no entry has SCMP_ACT_NOTIFY");
        }
        let asks_about_write =
            |entry: &Entry| entry.effect == Effect::Notify && entry.names.iter().any(|name| name == "write");
        if let Some(index) = profile.entries.iter().position(asks_about_write) {
            self.warn_first(
                root.child("syscalls").index(index).child("names"),
                "runc starts no container with SCMP_ACT_NOTIFY for write, which it needs itself",
            );
        }
    }
}

/// An action as profiles spell it.
pub(super) fn action_name(action: Action) -> &'static str {
    match action {
        Action::Kill => "SCMP_ACT_KILL",
        Action::KillProcess => "SCMP_ACT_KILL_PROCESS",
        Action::KillThread => "SCMP_ACT_KILL_THREAD",
        Action::Trap => "SCMP_ACT_TRAP",
        Action::Errno => "SCMP_ACT_ERRNO",
        Action::Trace => "SCMP_ACT_TRACE",
        Action::Allow => "SCMP_ACT_ALLOW",
        Action::Log => "SCMP_ACT_LOG",
        Action::Notify => "SCMP_ACT_NOTIFY",
    }
}
