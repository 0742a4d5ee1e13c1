//! Base profiles, and what the cluster permits: the reference's cases and ours.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use spo_api::seccomp::Action;
use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{Base, LookupError, Profile, ResolveError, compile, evaluate, parse, resolve, union};
use spo_lsm::{Policy, check};

mod common;

fn named(name: &str, spec: Value) -> Profile {
    parse(name.parse().unwrap(), &serde_json::from_value(spec).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct UnionCase {
    name: String,
    base: Value,
    applied: Value,
    want: Value,
}

/// The reference's stand-ins, read as actions and operators that exist; `bar` comes before `foo` in both.
fn real(entries: &Value) -> Value {
    let mut entries = entries.clone();
    for entry in entries.as_array_mut().unwrap() {
        entry["action"] = if entry["action"] == "bar" { "SCMP_ACT_ALLOW" } else { "SCMP_ACT_LOG" }.into();
        for arg in entry["args"].as_array_mut().into_iter().flatten() {
            arg["op"] = "SCMP_CMP_EQ".into();
        }
    }
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries})
}

/// What a list of entries says about each name, in the order of actions.
fn said(profile: &Profile) -> (BTreeSet<String>, Vec<Action>) {
    let entries = profile.entries();
    let statements = entries.iter().flat_map(|entry| {
        entry.names().iter().map(move |name| format!("{name} {:?} {:?}", entry.effect(), entry.conditions()))
    });
    let mut actions: Vec<Action> = entries.iter().map(|entry| entry.effect().action()).collect();
    actions.dedup();
    (statements.collect(), actions)
}

#[test]
fn union_says_what_the_reference_says() {
    let cases: Vec<UnionCase> = serde_json::from_str(include_str!("data/union_syscalls.json")).unwrap();
    for case in cases {
        let (base, derived, want) =
            (named("base", real(&case.base)), named("derived", real(&case.applied)), named("want", real(&case.want)));
        assert_eq!(said(&union(&base, &derived)), said(&want), "{}", case.name);
    }
}

#[test]
fn union_has_nothing_twice_and_keeps_the_filter() {
    let profile = common::allowing(&["read", "write", "openat"]);
    let twice = union(&profile, &profile);
    assert_eq!(twice.entries().len(), 1);
    assert_eq!(compile(&twice, Abi::X86_64), compile(&profile, Abi::X86_64));
}

#[test]
fn union_lets_no_entry_overtake_another() {
    let refusing = |name: &str, errno: u16| json!({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": errno});
    let base = named(
        "base",
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refusing("mount", 1), refusing("reboot", 38)]}),
    );
    let derived = named(
        "web",
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refusing("reboot", 1), refusing("mount", 38)]}),
    );
    let whole = union(&base, &derived);
    let errno = |name: &str| evaluate(&whole, Abi::X86_64, &common::call(name, [0; 6])).effect().number();
    assert_eq!(
        (errno("mount"), errno("reboot")),
        (Some(1), Some(38)),
        "what the base says comes first, as in the reference"
    );
}

fn building_on(name: &str, base: &str, allowed: &str) -> Profile {
    let entries = json!([{"names": [allowed], "action": "SCMP_ACT_ALLOW"}]);
    named(
        name,
        json!({"defaultAction": "SCMP_ACT_KILL", "baseProfileName": base, "syscalls": entries, "architectures": ["SCMP_ARCH_X86"]}),
    )
}

fn resolved(profile: &Profile, others: &[Profile]) -> Result<Profile, ResolveError> {
    let known: BTreeMap<_, _> = others.iter().map(|other| (Base::Local(other.name().clone()), other.clone())).collect();
    resolve(profile, |base| known.get(base).cloned().ok_or(LookupError::Missing))
}

#[test]
fn only_the_entries_of_a_base_are_inherited() {
    let base = named(
        "base",
        json!({
            "defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"], "architectures": ["SCMP_ARCH_ARM"],
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
        }),
    );
    let derived = building_on("web", "base", "write");
    let whole = resolved(&derived, &[base]).unwrap();
    assert_eq!(whole.entries()[0].names(), ["read", "write"]);
    assert_eq!(
        (whole.default_effect(), whole.architectures(), whole.flags()),
        (derived.default_effect(), derived.architectures(), derived.flags())
    );
    assert!(whole.is_resolved() && !derived.is_resolved());
}

#[test]
fn an_unresolved_profile_is_not_installed() {
    let profile = spo_lsm::Profile::Seccomp(building_on("web", "base", "write"));
    let violations = check(&profile, &Policy::default()).unwrap_err();
    assert!(
        violations[0].to_string().starts_with("spec.baseProfileName: the base profile was not read yet"),
        "{violations:?}"
    );
}

#[test]
fn a_missing_base_is_named_with_who_wants_it() {
    let error = resolved(&building_on("web", "base", "write"), &[building_on("base", "gone", "read")]).unwrap_err();
    assert_eq!(error.to_string(), "base profile gone (of web -> base): there is no such profile");
}

#[test]
fn a_circle_is_named() {
    let error =
        resolved(&building_on("a", "b", "read"), &[building_on("b", "c", "read"), building_on("c", "b", "read")])
            .unwrap_err();
    assert_eq!(
        error.to_string(),
        "base profiles form a circle: a -> b -> c -> b; remove baseProfileName from one of them"
    );
}

#[test]
fn fifteen_bases_are_read_and_sixteen_are_not() {
    let chain = |count: usize| -> Vec<Profile> {
        let mut bases: Vec<Profile> =
            (1..count).map(|at| building_on(&format!("b{at}"), &format!("b{}", at + 1), "read")).collect();
        bases.push(named(
            &format!("b{count}"),
            json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["openat"], "action": "SCMP_ACT_ALLOW"}]}),
        ));
        bases
    };
    let top = building_on("top", "b1", "write");
    assert_eq!(resolved(&top, &chain(15)).unwrap().entries()[0].names(), ["openat", "read", "write"]);
    assert!(matches!(resolved(&top, &chain(16)), Err(ResolveError::TooDeep { .. })));
}

#[test]
fn a_refusal_in_a_base_that_means_nothing_is_a_hole_in_a_permissive_profile() {
    let base = named(
        "base",
        json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["mout"], "action": "SCMP_ACT_KILL"}]}),
    );
    let derived = named("web", json!({"defaultAction": "SCMP_ACT_ALLOW", "baseProfileName": "base"}));
    let whole = spo_lsm::Profile::Seccomp(resolved(&derived, &[base]).unwrap());
    let violations = check(&whole, &Policy::default()).unwrap_err();
    assert!(violations[0].to_string().contains("\"mout\""), "{violations:?}");
}

#[test]
fn entries_that_contradict_those_of_a_base_are_told_before_a_runtime_refuses_them() {
    let entry = |action: &str| json!([{"names": ["personality"], "action": action, "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]);
    let base = named("base", json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entry("SCMP_ACT_LOG")}));
    let derived = named(
        "web",
        json!({"defaultAction": "SCMP_ACT_ERRNO", "baseProfileName": "base", "syscalls": entry("SCMP_ACT_ALLOW")}),
    );
    let whole = spo_lsm::Profile::Seccomp(resolved(&derived, &[base]).unwrap());
    let violations = check(&whole, &Policy::default()).unwrap_err();
    assert_eq!(violations.len(), 1);
    let told = violations[0].to_string();
    assert!(
        told.starts_with("spec.baseProfileName: of all entries, those of the base among them, syscalls[1]: "),
        "{told}"
    );
}

#[derive(Deserialize)]
struct AllowListCase {
    name: String,
    syscalls: Vec<String>,
    actions: Vec<Action>,
    profile: Value,
    ok: bool,
}

#[test]
fn w_nd_7_the_allow_list_is_that_of_the_reference_without_its_holes() {
    let cases: Vec<AllowListCase> = serde_json::from_str(include_str!("data/seccomp_allow_list.json")).unwrap();
    for mut case in cases {
        if case.profile.get("defaultAction").is_none() {
            case.profile["defaultAction"] = "SCMP_ACT_ERRNO".into();
        }
        let expected = match case.name.as_str() {
            // The caller of the reference's function skips it when the list is empty, and so it is off.
            "empty list" => true,
            // W-ND-7: permissive actions outside the list are refused.
            "action outside the list is not looked at" => false,
            _ => case.ok,
        };
        let policy = Policy {
            allowed_syscalls: Some(case.syscalls.into_iter().collect()),
            allowed_actions: Some(case.actions.into_iter().collect()),
            ..Policy::default()
        };
        let profile = spo_lsm::Profile::Seccomp(named("test", case.profile));
        assert_eq!(check(&profile, &policy).is_ok(), expected, "{}: {:?}", case.name, check(&profile, &policy));
    }
}

#[test]
fn w_nd_7_each_refusal_of_the_allow_list_names_its_field() {
    let policy = Policy {
        allowed_syscalls: Some(["read".to_owned()].into()),
        allowed_actions: Some([Action::Allow].into()),
        ..Policy::default()
    };
    let profile = named(
        "web",
        json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": [
            {"names": ["read", "mount"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["read"], "action": "SCMP_ACT_TRACE"},
        ]}),
    );
    let violations: Vec<String> =
        check(&spo_lsm::Profile::Seccomp(profile), &policy).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        violations,
        [
            "spec.defaultAction: SCMP_ACT_LOG permits calls outside the cluster's allowedSyscalls",
            "spec.syscalls[0].names[1]: mount is not among the cluster's allowedSyscalls",
            "spec.syscalls[1].action: SCMP_ACT_TRACE is not among the cluster's allowedSeccompActions",
        ]
    );
}
