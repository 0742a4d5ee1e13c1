//! Whether a profile may be installed: what depends on more than its own text.

use spo_api::syscalls::is_known;
use spo_api::{FieldPath, Violation};

use super::parse::action_name;
use super::{Effect, Form, MAX_BYTES, Profile, contradiction, to_json};
use crate::Policy;
use crate::findings::Findings;

/// The kernel's `NAME_MAX`.
const MAX_FILE_NAME_BYTES: usize = 255;

/// A file that the operator itself keeps in the profiles folder (`spec/node.md` 2).
pub(crate) const RESERVED_FILE: &str = "kubelet-config.json";

/// The permissive actions that an allow list can admit.
const PERMISSIVE: [Effect; 4] = [Effect::Allow, Effect::Log, Effect::Trace(None), Effect::Notify];

/// Everything that keeps `profile` from being installed under `policy`.
pub(crate) fn check(profile: &Profile, policy: &Policy) -> Vec<Violation> {
    let spec = FieldPath::new("spec");
    let mut violations = Vec::new();
    violations.extend(name(profile));
    if !profile.is_resolved() {
        violations.push(Violation::new(
            spec.child("baseProfileName"),
            "the base profile was not read yet, so its system calls are missing",
        ));
    }
    violations.extend(contradictions(profile, &spec));
    violations.extend(holes(profile, &spec));
    violations.extend(allow_list(profile, policy, &spec));
    violations.extend(size(profile, &spec));
    violations
}

fn name(profile: &Profile) -> Option<Violation> {
    let path = FieldPath::new("metadata").child("name");
    let file = spo_api::seccomp::file_name(&profile.name);
    if file == RESERVED_FILE {
        return Some(Violation::new(
            path,
            format!("{} is kept for the operator's own file {RESERVED_FILE}; choose another name", profile.name),
        ));
    }
    (file.len() > MAX_FILE_NAME_BYTES).then(|| {
        let reason = format!(
            "its file would have a name of {} bytes; {MAX_FILE_NAME_BYTES} are possible, so 250 without .json",
            file.len()
        );
        Violation::new(path, reason)
    })
}

/// What runtimes read is bounded, and a profile with all of its bases can be larger than each of them.
fn size(profile: &Profile, spec: &FieldPath) -> Option<Violation> {
    let bytes = to_json(profile, Form::Compact).len();
    (bytes > MAX_BYTES).then(|| {
        let reason =
            format!("its file would have {bytes} bytes; {MAX_BYTES} are possible, and no filter needs so many");
        Violation::new(spec.clone(), reason)
    })
}

/// Entries from a base profile meet those of the derived one only here. What contradicts each other in one profile, its parser refuses.
fn contradictions(profile: &Profile, spec: &FieldPath) -> Vec<Violation> {
    if !profile.resolved {
        return Vec::new();
    }
    let mut found = Findings::default();
    contradiction::find(profile, &FieldPath::new("syscalls"), &mut found);
    let violations = found.finish().err().unwrap_or_default();
    let field = spec.child("baseProfileName");
    let told = |violation: Violation| {
        let Violation { path, reason } = violation;
        Violation::new(field.clone(), format!("of all entries, those of the base among them, {path}: {reason}"))
    };
    violations.into_iter().map(told).collect()
}

/// Entries from a base profile meet the default action of the derived one only here.
fn holes(profile: &Profile, spec: &FieldPath) -> Vec<Violation> {
    if !profile.default_effect.is_permissive() {
        return Vec::new();
    }
    let refusing = profile.entries.iter().filter(|entry| !entry.effect.is_permissive());
    let unknown = refusing.flat_map(|entry| &entry.names).filter(|name| !is_known(name));
    unknown
        .map(|name| {
            let reason = format!("no Linux architecture has a system call {name:?}: refusing it would be left out, and the call stay permitted");
            Violation::new(spec.child("syscalls"), reason)
        })
        .collect()
}

/// `spec/node.md` 3.5 with W-ND-7: all permissive actions are looked at, whatever the list of actions says.
fn allow_list(profile: &Profile, policy: &Policy, spec: &FieldPath) -> Vec<Violation> {
    let Some(allowed) = policy.allowed_syscalls.as_ref().filter(|names| !names.is_empty()) else { return Vec::new() };
    let mut violations = Vec::new();
    if let Some(actions) = &policy.allowed_actions {
        let unusable = actions.iter().filter(|action| !PERMISSIVE.iter().any(|effect| effect.action() == **action));
        violations.extend(unusable.map(|action| {
            let reason = format!(
                "the cluster's allowedSeccompActions holds {}, which permits nothing; remove it there",
                action_name(*action)
            );
            Violation::new(spec.clone(), reason)
        }));
    }
    let admitted =
        |effect: Effect| policy.allowed_actions.as_ref().is_none_or(|actions| actions.contains(&effect.action()));
    if profile.default_effect.is_permissive() {
        let reason = format!(
            "{} permits calls outside the cluster's allowedSyscalls",
            action_name(profile.default_effect.action())
        );
        violations.push(Violation::new(spec.child("defaultAction"), reason));
    }
    for (index, entry) in profile.entries.iter().enumerate().filter(|(_, entry)| entry.effect.is_permissive()) {
        let path = spec.child("syscalls").index(index);
        if !admitted(entry.effect) {
            let reason =
                format!("{} is not among the cluster's allowedSeccompActions", action_name(entry.effect.action()));
            violations.push(Violation::new(path.child("action"), reason));
        }
        for (position, name) in entry.names.iter().enumerate().filter(|(_, name)| !allowed.contains(*name)) {
            let reason = format!("{name} is not among the cluster's allowedSyscalls");
            violations.push(Violation::new(path.child("names").index(position), reason));
        }
    }
    violations
}
