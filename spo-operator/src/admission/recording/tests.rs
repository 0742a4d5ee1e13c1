//! Tables of what becomes of pods that are recorded.

use rstest::rstest;
use serde_json::{Value, json};
use spo_api::ProfileKind;
use spo_api::recording::LOG_PROFILE;

use super::super::Webhook;
use std::time::Duration;

use super::super::decision::{LAG, PATIENCE, Verdict};
use super::super::fixture::{NAMESPACE, World, create, delete, patched, pod, push, update};
use super::*;

/// A cluster in which system calls can be recorded from the log.
fn world() -> World {
    World::new().profile(ProfileKind::Seccomp, LOG_PROFILE, "Installed")
}

fn admitted(world: &World, pod: &Value) -> (Value, Decision) {
    let decision = world.decide(Webhook::Recording, create(pod));
    (patched(pod, &decision), decision)
}

fn annotations(pod: &Value) -> Vec<(&str, &str)> {
    let all = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    all.map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect()
}

fn reasons(decision: &Decision) -> Vec<(&str, &'static str)> {
    decision.notices.iter().map(|notice| (notice.recording.name.as_str(), notice.reason.as_str())).collect()
}

#[rstest]
#[case("SeccompProfile", "Logs", "io.containers.trace-logs/main")]
#[case("SeccompProfile", "Bpf", "io.containers.trace-bpf/main")]
#[case("SelinuxProfile", "Logs", "io.containers.trace-avcs/main")]
#[case("SelinuxProfile", "Bpf", "io.containers.trace-bpf-selinux/main")]
#[case("AppArmorProfile", "Logs", "io.containers.trace-logs-apparmor/main")]
#[case("AppArmorProfile", "Bpf", "io.containers.trace-bpf-apparmor/main")]
fn every_kind_can_be_asked_of_every_recorder(#[case] kind: &str, #[case] recorder: &str, #[case] key: &str) {
    let (got, _) = admitted(&world().recording("rec", kind, recorder), &pod("nginx"));
    assert_eq!(annotations(&got), [(key, "rec_main_ccccc_1700000000")]);
}

#[rstest]
#[case("SeccompProfile", "Logs", json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "operator/log-enricher-trace.json"}}))]
#[case("SelinuxProfile", "Logs", json!({"seLinuxOptions": {"type": "selinuxrecording.process"}}))]
#[case("SelinuxProfile", "Bpf", json!({"seLinuxOptions": {"type": "selinuxrecording.process"}}))]
#[case("SeccompProfile", "Bpf", json!(null))]
#[case("AppArmorProfile", "Bpf", json!(null))]
#[case("AppArmorProfile", "Logs", json!(null))]
fn a_container_is_confined_where_that_makes_something_to_record(
    #[case] kind: &str,
    #[case] recorder: &str,
    #[case] want: Value,
) {
    let (got, _) = admitted(&world().recording("rec", kind, recorder), &pod("nginx"));
    assert_eq!(got["spec"]["containers"][0]["securityContext"], want);
}

#[test]
fn init_containers_are_recorded_and_every_container_by_default() {
    let mut two = pod("nginx");
    two["spec"]["initContainers"] = json!([{"name": "init", "image": "busybox"}]);
    let (got, _) = admitted(&world().recording("rec", "SeccompProfile", "Bpf"), &two);
    let keys: Vec<&str> = annotations(&got).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["io.containers.trace-bpf/init", "io.containers.trace-bpf/main"]);
}

#[test]
fn only_named_containers_are_recorded() {
    let spec =
        json!({"kind": "SeccompProfile", "recorder": "Logs", "podSelector": {}, "containers": ["side", "other"]});
    let mut two = pod("nginx");
    push(&mut two["spec"]["containers"], json!({"name": "side", "image": "busybox"}));
    let (got, decision) = admitted(&world().recording_with("rec", spec), &two);
    assert_eq!(annotations(&got), [("io.containers.trace-logs/side", "rec_side_ccccc_1700000000")]);
    assert_eq!(got["spec"]["containers"][0], two["spec"]["containers"][0]);
    assert_eq!(decision.warnings, [] as [&str; 0]);
}

#[test]
fn an_empty_list_of_containers_records_none_and_says_so() {
    let spec = json!({"kind": "SeccompProfile", "recorder": "Bpf", "podSelector": {}, "containers": []});
    let (got, decision) = admitted(&world().recording_with("rec", spec), &pod("nginx"));
    assert_eq!(got, pod("nginx"));
    assert_eq!(reasons(&decision), [("rec", "NoContainerSelected")]);
    let want = "ProfileRecording rec: pod pod is not recorded: containers is an empty list; leave it out to record every container";
    assert_eq!(decision.warnings, [want]);
}

#[rstest]
#[case::matching(json!({"matchLabels": {"app": "web"}}), true)]
#[case::other_labels(json!({"matchLabels": {"app": "db"}}), false)]
#[case::empty(json!({}), true)]
#[case::absent(json!(null), false)]
#[case::invalid(json!({"matchExpressions": [{"key": "app", "operator": "Like"}]}), false)]
fn w_op_22_a_pod_that_is_not_selected_is_not_touched(#[case] selector: Value, #[case] recorded: bool) {
    let spec = json!({"kind": "SeccompProfile", "recorder": "Bpf", "podSelector": selector});
    let world = world().recording_with("rec", spec);
    assert_eq!(annotations(&admitted(&world, &pod("nginx")).0).len(), usize::from(recorded));
    let mut elsewhere = create(&pod("nginx"));
    elsewhere["namespace"] = "elsewhere".into();
    assert_eq!(world.decide(Webhook::Recording, elsewhere), Decision::allowed());
}

#[test]
fn w_op_22_several_recordings_add_up() {
    let world = world().recording("a", "SeccompProfile", "Logs").recording("b", "SeccompProfile", "Bpf").recording(
        "c",
        "AppArmorProfile",
        "Bpf",
    );
    let (got, decision) = admitted(&world, &pod("nginx"));
    let want = [
        ("io.containers.trace-bpf-apparmor/main", "c_main_ccccc_1700000000"),
        ("io.containers.trace-bpf/main", "b_main_ccccc_1700000000"),
        ("io.containers.trace-logs/main", "a_main_ccccc_1700000000"),
    ];
    assert_eq!(annotations(&got), want);
    assert_eq!(reasons(&decision), []);
}

#[test]
fn of_two_recordings_for_one_container_the_last_by_name_has_it_and_both_hear_of_it() {
    let world = world().recording("b", "SeccompProfile", "Logs").recording("a", "SeccompProfile", "Logs");
    let (got, decision) = admitted(&world, &pod("nginx"));
    assert_eq!(annotations(&got), [("io.containers.trace-logs/main", "b_main_ccccc_1700000000")]);
    assert_eq!(reasons(&decision), [("a", "ContainerRecordedByAnother")]);
    assert_eq!(
        decision.warnings,
        ["ProfileRecording a: container main of pod pod is recorded for ProfileRecording b instead"]
    );
}

#[rstest]
#[case::missing(World::new())]
#[case::failed(World::new().profile(ProfileKind::Seccomp, LOG_PROFILE, "Error"))]
#[case::not_yet(World::new().profile(ProfileKind::Seccomp, LOG_PROFILE, "InProgress"))]
#[case::another_kind(World::new().profile(ProfileKind::AppArmor, LOG_PROFILE, "Installed"))]
fn w_op_21_without_the_log_profile_a_pod_starts_and_its_user_is_told(#[case] world: World) {
    let (got, decision) = admitted(&world.recording("rec", "SeccompProfile", "Logs"), &pod("nginx"));
    assert_eq!(got, pod("nginx"));
    assert_eq!(reasons(&decision), [("rec", "LogProfileNotInstalled")]);
    assert!(decision.warnings[0].contains("SeccompProfile log-enricher-trace"), "{:?}", decision.warnings);
}

#[rstest]
#[case("", 0, PATIENCE)]
#[case("Pending", 9, PATIENCE)]
#[case("InProgress", 10, LAG)]
#[case("Error", 0, Duration::ZERO)]
#[case("Installed", 0, Duration::ZERO)]
fn w_op_21_a_pod_waits_while_the_log_profile_is_being_installed(
    #[case] state: &str,
    #[case] seconds: u64,
    #[case] patience: Duration,
) {
    let world = World::new().recording("rec", "SeccompProfile", "Logs");
    let world = world.profile(ProfileKind::Seccomp, LOG_PROFILE, state).after(seconds);
    assert_eq!(world.decide(Webhook::Recording, create(&pod("nginx"))).patience, patience);
}

#[test]
fn a_pod_that_many_recordings_fight_for_is_told_of_a_few() {
    let many =
        (0..200).fold(world(), |world, index| world.recording(&format!("rec-{index:03}"), "SeccompProfile", "Bpf"));
    let (got, decision) = admitted(&many, &pod("nginx"));
    assert_eq!(annotations(&got), [("io.containers.trace-bpf/main", "rec-199_main_ccccc_1700000000")]);
    assert_eq!(decision.notices.len(), 64);
}

#[test]
fn a_setting_that_is_replaced_is_told_of() {
    let mut own = pod("nginx");
    own["spec"]["containers"][0]["securityContext"] = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    let (got, decision) = admitted(&world().recording("rec", "SeccompProfile", "Logs"), &own);
    let seccomp = &got["spec"]["containers"][0]["securityContext"]["seccompProfile"];
    assert_eq!(seccomp["localhostProfile"], "operator/log-enricher-trace.json");
    assert_eq!(reasons(&decision), [("rec", "SecurityContextAlreadySet")]);
    let again = world().recording("rec", "SeccompProfile", "Logs").decide(Webhook::Recording, create(&got));
    assert_eq!(reasons(&again), [], "what is there already is not replaced");
}

#[rstest]
#[case("SeccompProfile", "Logs", false)]
#[case("SelinuxProfile", "Logs", false)]
#[case("SeccompProfile", "Bpf", true)]
fn a_privileged_container_is_recorded_where_nothing_has_to_confine_it(
    #[case] kind: &str,
    #[case] recorder: &str,
    #[case] recorded: bool,
) {
    let mut privileged = pod("nginx");
    privileged["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let (got, decision) = admitted(&world().recording("rec", kind, recorder), &privileged);
    assert_eq!(annotations(&got).len(), usize::from(recorded));
    assert_eq!(got["spec"], privileged["spec"]);
    assert_eq!(reasons(&decision), if recorded { vec![] } else { vec![("rec", "PrivilegedContainer")] });
}

#[rstest]
#[case::dots("a.b", false)]
#[case::long(&"n".repeat(64), false)]
#[case::longest(&"n".repeat(63), true)]
fn the_name_of_a_recording_has_to_be_a_label(#[case] name: &str, #[case] recorded: bool) {
    let (got, decision) = admitted(&world().recording(name, "SeccompProfile", "Bpf"), &pod("nginx"));
    assert_eq!(annotations(&got).len(), usize::from(recorded));
    assert_eq!(reasons(&decision).first().copied(), (!recorded).then_some((name, "NameNotDNSLabel")));
}

#[rstest]
#[case::switched_off(json!({"selinux": {"enable": false}}), false)]
#[case::switched_on(json!({"selinux": {"enable": true}}), true)]
#[case::not_said(json!({}), true)]
fn selinux_is_not_recorded_where_it_is_switched_off(#[case] configuration: Value, #[case] recorded: bool) {
    let world = world().configuration(configuration).recording("rec", "SelinuxProfile", "Logs");
    let (got, decision) = admitted(&world, &pod("nginx"));
    assert_eq!(annotations(&got).len(), usize::from(recorded));
    assert_eq!(reasons(&decision).first().copied(), (!recorded).then_some(("rec", "SelinuxNotEnabled")));
}

#[rstest]
#[case::none(json!({}), json!({}), true)]
#[case::default(json!({"appArmorProfile": {"type": "RuntimeDefault"}}), json!({}), true)]
#[case::own(json!({"appArmorProfile": {"type": "Localhost", "localhostProfile": "complains"}}), json!({}), false)]
#[case::annotated(json!({}), json!({"container.apparmor.security.beta.kubernetes.io/main": "localhost/complains"}), false)]
fn apparmor_logs_of_a_container_that_nothing_complains_about_are_warned_of(
    #[case] context: Value,
    #[case] annotations: Value,
    #[case] warned: bool,
) {
    let mut subject = pod("nginx");
    subject["spec"]["containers"][0]["securityContext"] = context;
    subject["metadata"]["annotations"] = annotations;
    let (got, decision) = admitted(&world().recording("rec", "AppArmorProfile", "Logs"), &subject);
    assert!(got["metadata"]["annotations"]["io.containers.trace-logs-apparmor/main"].is_string());
    assert_eq!(got["spec"], subject["spec"]);
    assert_eq!(reasons(&decision).first().copied(), warned.then_some(("rec", "NoComplainProfile")));
}

#[test]
fn w_op_22_a_pod_cannot_choose_what_its_recording_is_called() {
    let mut forged = pod("nginx");
    forged["metadata"]["annotations"] = json!({
        "io.containers.trace-logs/main": "victim_main_aaaaa_1",
        "io.containers.trace-bpf/main": "victim_main_aaaaa_1",
        "io.containers.trace-bpf-apparmor/absent": "victim_main_aaaaa_1",
        "io.containers.trace-syscall": "of:the-hook-of-podman",
        "example.org/io.containers.trace-logs/main": "kept",
    });
    let (got, decision) = admitted(&world().recording("rec", "SeccompProfile", "Logs"), &forged);
    let want = [
        ("example.org/io.containers.trace-logs/main", "kept"),
        ("io.containers.trace-logs/main", "rec_main_ccccc_1700000000"),
        ("io.containers.trace-syscall", "of:the-hook-of-podman"),
    ];
    assert_eq!(annotations(&got), want);
    assert_eq!(decision.warnings.len(), 3);
    let (got, _) = admitted(&world(), &forged);
    assert_eq!(annotations(&got).len(), 2, "no recording is needed for that");
}

#[test]
fn w_op_22_an_update_keeps_the_marks_as_they_are() {
    let mut old = pod("nginx");
    old["metadata"]["annotations"] =
        json!({"io.containers.trace-logs/main": "rec_main_bcdfg_1", "io.containers.trace-avcs/main": "x", "note": "1"});
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({"io.containers.trace-logs/main": "victim_main_bcdfg_1", "io.containers.trace-bpf/main": "x", "note": "2"});
    let decision = world().decide(Webhook::Recording, update(&old, &new));
    let got = patched(&new, &decision);
    let want =
        json!({"io.containers.trace-logs/main": "rec_main_bcdfg_1", "io.containers.trace-avcs/main": "x", "note": "2"});
    assert_eq!(got["metadata"]["annotations"], want);
    assert_eq!(decision.warnings.len(), 3);

    new["metadata"]["annotations"] = Value::Null;
    let got = patched(&new, &world().decide(Webhook::Recording, update(&old, &new)));
    assert_eq!(annotations(&got).len(), 2, "also where all annotations were taken away");
}

#[test]
fn w_op_22_an_honest_update_is_not_touched_and_makes_no_new_nonce() {
    let world = world().recording("rec", "SeccompProfile", "Logs");
    let (old, _) = admitted(&world, &pod("nginx"));
    let mut new = old.clone();
    new["metadata"]["labels"]["app"] = "renamed".into();
    assert_eq!(world.decide(Webhook::Recording, update(&old, &new)), Decision::allowed());
    assert_eq!(world.decide(Webhook::Recording, delete(&old)), Decision::allowed());
}

#[test]
fn a_pod_without_a_name_is_told_of_by_what_its_name_begins_with() {
    let mut generated = pod("nginx");
    generated["metadata"] = json!({"generateName": "web-7d9c-"});
    let (_, decision) = admitted(&World::new().recording("rec", "SeccompProfile", "Logs"), &generated);
    assert!(decision.notices[0].note.starts_with("pod web-7d9c- is not recorded"), "{:?}", decision.notices);
    assert_eq!(
        (decision.notices[0].recording.namespace.as_str(), &*decision.notices[0].recording.uid),
        (NAMESPACE, "uid-of-rec")
    );
}

#[test]
fn a_pod_for_windows_is_not_recorded() {
    let mut windows = pod("nginx");
    windows["spec"]["os"] = json!({"name": "windows"});
    assert_eq!(admitted(&world().recording("rec", "SeccompProfile", "Logs"), &windows).0, windows);
}

#[test]
fn what_is_no_pod_is_refused() {
    let decision = World::new().decide(Webhook::Recording, create(&json!("pod")));
    assert!(matches!(decision.verdict, Verdict::Refused { code: 400, .. }), "{decision:?}");
}
