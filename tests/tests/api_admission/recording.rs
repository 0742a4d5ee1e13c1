//! Pods are marked for being recorded.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use spo_api::recording::{LOG_PROFILE, RecordingId};
use spo_tests::wait;

use crate::stage::{Stage, container, pod};

const MARK: &str = "io.containers.trace-logs/main";

#[tokio::test]
async fn w_op_21_a_recorded_pod_logs_by_a_profile_that_is_installed() {
    let Some(stage) = Stage::set().await else { return };
    stage.record("rec", "SeccompProfile", "Logs").await;
    let without = stage.create(pod("without", "nginx")).await;
    assert!(
        !without.annotations().contains_key(MARK) && container(&without)["securityContext"].is_null(),
        "{without:?}"
    );

    stage.installed("SeccompProfile", LOG_PROFILE).await;
    let recorded = stage.create_when(pod("recorded", "nginx"), |pod| pod.annotations().contains_key(MARK)).await;
    let id: RecordingId = recorded.annotations()[MARK].parse().unwrap();
    assert_eq!((id.recording.as_str(), id.container.as_str()), ("rec", "main"));
    let seccomp = &container(&recorded)["securityContext"]["seccompProfile"];
    assert_eq!(*seccomp, json!({"type": "Localhost", "localhostProfile": "operator/log-enricher-trace.json"}));
}

#[tokio::test]
async fn w_op_22_the_marks_of_a_pod_outlive_whoever_would_change_them() {
    let Some(stage) = Stage::set().await else { return };
    stage.record("rec", "AppArmorProfile", "Bpf").await;
    let key = "io.containers.trace-bpf-apparmor/main";
    let made = stage.create_when(pod("marked", "nginx"), |pod| pod.annotations().contains_key(key)).await;
    let patch = Patch::Merge(
        json!({"metadata": {"annotations": {key: "victim_main_bbbbb_1", MARK: "forged", "other": "kept"}}}),
    );
    let changed = stage.pods.patch("marked", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(changed.annotations()[key], made.annotations()[key]);
    assert!(!changed.annotations().contains_key(MARK), "{changed:?}");
    assert_eq!(changed.annotations()["other"], "kept");
}

#[tokio::test]
async fn what_keeps_a_container_from_being_recorded_becomes_an_event() {
    let Some(stage) = Stage::set().await else { return };
    stage.record("rec", "SelinuxProfile", "Logs").await;
    let mut privileged = pod("privileged", "nginx");
    privileged["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let marked = |pod: &Pod| pod.annotations().contains_key("io.containers.trace-avcs/main");
    stage.create_when(pod("ordinary", "nginx"), marked).await;
    assert!(!marked(&stage.create(privileged).await));
    let events: Api<Event> = Api::namespaced(stage.server.client.clone(), &stage.namespace);
    let told = |event: &Event| {
        event.reason.as_deref() == Some("PrivilegedContainer")
            && event.regarding.as_ref().is_some_and(|about| about.name.as_deref() == Some("rec"))
            && event
                .note
                .as_deref()
                .is_some_and(|note| note.starts_with("container main of pod privileged is privileged"))
    };
    let one = async || events.list(&ListParams::default()).await.unwrap().items.iter().any(told);
    wait::until_async("the event", one).await;
}
