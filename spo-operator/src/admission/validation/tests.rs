//! Tables of profiles on their way in.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::Webhook;
use super::super::decision::Verdict;
use super::super::fixture::World;
use super::*;

const RAW: &str = "RawSelinuxProfile";

fn create(kind: &str, version: &str, object: Value) -> Value {
    json!({"uid": "1", "kind": {"group": "g", "version": version, "kind": kind}, "operation": "CREATE", "object": object})
}

fn update(kind: &str, old: Value, new: Value) -> Value {
    let mut request = create(kind, "v1", new);
    request["operation"] = "UPDATE".into();
    request["oldObject"] = old;
    request
}

fn object(spec: Value) -> Value {
    json!({"metadata": {"name": "web"}, "spec": spec})
}

fn raw(policy: &str) -> Value {
    object(json!({"policy": policy}))
}

fn decided(world: &World, request: Value) -> Decision {
    world.decide(Webhook::Validation, request)
}

/// Why a request is refused.
fn refused(world: &World, request: Value) -> String {
    match decided(world, request).verdict {
        Verdict::Refused { code: INVALID, message } => message,
        other => panic!("not refused as invalid: {other:?}"),
    }
}

#[rstest]
fn w_api_11_the_example_that_the_reference_ships_and_refuses_passes(#[values("v1", "v1alpha2")] version: &str) {
    let text = include_str!("../../../tests/data/rawselinuxprofile.yaml");
    let example: Value = serde_saphyr::from_str(text).unwrap();
    assert_eq!(decided(&World::new(), create(RAW, version, example)), Decision::allowed());
}

#[rstest]
fn w_api_2_a_raw_profile_is_looked_at_in_either_version(#[values("v1", "v1alpha2")] version: &str) {
    let world = World::new();
    assert_eq!(decided(&world, create(RAW, version, raw("(blockinherit container)"))), Decision::allowed());
    let message = refused(&world, create(RAW, version, raw("(typepermissive kernel_t)")));
    assert!(message.starts_with("RawSelinuxProfile is not valid: spec.policy: "), "{message}");
}

#[rstest]
#[case::blank(" \n")]
#[case::nul("(allow process\0 x (file (read)))")]
#[case::open("(allow process x (file (read))")]
#[case::leaves_the_block(")(block other (allow a b (file (read)))")]
#[case::restricted("(role x)")]
#[case::upper_case("(ROLE x)")]
fn w_op_25_what_would_leave_the_block_is_refused(#[case] policy: &str) {
    refused(&World::new(), create(RAW, "v1", raw(policy)));
}

#[test]
fn w_op_25_a_raw_profile_without_policy_is_refused() {
    refused(&World::new(), create(RAW, "v1", object(json!({}))));
}

#[rstest]
#[case::comment("; (role x) and )\n(blockinherit container)")]
#[case::template("(blockinherit container)")]
#[case::profile("(blockinherit base)")]
fn w_op_25_comments_and_what_may_be_inherited_pass(#[case] policy: &str) {
    let world = World::new().profile(ProfileKind::Selinux, "base", "Installed");
    assert_eq!(decided(&world, create(RAW, "v1", raw(policy))), Decision::allowed());
}

#[test]
fn w_op_25_what_is_not_there_cannot_be_inherited() {
    let request = create(RAW, "v1", raw("(blockinherit base)"));
    let world = World::new();
    assert!(refused(&world, request.clone()).contains("base is not among the cluster's allowedSystemProfiles"));
    assert_eq!(decided(&world, request).patience, LAG, "it may have been made a moment ago");
}

#[test]
fn w_op_25_the_configuration_says_which_templates_there_are() {
    let options = json!({"selinux": {"options": {"allowedSystemProfiles": ["net_container"]}}});
    let world = World::new().configuration(options);
    assert_eq!(decided(&world, create(RAW, "v1", raw("(blockinherit net_container)"))), Decision::allowed());
    refused(&World::new(), create(RAW, "v1", raw("(blockinherit net_container)")));
}

#[test]
fn every_violation_is_told_with_its_field() {
    let spec =
        json!({"abstract": {"filesystem": {"readOnlyPaths": ["/ok", "no, slash"], "writeOnlyPaths": ["\"quoted\""]}}});
    let message = refused(&World::new(), create("AppArmorProfile", "v1", object(spec)));
    assert!(message.contains("spec.abstract.filesystem.readOnlyPaths[1]: "), "{message}");
    assert!(message.contains("; spec.abstract.filesystem.writeOnlyPaths[0]: "), "{message}");
}

#[rstest]
#[case::seccomp("SeccompProfile", json!({"defaultAction": "SCMP_ACT_ALLOW", "baseProfileName": "runc"}))]
#[case::selinux("SelinuxProfile", json!({"inherit": [{"kind": "System", "name": "container"}], "allow": {"var_log_t": {"file": ["read"]}}}))]
#[case::apparmor("AppArmorProfile", json!({"abstract": {}}))]
fn a_profile_that_is_well_formed_passes(#[case] kind: &str, #[case] spec: Value) {
    assert_eq!(decided(&World::new(), create(kind, "v1", object(spec))), Decision::allowed());
}

#[rstest]
#[case::system_calls(
    "SeccompProfile",
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]}),
    "spec.syscalls[0].names[1]: write is not among the cluster's allowedSyscalls"
)]
#[case::template(
    "SelinuxProfile",
    json!({"inherit": [{"kind": "System", "name": "net_container"}]}),
    "spec.inherit[0]: net_container is not among the cluster's allowedSystemProfiles (container)"
)]
#[case::order(
    "SelinuxProfile",
    json!({"inherit": [{"kind": "SelinuxProfile", "name": "later"}]}),
    "spec.inherit[0]: there is no SelinuxProfile later; create it, or correct the name"
)]
#[case::switched_off(
    RAW,
    json!({"policy": "(blockinherit container)"}),
    "kind: is not installed while selinux.enableRawSelinuxProfiles is false in the operator's configuration"
)]
fn what_the_cluster_does_not_permit_passes_with_a_warning(
    #[case] kind: &str,
    #[case] spec: Value,
    #[case] warning: &str,
) {
    let configuration =
        json!({"security": {"allowedSyscalls": ["read"]}, "selinux": {"enableRawSelinuxProfiles": false}});
    let decision = decided(&World::new().configuration(configuration), create(kind, "v1", object(spec)));
    assert!(matches!(decision.verdict, Verdict::Allowed { .. }), "{decision:?}");
    assert_eq!(decision.warnings, [warning]);
}

#[test]
fn an_object_that_was_let_in_once_can_still_be_changed_elsewhere() {
    let mut stored = raw("(role x)");
    stored["metadata"]["finalizers"] = json!(["in-use-by-active-pods"]);
    assert_eq!(decided(&World::new(), update(RAW, stored.clone(), raw("(role x)"))), Decision::allowed());
    refused(&World::new(), update(RAW, stored, raw("(role y)")));
}

#[rstest]
#[case::delete("DELETE", "")]
#[case::status("UPDATE", "status")]
fn nothing_else_is_looked_at(#[case] operation: &str, #[case] sub_resource: &str) {
    let mut request = create(RAW, "v1", raw("(role x)"));
    request["operation"] = operation.into();
    request["subResource"] = sub_resource.into();
    assert_eq!(decided(&World::new(), request), Decision::allowed());
}

#[test]
fn a_name_that_the_api_server_will_make_is_no_obstacle() {
    let mut generated = raw("(blockinherit container)");
    generated["metadata"] = json!({"generateName": "web-"});
    assert_eq!(decided(&World::new(), create(RAW, "v1", generated)), Decision::allowed());
}

#[rstest]
#[case::another_kind("Pod", json!({}), "a Pod is no profile")]
#[case::another_shape("SeccompProfile", object(json!({"defaultAction": 7})), "the object of the request cannot be read")]
fn what_is_no_profile_is_refused(#[case] kind: &str, #[case] object: Value, #[case] why: &str) {
    match decided(&World::new(), create(kind, "v1", object)).verdict {
        Verdict::Refused { code: 400, message } => assert!(message.starts_with(why), "{message}"),
        other => panic!("{other:?}"),
    }
}
