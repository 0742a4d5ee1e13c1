//! SelinuxProfiles: what is accepted, what is refused with which message, and the module that comes of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use rstest::rstest;
use serde::Deserialize;
use serde_json::{Value, json};
use spo_api::ProfileName;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_lsm::selinux::{Denied, Limits};
use spo_lsm::{Policy, Profile, check, parse, render};

fn spec(spec: Value) -> SelinuxProfileSpec {
    serde_json::from_value(spec).unwrap()
}

fn profile(name: &str, fields: Value) -> Profile {
    parse(name.parse().unwrap(), &spec(fields)).unwrap()
}

/// Everything that is wrong with a profile called `web`.
fn violations(fields: Value, policy: &Policy) -> Vec<String> {
    let checked = parse("web".parse().unwrap(), &spec(fields)).and_then(|profile| check(&profile, policy));
    checked.expect_err("it was accepted").iter().map(ToString::to_string).collect()
}

fn module(name: &str, fields: Value) -> String {
    let checked = check(&profile(name, fields), &Policy::default()).unwrap();
    String::from_utf8(render(&checked).bytes).unwrap()
}

fn warnings(fields: Value) -> Vec<String> {
    profile("web", fields).warnings().iter().map(ToString::to_string).collect()
}

/// A policy with these SelinuxProfiles, each with those that it inherits.
fn existing(profiles: &[(&str, &[&str])]) -> Policy {
    let name = |name: &str| name.parse::<ProfileName>().unwrap();
    let map: BTreeMap<_, Vec<_>> = profiles
        .iter()
        .map(|(own, inherited)| (name(own), inherited.iter().map(|other| name(other)).collect()))
        .collect();
    Policy { selinux: Limits { profiles: Some(map), ..Limits::default() }, ..Policy::default() }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Case {
    name: String,
    system_inherit: Vec<String>,
    object_inherit: Vec<String>,
    allow: Value,
    permissive: bool,
    denied_types: Vec<String>,
    want: String,
}

impl Case {
    fn spec(&self) -> SelinuxProfileSpec {
        let system = self.system_inherit.iter().map(|name| json!({"name": name}));
        let objects = self.object_inherit.iter().map(|name| json!({"kind": "SelinuxProfile", "name": name}));
        let mode = if self.permissive { "Permissive" } else { "Enforcing" };
        spec(json!({"inherit": system.chain(objects).collect::<Vec<_>>(), "allow": self.allow, "mode": mode}))
    }

    fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        policy.selinux.system_profiles.insert("net_container".to_owned());
        policy.selinux.denied.types.extend(self.denied_types.iter().cloned());
        policy
    }
}

fn data() -> Value {
    serde_json::from_str(include_str!("data/selinux.json")).unwrap()
}

fn cases(group: &str) -> Vec<Case> {
    serde_json::from_value(data()["selinux_cil"][group].clone()).unwrap()
}

#[test]
fn modules_are_those_of_the_reference() {
    for case in cases("cases") {
        let profile = parse(case.name.parse().unwrap(), &case.spec()).unwrap();
        let artifact = render(&check(&profile, &case.policy()).unwrap());
        assert_eq!(String::from_utf8(artifact.bytes).unwrap(), case.want);
        assert_eq!(artifact.file_name, format!("{}.cil", case.name));
    }
}

#[test]
fn what_the_reference_denies_is_denied() {
    for case in cases("refused") {
        let profile = parse("web".parse().unwrap(), &case.spec()).unwrap();
        assert!(check(&profile, &case.policy()).is_err(), "{}", case.allow);
    }
}

#[test]
fn names_are_those_of_the_reference() {
    let names = &data()["selinux_names"]["ours"];
    let of = |list: &str| {
        names[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let label = |name: &str| parse("web".parse().unwrap(), &spec(json!({"allow": {name: {"file": ["read"]}}})));
    let class = |name: &str| parse("web".parse().unwrap(), &spec(json!({"allow": {"a_t": {name: ["read"]}}})));
    let permission = |name: &str| parse("web".parse().unwrap(), &spec(json!({"allow": {"a_t": {"file": [name]}}})));
    assert!(of("label_valid").iter().all(|name| label(name).is_ok()));
    assert!(of("label_invalid").iter().all(|name| label(name).is_err()));
    assert!(of("class_valid").iter().all(|name| class(name).is_ok() && permission(name).is_ok()));
    assert!(of("class_invalid").iter().all(|name| class(name).is_err() && permission(name).is_err()));
}

#[rstest]
#[case::label(json!({"allow": {"a b": {"file": ["read"]}}}), "spec.allow[a b]: \"a b\" is no label: one word")]
#[case::class(json!({"allow": {"a_t": {"fi)le": ["read"]}}}), "spec.allow[a_t][fi)le]: \"fi)le\" is no class")]
#[case::permission(json!({"allow": {"a_t": {"file": ["read", "x)"]}}}), "spec.allow[a_t][file][1]: \"x)\" is no permission")]
#[case::long_label(json!({"allow": {"a".repeat(256): {"file": ["read"]}}}), "spec.allow: a label of 256 bytes; at most 255")]
#[case::system(json!({"inherit": [{"name": "x) (user"}]}), "spec.inherit[0].name: \"x) (user\" is no policy")]
#[case::itself(json!({"inherit": [{"kind": "SelinuxProfile", "name": "web"}]}), "spec.inherit[0].name: a profile cannot inherit itself")]
#[case::no_name(json!({"inherit": [{"kind": "SelinuxProfile", "name": "A"}]}), "spec.inherit[0].name: \"A\" is not a DNS-1123")]
#[case::not_allowed(json!({"inherit": [{"name": "net_container"}]}), "spec.inherit[0]: net_container is not among the cluster's allowedSystemProfiles (container)")]
#[case::denied_type(json!({"allow": {"shadow_t": {"file": ["read"]}}}), "spec.allow[shadow_t]: no profile may name the type shadow_t; remove it, or have it permitted by selinux.options.allowedTypes")]
#[case::denied_type_from_the_top(json!({"allow": {"..shadow_t": {"file": ["read"]}}}), "spec.allow[..shadow_t]: no profile may name the type shadow_t")]
#[case::denied_class(json!({"allow": {"@self": {"capability": ["chown"]}}}), "spec.allow[@self][capability]: no profile may name the class capability")]
#[case::denied_class_from_the_top(json!({"allow": {"@self": {".capability": ["chown"]}}}), "spec.allow[@self][.capability]: no profile may name the class capability")]
#[case::denied_permission(json!({"allow": {"a_t": {"dir": ["mounton"]}}}), "spec.allow[a_t][dir]: no profile may name the permission mounton")]
#[case::all_permissions(json!({"allow": {"a_t": {"dir": ["all"]}}}), "spec.allow[a_t][dir]: all stands for permissions that are not named, the denied load_policy too")]
#[case::all_permissions_but_one(json!({"allow": {"a_t": {"dir": ["read", "not"]}}}), "spec.allow[a_t][dir]: not stands for permissions")]
#[case::all_types_but_its_own(json!({"allow": {"notself": {"dir": ["read"]}}}), "spec.allow[notself]: notself stands for types that are not named")]
fn what_is_wrong_says_where_and_what_would_be_right(#[case] fields: Value, #[case] expected: &str) {
    let found = violations(fields, &Policy::default());
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:#?}");
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let fields = json!({"inherit": [{"name": ""}, {"kind": "SelinuxProfile", "name": "web"}], "allow": {"a b": {"c d": ["e f", "g h"]}}});
    assert_eq!(violations(fields, &Policy::default()).len(), 6);
}

#[rstest]
#[case("0day", "an SELinux module begins with a letter")]
#[case("web.v2", "an SELinux module has no dot in its name")]
#[case(&"w".repeat(252), "the name of an SELinux module has at most 251 bytes")]
fn a_name_that_makes_no_block_is_refused(#[case] name: &str, #[case] expected: &str) {
    let found = parse(name.parse().unwrap(), &spec(json!({}))).unwrap_err();
    assert_eq!(found[0].path.to_string(), "metadata.name");
    assert!(found[0].reason.starts_with(expected), "{found:?}");
}

#[test]
fn a_profile_does_not_take_the_place_of_a_template() {
    let found = check(&profile("container", json!({"inherit": []})), &Policy::default()).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "metadata.name: container is the name of a template that profiles inherit; choose another name"
    );
}

#[rstest]
#[case::unknown(&Policy::default(), None)]
#[case::there(&existing(&[("base", &[]), ("web", &[])]), None)]
#[case::missing(&existing(&[]), Some("spec.inherit[0]: there is no SelinuxProfile base; create it, or correct the name"))]
#[case::circle(
    &existing(&[("base", &["middle"]), ("middle", &["other", "web"]), ("other", &["base"])]),
    Some("spec.inherit[0]: builds on itself in a circle: web -> base -> middle -> web; remove one of these inherit entries")
)]
#[case::circle_of_others(&existing(&[("base", &["other"]), ("other", &["base"])]), None)]
fn an_inherited_profile_has_to_be_there(#[case] policy: &Policy, #[case] expected: Option<&str>) {
    let web = profile("web", json!({"inherit": [{"kind": "SelinuxProfile", "name": "base"}]}));
    let found = check(&web, policy).err().unwrap_or_default();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::from_iter(expected.map(str::to_owned)));
}

#[test]
fn the_list_of_templates_counts_as_container_where_it_is_missing_and_as_none_where_it_is_empty() {
    let web = profile("web", json!({}));
    assert!(check(&web, &Policy::default()).is_ok());
    let none = Policy { selinux: Limits { system_profiles: [].into(), ..Limits::default() }, ..Policy::default() };
    let found = check(&web, &none).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "spec.inherit[0]: container is not among the cluster's allowedSystemProfiles (none)"
    );
}

#[test]
fn a_cluster_may_permit_what_is_denied_elsewhere() {
    let denied = Denied { types: [].into(), classes: [].into(), permissions: [].into() };
    let policy = Policy { selinux: Limits { denied, ..Limits::default() }, ..Policy::default() };
    let fields = json!({"allow": {"shadow_t": {"capability": ["all"]}, "notself": {"dir": ["mounton"]}}});
    assert!(check(&profile("web", fields), &policy).is_ok());
}

#[test]
fn w_x_9_an_empty_list_of_permissions_is_left_out_and_told() {
    let fields = json!({"allow": {"a_t": {"dir": ["read"], "file": []}, "b_t": {"file": []}, "c_t": {}}});
    assert_eq!(
        module("web", fields.clone()),
        "(block web\n(blockinherit container)\n(allow process a_t ( dir ( read )))\n)\n"
    );
    let told = "has no permissions, so it permits nothing and is left out";
    assert_eq!(warnings(fields), [format!("spec.allow[a_t][file]: {told}"), format!("spec.allow[b_t][file]: {told}")]);
}

#[test]
fn what_is_inherited_twice_is_declared_once() {
    let fields = json!({"inherit": [{"name": "container"}, {"name": "container"}]});
    assert_eq!(module("web", fields.clone()), "(block web\n(blockinherit container)\n)\n");
    assert_eq!(warnings(fields), ["spec.inherit[1].name: container is named twice"]);
}

#[test]
fn two_profiles_that_bring_a_process_each_are_told() {
    let base = |name: &str| json!({"kind": "SelinuxProfile", "name": name});
    let told = warnings(json!({"inherit": [base("a"), base("b")]}));
    assert!(told[0].starts_with("spec.inherit: each SelinuxProfile brings a type process"), "{told:?}");
    assert_eq!(warnings(json!({"inherit": [base("a"), {"name": "container"}]})), Vec::<String>::new());
}

#[test]
fn something_has_to_bring_the_type_so_container_is_inherited_where_nothing_is() {
    assert_eq!(module("web", json!({"inherit": []})), "(block web\n(blockinherit container)\n)\n");
    let base = json!({"inherit": [{"kind": "SelinuxProfile", "name": "base"}, {"name": "container"}]});
    assert_eq!(module("web", base), "(block web\n(blockinherit base)\n)\n");
}

#[test]
fn the_order_of_writing_does_not_show_in_the_module() {
    let one = json!({"allow": {"b_t": {"file": ["write", "read"]}, "a_t": {"dir": ["open"]}}});
    let other = json!({"allow": {"a_t": {"dir": ["open", "open"]}, "b_t": {"file": ["read", "write", "read"]}}});
    assert_eq!(module("web", one), module("web", other));
}

#[test]
fn more_rules_than_any_profile_needs_are_refused() {
    let labels: serde_json::Map<_, _> = (0..16_385).map(|n| (format!("t{n}"), json!({"file": ["read"]}))).collect();
    let found = violations(json!({"allow": labels}), &Policy::default());
    assert_eq!(found, ["spec.allow: 16385 classes with 16385 permissions are too many; at most 16384 with 131072 fit"]);
}
