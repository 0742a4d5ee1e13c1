//! What the cluster's list of system calls forbids.

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use spo_api::daemon::v1::SecurityProfilesOperatorDaemon;
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::{GROUP, ProfileState};
use spo_tests::wait;

use spo_tests::api::process::{both, manager};
use spo_tests::api::server::{NAMESPACE, Server, a_while};

/// The configuration, for as long as a test runs.
async fn permit(server: &Server, calls: &[&str]) -> Api<SecurityProfilesOperatorDaemon> {
    let configurations: Api<SecurityProfilesOperatorDaemon> = Api::namespaced(server.client.clone(), NAMESPACE);
    let configuration = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "SecurityProfilesOperatorDaemon",
        "metadata": {"name": "spod"}, "spec": {"security": {"allowedSyscalls": calls}}});
    let ours = PatchParams::apply("tests").force();
    configurations.patch("spod", &ours, &Patch::Apply(configuration)).await.unwrap();
    configurations
}

async fn permit_all(configurations: &Api<SecurityProfilesOperatorDaemon>) {
    configurations.delete("spod", &DeleteParams::default()).await.unwrap();
    wait::until_gone(configurations, "spod").await;
}

/// Makes a profile that allows these calls and no others.
async fn allowing(server: &Server, name: &str, calls: &[&str], base: Option<&str>) -> SeccompProfile {
    let profile = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "SeccompProfile",
        "metadata": {"name": name},
        "spec": {"defaultAction": "SCMP_ACT_ERRNO", "baseProfileName": base,
            "syscalls": [{"names": calls, "action": "SCMP_ACT_ALLOW"}]},
    });
    server.profiles.create(&PostParams::default(), &serde_json::from_value(profile).unwrap()).await.unwrap()
}

async fn node_statuses(server: &Server, profile: &str) -> usize {
    let label = format!("spo.x-k8s.io/profile-id=SeccompProfile-{profile}");
    server.statuses.list(&ListParams::default().labels(&label)).await.unwrap().items.len()
}

#[tokio::test]
async fn s4_a_profile_that_is_not_permitted_gets_no_node_status_and_says_which_call() {
    let Some(server) = Server::take().await else { return };
    let configuration = permit(&server, &["read", "write", "exit_group"]).await;
    let _running = both(&server);
    allowing(&server, "s4-in", &["read", "write"], None).await;
    allowing(&server, "s4-out", &["read", "mkdir"], None).await;
    server.profile("s4-all").await;
    server.installed("s4-in").await;
    let message = server.message("s4-out", "Unavailable").await;
    assert!(message.ends_with("mkdir is not among the cluster's allowedSyscalls"), "{message}");
    let message = server.message("s4-all", "Unavailable").await;
    assert!(message.contains("SCMP_ACT_ALLOW permits calls outside the cluster's allowedSyscalls"), "{message}");
    a_while().await;
    assert_eq!(node_statuses(&server, "s4-in").await, 1);
    for denied in ["s4-out", "s4-all"] {
        assert_eq!(node_statuses(&server, denied).await, 0, "{denied}");
        assert!(!server.file(denied).exists(), "{denied}");
        let state = server.profiles.get(denied).await.unwrap().status.unwrap().status;
        assert_eq!(state, Some(ProfileState::Error), "{denied}");
    }
    permit_all(&configuration).await;
    server.installed("s4-out").await;
}

#[tokio::test]
async fn s5_a_profile_that_is_not_permitted_any_more_is_deleted_with_its_file() {
    let Some(server) = Server::take().await else { return };
    let configuration = permit(&server, &["read", "write", "mkdir"]).await;
    let _running = both(&server);
    allowing(&server, "s5-base", &["mkdir"], None).await;
    allowing(&server, "s5-derived", &["read"], Some("s5-base")).await;
    allowing(&server, "s5-kept", &["read", "write"], None).await;
    for name in ["s5-base", "s5-derived", "s5-kept"] {
        server.installed(name).await;
    }
    permit(&server, &["read", "write"]).await;
    for name in ["s5-base", "s5-derived"] {
        wait::until_gone(&server.profiles, name).await;
        server.file_is(name, false).await;
    }
    server.installed("s5-kept").await;
    assert!(server.file("s5-kept").exists());
    permit_all(&configuration).await;
}

#[tokio::test]
async fn s6_a_profile_that_is_not_permitted_any_more_stays_for_the_pod_that_uses_it() {
    let Some(server) = Server::take().await else { return };
    let configuration = permit(&server, &["read", "mkdir"]).await;
    let _running = both(&server);
    allowing(&server, "s6", &["mkdir"], None).await;
    server.installed("s6").await;
    let pods = super::uses::confined(&server, "s6").await;
    wait::until(&server.profiles, "s6", "to be used", |profile| !profile.finalizers().is_empty()).await;
    permit(&server, &["read"]).await;
    server.message("s6", "Deleting").await;
    let profile = server.profiles.get("s6").await.unwrap();
    assert_eq!(profile.status.unwrap().status, Some(ProfileState::Terminating));
    assert!(server.file("s6").exists());
    pods.delete("a", &DeleteParams::default().grace_period(0)).await.unwrap();
    wait::until_gone(&server.profiles, "s6").await;
    server.file_is("s6", false).await;
    permit_all(&configuration).await;
}

#[tokio::test]
async fn s5_what_one_changes_into_something_that_is_forbidden_is_refused_and_not_deleted() {
    let Some(server) = Server::take().await else { return };
    let configuration = permit(&server, &["read"]).await;
    let _running = both(&server);
    allowing(&server, "edited-out", &["read"], None).await;
    server.installed("edited-out").await;
    let edit = Patch::Merge(json!({"spec": {"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"}]}}));
    server.profiles.patch("edited-out", &PatchParams::default(), &edit).await.unwrap();
    let message = server.message("edited-out", "Unavailable").await;
    assert!(message.contains("mkdir"), "{message}");
    a_while().await;
    assert!(server.profiles.get("edited-out").await.unwrap().metadata.deletion_timestamp.is_none());
    permit_all(&configuration).await;
}

#[tokio::test]
async fn the_annotation_syscalls_has_the_calls_of_base_profiles_too() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let calls = |profile: &SeccompProfile| -> Value {
        profile.annotations().get("syscalls").map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
    };
    allowing(&server, "calls", &["write"], Some("calls-base")).await;
    allowing(&server, "calls-base", &["read"], None).await;
    let both = json!([{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]);
    wait::until(&server.profiles, "calls", "to list its calls", |profile| calls(profile) == both).await;
    let edit = Patch::Merge(json!({"spec": {"syscalls": [{"names": ["openat"], "action": "SCMP_ACT_ALLOW"}]}}));
    server.profiles.patch("calls-base", &PatchParams::default(), &edit).await.unwrap();
    let both = json!([{"names": ["openat", "write"], "action": "SCMP_ACT_ALLOW"}]);
    wait::until(&server.profiles, "calls", "to follow its base", |profile| calls(profile) == both).await;
}
