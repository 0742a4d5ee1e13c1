//! Tables of requests to run something in a pod.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::Webhook;
use super::super::decision::Verdict;
use super::super::fixture::{World, add_ephemeral, create, patched, pod, push, update};
use super::*;

const VARIABLE_IS_SET: &str = "SPO_EXEC_REQUEST_UID=test-uid";

fn exec(command: &[&str]) -> Value {
    let mut request =
        create(&json!({"kind": "PodExecOptions", "apiVersion": "v1", "container": "main", "command": command}));
    request["kind"]["kind"] = "PodExecOptions".into();
    request["operation"] = "CONNECT".into();
    request["subResource"] = "exec".into();
    request
}

fn decided(request: Value) -> Decision {
    World::new().decide(Webhook::ExecMetadata, request)
}

fn command_of(request: Value, world: &World) -> Value {
    let object = request["object"].clone();
    patched(&object, &world.decide(Webhook::ExecMetadata, request))["command"].clone()
}

#[rstest]
#[case::plain(&["echo", "hello"], &["env", VARIABLE_IS_SET, "echo", "hello"])]
#[case::brought_along(&["env", "SPO_EXEC_REQUEST_UID=overwrite", "echo"], &["env", VARIABLE_IS_SET, "echo"])]
#[case::twice(&["env", "SPO_EXEC_REQUEST_UID=", "SPO_EXEC_REQUEST_UID=a\nb", "ls"], &["env", VARIABLE_IS_SET, VARIABLE_IS_SET, "ls"])]
#[case::another_name(&["env", "MY_SPO_EXEC_REQUEST_UID=x"], &["env", VARIABLE_IS_SET, "env", "MY_SPO_EXEC_REQUEST_UID=x"])]
#[case::no_command(&[], &[])]
fn e4_a_command_carries_the_uid_of_its_request(#[case] command: &[&str], #[case] want: &[&str]) {
    assert_eq!(command_of(exec(command), &World::new()), json!(want));
}

#[test]
fn e4_the_api_servers_audit_log_has_the_uid_too() {
    let decision = decided(exec(&["ls"]));
    assert_eq!(decision.audit, Some(("SPO_EXEC_REQUEST_UID", "test-uid".to_owned())));
    assert!(
        matches!(decision.verdict, Verdict::Allowed { message: Some("UID added to execmetadata"), .. }),
        "{decision:?}"
    );
}

#[test]
fn e4_a_node_debugging_pod_has_it_in_its_first_container() {
    let mut debugger = pod("busybox");
    debugger["spec"]["containers"][0]["env"] = json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "SPO_EXEC_REQUEST_UID", "value": "overwritethis"}]);
    push(&mut debugger["spec"]["containers"], json!({"name": "other", "image": "busybox"}));
    let got = patched(&debugger, &decided(create(&debugger)));
    let want = json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "SPO_EXEC_REQUEST_UID", "value": "test-uid"}]);
    assert_eq!(got["spec"]["containers"][0]["env"], want);
    assert_eq!(got["spec"]["containers"][1], debugger["spec"]["containers"][1]);
}

#[test]
fn w_op_36_ephemeral_containers_are_told_by_the_sub_resource() {
    let running = pod("nginx");
    let mut debugged = running.clone();
    debugged["spec"]["ephemeralContainers"] = json!([
        {"name": "debug-1"},
        {"name": "debug-2", "env": [{"name": "SPO_EXEC_REQUEST_UID", "value": "overwritethis"}]},
        {"name": "debug-3"},
    ]);
    debugged["status"] = json!({"ephemeralContainerStatuses": [{"name": "debug-1", "state": {"terminated": {}}}]});
    let got = patched(&debugged, &decided(add_ephemeral(&running, &debugged)));
    let want = json!([{"name": "SPO_EXEC_REQUEST_UID", "value": "test-uid"}]);
    let containers = &got["spec"]["ephemeralContainers"];
    assert_eq!(containers[0], debugged["spec"]["ephemeralContainers"][0], "it has run");
    assert_eq!((&containers[1]["env"], &containers[2]["env"]), (&want, &want));
    assert_eq!(got["spec"]["containers"], debugged["spec"]["containers"], "no other container is concerned");
}

#[test]
fn w_op_24_without_the_prefix_a_command_stays_as_it_is_but_nobody_brings_along_a_uid() {
    let world = World::new().configuration(json!({"webhook": {"execMetadata": {"prefixCommand": false}}}));
    assert_eq!(world.decide(Webhook::ExecMetadata, exec(&["ls"])), Decision::allowed());
    let command = command_of(exec(&["env", "SPO_EXEC_REQUEST_UID=overwrite", "ls"]), &world);
    assert_eq!(command, json!(["env", VARIABLE_IS_SET, "ls"]));
}

#[rstest]
#[case::another_kind({ let mut request = exec(&["ls"]); request["kind"]["kind"] = "PodAttachOptions".into(); request })]
#[case::no_object({ let mut request = exec(&["ls"]); request["object"] = Value::Null; request })]
#[case::another_shape({ let mut request = exec(&["ls"]); request["object"]["command"] = "ls".into(); request })]
#[case::update(update(&pod("nginx"), &pod("nginx")))]
#[case::no_pod(create(&json!({"spec": 7})))]
#[case::no_container(create(&json!({"spec": {"containers": []}})))]
fn e4_whatever_goes_wrong_the_request_passes_unchanged(#[case] request: Value) {
    assert_eq!(decided(request), Decision::allowed());
}

/// Their origin: `tests/data/README.md`.
#[test]
fn w_op_36_the_vectors_of_the_reference_hold() {
    let vectors: Value = serde_json::from_str(include_str!("../../../tests/data/exec-metadata.json")).unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        assert_eq!(changed(case), case["want"], "{case}");
    }
}

/// What is changed in the object of a case.
fn changed(case: &Value) -> Value {
    if case["kind"] == "PodExecOptions" {
        let mut request = exec(&[]);
        request["object"]["command"] = case["command"].clone();
        return command_of(request, &World::new());
    }
    let pod = json!({"spec": {"containers": case["containers"], "ephemeralContainers": case["ephemeral"]}});
    let request = if case["sub_resource"] == "" { create(&pod) } else { add_ephemeral(&json!({}), &pod) };
    patched(&pod, &decided(request)).pointer(case["want_path"].as_str().unwrap()).unwrap().clone()
}
