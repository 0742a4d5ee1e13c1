//! Whether the cluster's configuration permits a profile, and which calls are in a SeccompProfile with those of its bases. Pure.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{ProfileKey, ProfileKind, ProfileName, Violation};
use spo_lsm::seccomp::{Base, Form, LookupError, resolve, to_json};
use spo_lsm::{Policy, Profile, Spec, check};

/// What a message lists of what is forbidden; the rest is counted.
const LIST_MAX_BYTES: usize = 600;
/// An object's annotations have 256 KiB in all. A longer list of calls is not written.
const SYSCALLS_MAX_BYTES: usize = 192 * 1024;

/// What is known of a profile by its text alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// What the configuration forbids, for people.
    pub(crate) denied: Option<Box<str>>,
    /// The calls with those of the base profiles, as the annotation `syscalls` has them. `None` if a base is missing, and where the
    /// annotation is right already.
    pub(crate) syscalls: Option<Box<str>>,
}

/// Judges a profile by its `spec`, which is JSON; `base` gives that of another SeccompProfile.
///
/// One that is wrong in itself is judged by the nodes, which say so.
pub(crate) fn judge<'a>(
    key: &ProfileKey,
    spec: &str,
    policy: &Policy,
    base: impl Fn(&ProfileName) -> Option<&'a str>,
) -> Judged {
    let mut judged = Judged::default();
    let Some(mut profile) = profile(key, spec) else { return judged };
    if let Profile::Seccomp(seccomp) = &profile {
        let Ok(whole) = resolve(seccomp, |of| look_up(of, &base)) else { return judged };
        judged.syscalls = syscalls(&to_json(&whole, Form::Compact));
        profile = Profile::Seccomp(whole);
    }
    if let Err(violations) = check(&profile, policy)
        && check(&profile, &Policy::default()).is_ok()
    {
        judged.denied = Some(format!("the cluster's configuration forbids it: {}", list(&violations)).into());
    }
    judged
}

fn profile(key: &ProfileKey, spec: &str) -> Option<Profile> {
    match key.kind {
        ProfileKind::Seccomp => parse::<SeccompProfileSpec>(&key.name, spec),
        ProfileKind::Selinux => parse::<SelinuxProfileSpec>(&key.name, spec),
        ProfileKind::RawSelinux => parse::<RawSelinuxProfileSpec>(&key.name, spec),
        ProfileKind::AppArmor => parse::<AppArmorProfileSpec>(&key.name, spec),
    }
}

fn parse<S: Spec + DeserializeOwned>(name: &ProfileName, spec: &str) -> Option<Profile> {
    spo_lsm::parse::<S>(name.clone(), &serde_json::from_str(spec).ok()?).ok()
}

fn look_up<'a>(
    base: &Base,
    spec: impl Fn(&ProfileName) -> Option<&'a str>,
) -> Result<spo_lsm::seccomp::Profile, LookupError> {
    let Base::Local(name) = base else { return Err(LookupError::Missing) };
    match parse::<SeccompProfileSpec>(name, spec(name).ok_or(LookupError::Missing)?) {
        Some(Profile::Seccomp(profile)) => Ok(profile),
        _ => Err(LookupError::Missing),
    }
}

/// The list of calls in the text of a profile, as it stands there.
fn syscalls(file: &str) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct File<'a> {
        #[serde(borrow)]
        syscalls: Option<&'a RawValue>,
    }
    let list = serde_json::from_str::<File<'_>>(file).ok()?.syscalls.map_or("[]", RawValue::get);
    (list.len() <= SYSCALLS_MAX_BYTES).then(|| list.into())
}

/// As many as there is room for, and how many more there are.
fn list(violations: &[Violation]) -> String {
    let mut text = String::new();
    for (index, violation) in violations.iter().enumerate() {
        let next = violation.to_string();
        if index > 0 && text.len() + next.len() > LIST_MAX_BYTES {
            return format!("{text}; and {} more", violations.len() - index);
        }
        text.push_str(if index > 0 { "; " } else { "" });
        text.push_str(&next[..next.floor_char_boundary(LIST_MAX_BYTES)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const WEB: &str = r#"{"defaultAction": "SCMP_ACT_ERRNO", "baseProfileName": "base", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_ALLOW"}]}"#;
    const BASE: &str =
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"#;

    fn key(kind: ProfileKind) -> ProfileKey {
        ProfileKey { kind, name: "web".parse().unwrap() }
    }

    fn seccomp(policy: &Policy) -> Judged {
        judge(&key(ProfileKind::Seccomp), WEB, policy, |name| (name.as_str() == "base").then_some(BASE))
    }

    fn permits(calls: &[&str]) -> Policy {
        Policy { allowed_syscalls: Some(calls.iter().map(|call| (*call).to_owned()).collect()), ..Policy::default() }
    }

    #[test]
    fn the_calls_are_those_of_the_profile_and_of_its_bases() {
        let calls = r#"[{"names":["read","write"],"action":"SCMP_ACT_ALLOW"}]"#;
        assert_eq!(seccomp(&Policy::default()).syscalls.as_deref(), Some(calls));
    }

    #[test]
    fn s4_what_is_forbidden_is_named() {
        assert_eq!(seccomp(&permits(&["read", "write"])).denied, None);
        let denied = seccomp(&permits(&["read"])).denied.unwrap();
        assert!(denied.ends_with("write is not among the cluster's allowedSyscalls"), "{denied}");
    }

    #[test]
    fn s5_calls_of_base_profiles_count() {
        let denied = seccomp(&permits(&["write"])).denied.unwrap();
        assert!(denied.contains("read is not among the cluster's allowedSyscalls"), "{denied}");
    }

    #[rstest]
    #[case::a_base_is_missing(WEB)]
    #[case::no_profile("{}")]
    #[case::nothing("null")]
    fn nothing_is_said_of_what_the_nodes_refuse_by_themselves(#[case] spec: &str) {
        assert_eq!(judge(&key(ProfileKind::Seccomp), spec, &permits(&[]), |_| None), Judged::default());
    }

    #[test]
    fn a_template_that_is_not_permitted_is_named_too() {
        let spec = json!({"inherit": [{"kind": "System", "name": "net_container"}]}).to_string();
        let denied = judge(&key(ProfileKind::Selinux), &spec, &Policy::default(), |_| None);
        // The same by default, so it is for the nodes to say.
        assert_eq!(denied, Judged::default());
        let container = json!({"inherit": [{"kind": "System", "name": "container"}]}).to_string();
        let mut none = Policy::default();
        none.selinux.system_profiles.clear();
        let denied = judge(&key(ProfileKind::Selinux), &container, &none, |_| None).denied.unwrap();
        assert!(denied.contains("container"), "{denied}");
    }

    #[test]
    fn a_list_that_no_annotation_can_hold_is_left_out() {
        let names = (0..6000).map(|n| format!("call_{n:0>50}")).collect::<Vec<_>>();
        let spec =
            json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]});
        assert_eq!(judge(&key(ProfileKind::Seccomp), &spec.to_string(), &Policy::default(), |_| None).syscalls, None);
    }
}
