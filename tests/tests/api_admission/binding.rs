//! Pods get the profiles that their namespace's bindings name.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use spo_tests::wait;

use crate::stage::{Stage, container, is_confined, namespace, pod};

fn localhost(path: &str) -> Value {
    json!({"type": "Localhost", "localhostProfile": path})
}

#[tokio::test]
async fn s11_a_pod_is_bound_by_the_exact_image_and_by_a_star() {
    let Some(stage) = Stage::set().await else { return };
    stage.installed("SeccompProfile", "exact").await;
    stage.bind("exact", "SeccompProfile", "exact", "nginx:1.19.1").await;
    let made = stage.create_when(pod("exact", "nginx:1.19.1"), is_confined).await;
    assert_eq!(container(&made)["securityContext"]["seccompProfile"], localhost("operator/exact.json"));

    stage.installed("SeccompProfile", "all").await;
    stage.bind("star", "SeccompProfile", "all", "*").await;
    let made = stage.create_when(pod("star", "redis"), is_confined).await;
    let context = serde_json::to_value(made.spec.unwrap().security_context).unwrap();
    assert_eq!(context["seccompProfile"], localhost("operator/all.json"));
}

#[tokio::test]
async fn x9_an_init_container_is_bound_to_an_selinux_profile() {
    let Some(stage) = Stage::set().await else { return };
    for (kind, image) in [("SelinuxProfile", "busybox"), ("RawSelinuxProfile", "alpine")] {
        let name = image;
        stage.installed(kind, name).await;
        stage.bind(name, kind, name, image).await;
        let mut with_init = pod(name, "nginx");
        with_init["spec"]["initContainers"] = json!([{"name": "init", "image": image}]);
        let init =
            |pod: &Pod| serde_json::to_value(pod).unwrap()["spec"]["initContainers"][0]["securityContext"].clone();
        let made = stage.create_when(with_init, |pod| !init(pod).is_null()).await;
        let made = serde_json::to_value(made).unwrap();
        let options = &made["spec"]["initContainers"][0]["securityContext"]["seLinuxOptions"];
        assert_eq!(*options, json!({"type": format!("{name}.process")}));
        assert!(made["spec"]["containers"][0]["securityContext"].is_null(), "{made}");
    }
}

#[tokio::test]
async fn x10_in_a_namespace_without_the_label_nothing_is_bound() {
    let Some(stage) = Stage::set().await else { return };
    let unlabelled = namespace(&stage.server.client, &[]).await;
    stage.bind_in(&unlabelled, "all", "SeccompProfile", "stage", "*").await;
    // When this one is known, the other is.
    stage.bind("all", "SeccompProfile", "stage", "nginx").await;
    stage.create_when(pod("bound", "nginx"), is_confined).await;
    let pods = Api::namespaced(stage.server.client.clone(), &unlabelled);
    let made =
        pods.create(&PostParams::default(), &serde_json::from_value(pod("free", "nginx")).unwrap()).await.unwrap();
    assert!(!is_confined(&made), "{made:?}");
}

#[tokio::test]
async fn w_op_23_a_pod_that_was_there_before_its_binding_can_be_changed() {
    let Some(stage) = Stage::set().await else { return };
    stage.create(pod("before", "nginx")).await;
    stage.bind("late", "SeccompProfile", "stage", "nginx").await;
    assert_eq!(
        container(&stage.create_when(pod("after", "nginx"), is_confined).await)["securityContext"]["seccompProfile"]["type"],
        "Localhost"
    );
    let patch = Patch::Merge(json!({"metadata": {"labels": {"changed": "yes"}}}));
    let changed = stage.pods.patch("before", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(changed.labels()["changed"], "yes");
    assert!(container(&changed)["securityContext"].is_null(), "{changed:?}");
}

#[tokio::test]
async fn a_dangling_binding_refuses_its_pods_where_the_configuration_says_so() {
    let Some(stage) = Stage::set().await else { return };
    stage.bind("dangling", "SeccompProfile", "gone", "nginx").await;
    stage.create(pod("passes", "nginx")).await;
    stage.configure(json!({"webhook": {"binding": {"missingProfile": "Refuse"}}})).await;
    let nginx = serde_json::from_value(pod("refused", "nginx")).unwrap();
    let not_kept = PostParams { dry_run: true, ..PostParams::default() };
    let refused = async || match stage.pods.create(&not_kept, &nginx).await {
        Err(error) => {
            error.to_string().contains("ProfileBinding dangling confines this pod, and there is no SeccompProfile gone")
        }
        Ok(_) => false,
    };
    wait::until_async("the pod to be refused", refused).await;
    stage.create(pod("other", "redis")).await;
}

#[tokio::test]
async fn nobody_opts_out_of_apparmor_by_the_old_annotation() {
    let Some(stage) = Stage::set().await else { return };
    stage.installed("AppArmorProfile", "strict").await;
    stage.bind("strict", "AppArmorProfile", "strict", "*").await;
    let key = "container.apparmor.security.beta.kubernetes.io/main";
    let mut annotated = pod("annotated", "nginx");
    annotated["metadata"]["annotations"] = json!({key: "unconfined"});
    let made = stage.create_when(annotated, is_confined).await;
    assert_eq!(container(&made)["securityContext"]["appArmorProfile"], localhost("strict"));
    assert_ne!(made.annotations().get(key).map(String::as_str), Some("unconfined"));
}

#[tokio::test]
async fn an_ephemeral_container_is_bound_when_it_is_added() {
    let Some(stage) = Stage::set().await else { return };
    stage.create(pod("debugged", "nginx")).await;
    let debugger =
        json!({"name": "debugger", "image": "stage", "securityContext": {"seccompProfile": {"type": "Unconfined"}}});
    let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [debugger]}}));
    let made = stage.pods.patch_subresource("ephemeralcontainers", "debugged", &PatchParams::default(), &patch).await;
    let made = serde_json::to_value(made.unwrap()).unwrap();
    let got = &made["spec"]["ephemeralContainers"][0]["securityContext"]["seccompProfile"];
    assert_eq!(*got, localhost("operator/stage.json"));
}
