//! Tables of what becomes of pods.

use rstest::rstest;
use serde_json::{Value, json};
use spo_api::ProfileKind;

use super::super::Webhook;
use super::super::decision::{LAG, PATIENCE, Verdict};
use super::super::fixture::{World, add_ephemeral, create, delete, patched, pod, push, update};
use super::*;

const SECCOMP: ProfileKind = ProfileKind::Seccomp;
const SELINUX: ProfileKind = ProfileKind::Selinux;
const RAW: ProfileKind = ProfileKind::RawSelinux;
const APPARMOR: ProfileKind = ProfileKind::AppArmor;

/// A cluster with an installed profile of the name in every kind.
fn world(profiles: &[&str]) -> World {
    let installed = |world: World, name: &&str| {
        ProfileKind::ALL.into_iter().fold(world, |world, kind| world.profile(kind, name, "Installed"))
    };
    profiles.iter().fold(World::new(), installed)
}

fn bound(world: &World, pod: &Value) -> Value {
    world.create(Webhook::Binding, pod).0
}

fn localhost(path: &str) -> Value {
    json!({"type": "Localhost", "localhostProfile": path})
}

fn context(pod: &Value) -> &Value {
    &pod["spec"]["containers"][0]["securityContext"]
}

#[test]
fn s11_the_exact_image_confines_the_container_and_a_star_the_pod() {
    let exact = world(&["web"]).binding("b", SECCOMP, "web", "nginx:1.19.1");
    let pod = pod("nginx:1.19.1");
    let got = bound(&exact, &pod);
    assert_eq!(*context(&got), json!({"seccompProfile": localhost("operator/web.json")}));
    assert_eq!(got["spec"]["securityContext"], json!({}));
    assert_eq!(got["spec"]["containers"][0]["ports"], pod["spec"]["containers"][0]["ports"]);

    let star = world(&["web"]).binding("b", SECCOMP, "web", "*");
    let got = bound(&star, &pod);
    assert_eq!(got["spec"]["securityContext"], json!({"seccompProfile": localhost("operator/web.json")}));
    assert_eq!(got["spec"]["containers"], pod["spec"]["containers"]);
}

#[rstest]
#[case::another_tag("nginx:1.19.2")]
#[case::another_registry("docker.io/nginx:1.19.1")]
#[case::a_longer_name("nginx:1.19.10")]
fn images_are_compared_as_they_are_written(#[case] image: &str) {
    let world = world(&["web"]).binding("b", SECCOMP, "web", "nginx:1.19.1");
    let decision = world.decide(Webhook::Binding, create(&pod(image)));
    assert_eq!(decision, Decision::allowed());
}

#[rstest]
#[case(SECCOMP, "seccompProfile", localhost("operator/web.json"))]
#[case(SELINUX, "seLinuxOptions", json!({"type": "web.process"}))]
#[case(RAW, "seLinuxOptions", json!({"type": "web.process"}))]
#[case(APPARMOR, "appArmorProfile", localhost("web"))]
fn w_op_23_every_kind_can_be_bound(#[case] kind: ProfileKind, #[case] field: &str, #[case] want: Value) {
    let exact = world(&["web"]).binding("b", kind, "web", "nginx");
    assert_eq!(*context(&bound(&exact, &pod("nginx"))), json!({field: want}));
    let star = world(&["web"]).binding("b", kind, "web", "*");
    assert_eq!(bound(&star, &pod("nginx"))["spec"]["securityContext"], json!({field: want}));
}

#[test]
fn bindings_of_several_kinds_add_up() {
    let world = world(&["web"])
        .binding("a", APPARMOR, "web", "nginx")
        .binding("b", SECCOMP, "web", "nginx")
        .binding("c", SELINUX, "web", "nginx");
    let want = json!({"appArmorProfile": localhost("web"), "seccompProfile": localhost("operator/web.json"),
        "seLinuxOptions": {"type": "web.process"}});
    assert_eq!(*context(&bound(&world, &pod("nginx"))), want);
}

#[test]
fn w_op_23_a_pod_that_is_as_bound_is_not_changed() {
    let world = world(&["web"]).binding("a", SECCOMP, "web", "nginx").binding("b", SELINUX, "web", "*");
    let once = bound(&world, &pod("nginx"));
    let decision = world.decide(Webhook::Binding, create(&once));
    assert_eq!(decision, Decision::allowed());
}

#[test]
fn w_op_23_a_change_is_not_forgotten_over_the_containers_that_follow() {
    let world = world(&["web", "db"]).binding("a", SECCOMP, "web", "nginx").binding("b", SECCOMP, "db", "redis");
    let mut two = pod("nginx");
    two["spec"]["initContainers"] = json!([{"name": "init", "image": "redis"}]);
    push(&mut two["spec"]["containers"], json!({"name": "other", "image": "busybox"}));
    let got = bound(&world, &two);
    assert_eq!(*context(&got), json!({"seccompProfile": localhost("operator/web.json")}));
    assert_eq!(got["spec"]["initContainers"][0]["securityContext"]["seccompProfile"], localhost("operator/db.json"));
    assert_eq!(got["spec"]["containers"][1], two["spec"]["containers"][1]);
}

#[rstest]
#[case::update(update(&pod("nginx"), &pod("nginx")))]
#[case::delete(delete(&pod("nginx")))]
fn w_op_23_a_pod_that_exists_is_left_alone(#[case] request: Value) {
    let world = world(&["web"]).binding("a", SECCOMP, "web", "nginx").binding("b", SELINUX, "missing", "*");
    assert_eq!(world.decide(Webhook::Binding, request), Decision::allowed());
}

#[test]
fn w_op_23_a_star_covers_what_no_other_binding_does() {
    let world = world(&["web", "all"]).binding("exact", SECCOMP, "web", "nginx").binding("star", SECCOMP, "all", "*");
    let mut three = pod("nginx");
    push(&mut three["spec"]["containers"], json!({"name": "plain", "image": "redis"}));
    push(
        &mut three["spec"]["containers"],
        json!({"name": "own", "image": "redis", "securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
    );
    let (got, warnings) = world.create(Webhook::Binding, &three);
    assert_eq!(got["spec"]["securityContext"]["seccompProfile"], localhost("operator/all.json"));
    assert_eq!(context(&got)["seccompProfile"], localhost("operator/web.json"));
    assert_eq!(got["spec"]["containers"][1], three["spec"]["containers"][1], "it takes the pod's");
    assert_eq!(got["spec"]["containers"][2]["securityContext"]["seccompProfile"], localhost("operator/all.json"));
    assert_eq!(warnings, ["ProfileBinding star replaces the seccompProfile of container own"]);
}

#[test]
fn w_op_23_a_star_covers_every_container_of_a_pod_that_says_otherwise() {
    let world = world(&["all"]).binding("star", SECCOMP, "all", "*");
    let mut unconfined = pod("nginx");
    unconfined["spec"]["securityContext"] = json!({"seccompProfile": {"type": "Unconfined"}, "runAsUser": 7});
    let got = bound(&world, &unconfined);
    assert_eq!(got["spec"]["securityContext"], unconfined["spec"]["securityContext"]);
    assert_eq!(*context(&got), json!({"seccompProfile": localhost("operator/all.json")}));
}

#[test]
fn nobody_opts_out_by_presetting_another_profile() {
    let world = world(&["web"]).binding("a", SECCOMP, "web", "nginx").binding("b", APPARMOR, "web", "nginx");
    let mut preset = pod("nginx");
    preset["spec"]["containers"][0]["securityContext"] = json!({"runAsUser": 7,
        "seccompProfile": {"type": "Localhost", "localhostProfile": "operator/lax.json"}, "appArmorProfile": {"type": "Unconfined"}});
    let want =
        json!({"runAsUser": 7, "seccompProfile": localhost("operator/web.json"), "appArmorProfile": localhost("web")});
    assert_eq!(*context(&bound(&world, &preset)), want);
}

#[rstest]
#[case::exact("nginx")]
#[case::star("*")]
fn nobody_opts_out_by_the_old_annotation_of_apparmor(#[case] image: &str) {
    let world = world(&["web"]).binding("a", APPARMOR, "web", image);
    let mut annotated = pod("nginx");
    annotated["metadata"]["annotations"] = json!({"container.apparmor.security.beta.kubernetes.io/main": "unconfined"});
    let got = bound(&world, &annotated);
    assert_eq!(got["metadata"]["annotations"], json!({}), "the API server makes it from the field");
    assert_eq!(context(&got)["appArmorProfile"], localhost("web"));
}

#[test]
fn the_selinux_level_stays_and_user_and_role_do_not() {
    let world = world(&["web"]).binding("a", SELINUX, "web", "nginx");
    let mut own = pod("nginx");
    own["spec"]["containers"][0]["securityContext"] =
        json!({"seLinuxOptions": {"type": "spc_t", "level": "s0:c1,c2", "user": "unconfined_u", "role": "sysadm_r"}});
    assert_eq!(context(&bound(&world, &own))["seLinuxOptions"], json!({"type": "web.process", "level": "s0:c1,c2"}));

    let mut of_pod = pod("nginx");
    of_pod["spec"]["securityContext"] = json!({"seLinuxOptions": {"level": "s0:c3,c4"}});
    assert_eq!(context(&bound(&world, &of_pod))["seLinuxOptions"], json!({"type": "web.process", "level": "s0:c3,c4"}));
}

#[test]
fn a_pod_that_only_has_a_level_gets_the_type_of_a_star() {
    let world = world(&["web"]).binding("a", SELINUX, "web", "*");
    let mut level = pod("nginx");
    level["spec"]["securityContext"] = json!({"seLinuxOptions": {"level": "s0:c3,c4"}});
    let got = bound(&world, &level);
    assert_eq!(got["spec"]["securityContext"]["seLinuxOptions"], json!({"type": "web.process", "level": "s0:c3,c4"}));
    assert_eq!(got["spec"]["containers"], level["spec"]["containers"]);
}

#[rstest]
#[case::image("busybox")]
#[case::star("*")]
fn x9_an_init_container_is_bound(#[case] image: &str) {
    let world = world(&["errorlogger"]).binding("b", SELINUX, "errorlogger", image);
    let mut with_init = pod("nginx");
    with_init["spec"]["initContainers"] =
        json!([{"name": "init", "image": "busybox", "securityContext": {"seLinuxOptions": {"type": "container_t"}}}]);
    let got = bound(&world, &with_init);
    assert_eq!(
        got["spec"]["initContainers"][0]["securityContext"]["seLinuxOptions"],
        json!({"type": "errorlogger.process"})
    );
}

#[test]
fn x10_a_namespace_without_bindings_is_not_touched() {
    let world = world(&["web"]).binding("b", SELINUX, "web", "*");
    let mut elsewhere = create(&pod("nginx"));
    for namespace in ["we", "web2", "default", ""] {
        elsewhere["namespace"] = namespace.into();
        assert_eq!(world.decide(Webhook::Binding, elsewhere.clone()), Decision::allowed());
    }
}

#[rstest]
#[case::matching(json!({"matchLabels": {"app": "web"}}), true, 0)]
#[case::other_labels(json!({"matchLabels": {"app": "db"}}), false, 0)]
#[case::empty(json!({}), true, 0)]
#[case::absent(json!(null), true, 0)]
#[case::invalid(json!({"matchExpressions": [{"key": "app", "operator": "Like"}]}), false, 1)]
fn a_binding_is_for_the_pods_that_it_selects(#[case] selector: Value, #[case] binds: bool, #[case] warnings: usize) {
    let spec = json!({"profileRef": {"kind": "SeccompProfile", "name": "web"}, "image": "*", "podSelector": selector});
    let world = world(&["web"]).binding_with("b", spec);
    let (got, warned) = world.create(Webhook::Binding, &pod("nginx"));
    assert_eq!(got["spec"]["securityContext"] == json!({"seccompProfile": localhost("operator/web.json")}), binds);
    assert_eq!(warned.len(), warnings, "{warned:?}");
}

#[test]
fn of_two_bindings_for_one_image_the_last_by_name_counts_and_the_user_is_told() {
    let world = world(&["a", "b"])
        .binding("2", SELINUX, "b", "nginx")
        .binding("1", RAW, "a", "nginx")
        .binding("3", SECCOMP, "a", "nginx");
    let (got, warnings) = world.create(Webhook::Binding, &pod("nginx"));
    assert_eq!(context(&got)["seLinuxOptions"], json!({"type": "b.process"}));
    assert_eq!(warnings, ["ProfileBinding 1 is passed over: 2 sets the seLinuxOptions of image nginx, too"]);
}

#[test]
fn a_dangling_reference_keeps_no_pod_from_being_created() {
    let world = world(&["web"]).binding("a", SECCOMP, "web", "nginx").binding("b", SECCOMP, "gone", "nginx");
    let (got, warnings) = world.create(Webhook::Binding, &pod("nginx"));
    assert_eq!(context(&got)["seccompProfile"], localhost("operator/web.json"));
    assert_eq!(warnings, ["ProfileBinding b is passed over: there is no SeccompProfile gone"]);
}

#[test]
fn a_dangling_reference_refuses_the_pod_where_the_configuration_says_so() {
    let refuse = json!({"webhook": {"binding": {"missingProfile": "Refuse"}}});
    let world = World::new().configuration(refuse).binding("b", SECCOMP, "gone", "nginx");
    let decision = world.decide(Webhook::Binding, create(&pod("nginx")));
    let message = "ProfileBinding b confines this pod, and there is no SeccompProfile gone".to_owned();
    assert_eq!(decision.verdict, Verdict::Refused { code: 403, message });
    assert_eq!(world.decide(Webhook::Binding, create(&pod("redis"))), Decision::allowed(), "others are not concerned");
}

#[test]
fn a_profile_without_a_status_refuses_the_pods_that_are_bound_to_it() {
    let world = World::new().profile(SECCOMP, "web", "").binding("b", SECCOMP, "web", "nginx");
    let Verdict::Refused { code, message } = world.decide(Webhook::Binding, create(&pod("nginx"))).verdict else {
        panic!("allowed")
    };
    assert_eq!(code, 500);
    assert!(
        message.starts_with("ProfileBinding b names SeccompProfile web, which no node has reported on yet"),
        "{message}"
    );
    assert_eq!(world.decide(Webhook::Binding, create(&pod("redis"))), Decision::allowed(), "others are not concerned");
}

#[test]
fn a_profile_that_is_not_installed_confines_all_the_same_and_the_user_is_told() {
    let world = World::new().profile(SECCOMP, "web", "Error").binding("b", SECCOMP, "web", "nginx");
    let (got, warnings) = world.create(Webhook::Binding, &pod("nginx"));
    assert_eq!(context(&got)["seccompProfile"], localhost("operator/web.json"));
    assert_eq!(warnings, ["SeccompProfile web of ProfileBinding b is Error: containers start when it is Installed"]);
}

#[rstest]
#[case::new_binding(World::new().after(60).binding("b", SECCOMP, "web", "nginx").after(5), PATIENCE)]
#[case::old_binding(World::new().binding("b", SECCOMP, "web", "nginx").after(60), LAG)]
#[case::new_profile(World::new().binding("b", SECCOMP, "web", "nginx").after(60).profile(SECCOMP, "web", ""), PATIENCE)]
#[case::old_profile(World::new().binding("b", SECCOMP, "web", "nginx").profile(SECCOMP, "web", "").after(60), LAG)]
#[case::other_image(World::new().binding("b", SECCOMP, "web", "redis"), Duration::ZERO)]
#[case::nothing_missing(World::new().profile(SECCOMP, "web", "Error").binding("b", SECCOMP, "web", "nginx"), Duration::ZERO)]
fn a_pod_waits_for_what_was_made_a_moment_ago(#[case] world: World, #[case] patience: Duration) {
    assert_eq!(world.decide(Webhook::Binding, create(&pod("nginx"))).patience, patience);
}

#[test]
fn an_ephemeral_container_is_bound_when_it_is_added() {
    let world = world(&["web"]).binding("b", SECCOMP, "web", "*");
    let running = bound(&World::new(), &pod("nginx"));
    let mut debugged = running.clone();
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "one", "image": "busybox"}]);
    let decision = world.decide(Webhook::Binding, add_ephemeral(&running, &debugged));
    let got = patched(&debugged, &decision);
    assert_eq!(
        got["spec"]["ephemeralContainers"][0]["securityContext"]["seccompProfile"],
        localhost("operator/web.json")
    );
    assert_eq!(got["spec"]["securityContext"], json!({}), "the pod itself cannot be changed");

    let mut again = debugged.clone();
    push(
        &mut again["spec"]["ephemeralContainers"],
        json!({"name": "two", "image": "busybox", "securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
    );
    let got = patched(&again, &world.decide(Webhook::Binding, add_ephemeral(&debugged, &again)));
    assert_eq!(got["spec"]["ephemeralContainers"][0], debugged["spec"]["ephemeralContainers"][0], "it runs already");
    assert_eq!(
        got["spec"]["ephemeralContainers"][1]["securityContext"]["seccompProfile"],
        localhost("operator/web.json")
    );
}

#[test]
fn an_ephemeral_container_takes_what_its_pod_has() {
    let world = world(&["web"]).binding("b", SECCOMP, "web", "*");
    let running = bound(&world, &pod("nginx"));
    let mut debugged = running.clone();
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "one", "image": "busybox"}]);
    assert_eq!(world.decide(Webhook::Binding, add_ephemeral(&running, &debugged)), Decision::allowed());
}

#[rstest]
#[case::exact("nginx")]
#[case::star("*")]
fn that_a_privileged_container_is_not_confined_by_seccomp_is_told(#[case] image: &str) {
    let world = world(&["web"]).binding("b", SECCOMP, "web", image).binding("c", SELINUX, "web", image);
    let mut privileged = pod("nginx");
    privileged["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let (_, warnings) = world.create(Webhook::Binding, &privileged);
    assert_eq!(warnings, ["container main is privileged: runtimes ignore the profile of ProfileBinding b"]);
}

#[test]
fn a_pod_for_windows_cannot_be_confined_and_is_let_pass() {
    let world = world(&["web"]).binding("b", SECCOMP, "web", "*");
    let mut windows = pod("nginx");
    windows["spec"]["os"] = json!({"name": "windows"});
    assert_eq!(world.decide(Webhook::Binding, create(&windows)), Decision::allowed());
}

#[test]
fn what_is_no_pod_is_refused() {
    let mut request = create(&json!({"spec": {"containers": "none"}}));
    let refused = |request: Value| match World::new().decide(Webhook::Binding, request).verdict {
        Verdict::Refused { code, message } => (code, message),
        Verdict::Allowed { .. } => panic!("allowed"),
    };
    let (code, message) = refused(request.clone());
    assert_eq!(code, 400);
    assert!(message.starts_with("the object of the request cannot be read: invalid type"), "{message}");
    request["object"] = Value::Null;
    assert_eq!(refused(request), (400, "the request has no object".to_owned()));
}

#[test]
fn a_pod_with_more_containers_than_any_node_runs_is_refused() {
    let mut huge = pod("nginx");
    huge["spec"]["containers"] = json!(vec![json!({"name": "c", "image": "nginx"}); 1001]);
    let verdict = World::new().decide(Webhook::Binding, create(&huge)).verdict;
    let message = "a pod with 1001 containers is too large to be looked at; 1000 are possible".to_owned();
    assert_eq!(verdict, Verdict::Refused { code: 400, message });
}
