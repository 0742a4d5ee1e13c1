//! Profiles and bindings that pods use: held, and with the pods in their status.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use spo_api::binding::v1::ProfileBinding;
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::{GROUP, ProfileState, finalizers};
use spo_tests::wait;

use spo_tests::api::process::{both, manager};
use spo_tests::api::server::{NAMESPACE, Server};

/// A namespace with the account that pods run as, which nothing makes here.
async fn namespace(server: &Server) -> String {
    let namespaces: Api<Namespace> = Api::all(server.client.clone());
    let new = json!({"metadata": {"generateName": "uses-"}});
    let name =
        namespaces.create(&PostParams::default(), &serde_json::from_value(new).unwrap()).await.unwrap().name_any();
    let accounts: Api<ServiceAccount> = Api::namespaced(server.client.clone(), &name);
    let default = serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
    accounts.create(&PostParams::default(), &default).await.unwrap();
    name
}

fn localhost(profile: &str) -> Value {
    json!({"seccompProfile": {"type": "Localhost", "localhostProfile": format!("operator/{profile}.json")}})
}

/// A pod, as the kubelet of a node has it; `extra` goes into its `spec`.
async fn pod(client: &Client, namespace: &str, name: &str, annotations: Value, extra: &Value) -> Api<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut pod = json!({
        "metadata": {"name": name, "annotations": annotations, "labels": {"app": "web"}},
        "spec": {"nodeName": "node1", "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "nginx"}]},
    });
    for (field, value) in extra.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    pods
}

/// A pod `a` that is confined by the profile, in a namespace of its own.
pub(crate) async fn confined(server: &Server, profile: &str) -> Api<Pod> {
    let namespace = namespace(server).await;
    pod(&server.client, &namespace, "a", json!(null), &json!({"securityContext": localhost(profile)})).await
}

async fn ends(pods: &Api<Pod>, name: &str) {
    pods.delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
}

fn users(profile: &SeccompProfile) -> Vec<String> {
    profile.status.as_ref().and_then(|status| status.active_workloads.clone()).unwrap_or_default()
}

async fn used_by(server: &Server, profile: &str, expected: &[&str]) {
    let held = |profile: &SeccompProfile| profile.finalizers().iter().any(|finalizer| finalizer == finalizers::IN_USE);
    let ready = |profile: &SeccompProfile| users(profile) == expected && held(profile) != expected.is_empty();
    wait::until(&server.profiles, profile, &format!("to be used by {expected:?}"), ready).await;
}

/// Deleted while a pod uses it, a profile stays on the node until the pod is gone.
async fn stays_for_its_pod(profile: &str, annotations: Value, extra: Value) {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    let namespace = namespace(&server).await;
    server.profile(profile).await;
    server.installed(profile).await;
    let pods = pod(&server.client, &namespace, "a", annotations, &extra).await;
    let user = format!("{namespace}/a");
    used_by(&server, profile, &[&user]).await;

    server.delete(profile).await;
    let message = server.message(profile, "Deleting").await;
    assert_eq!(message, format!("deleted as soon as no pod uses it any more: {user}"));
    let terminating = |profile: &SeccompProfile| {
        profile.status.as_ref().and_then(|status| status.status) == Some(ProfileState::Terminating)
    };
    wait::until(&server.profiles, profile, "to be Terminating", terminating).await;
    assert!(server.file(profile).exists());
    ends(&pods, "a").await;
    wait::until_gone(&server.profiles, profile).await;
    server.file_is(profile, false).await;
}

#[tokio::test]
async fn s8_a_profile_that_a_pod_uses_is_deleted_after_the_pod() {
    stays_for_its_pod("s8-pod", json!(null), json!({"securityContext": localhost("s8-pod")})).await;
}

#[tokio::test]
async fn s8_a_profile_that_a_container_uses_is_deleted_after_the_pod() {
    let containers = json!([{"name": "main", "image": "nginx", "securityContext": localhost("s8-container")}]);
    stays_for_its_pod("s8-container", json!(null), json!({"containers": containers})).await;
}

#[tokio::test]
async fn s8_a_profile_that_an_init_container_uses_is_deleted_after_the_pod() {
    let containers = json!([{"name": "init", "image": "nginx", "securityContext": localhost("s8-init")}]);
    stays_for_its_pod("s8-init", json!(null), json!({"initContainers": containers})).await;
}

#[tokio::test]
async fn s8_a_profile_that_the_legacy_annotation_names_is_deleted_after_the_pod() {
    let annotation = json!({"seccomp.security.alpha.kubernetes.io/pod": "localhost/operator/s8-annotation.json"});
    stays_for_its_pod("s8-annotation", annotation, json!({})).await;
}

#[tokio::test]
async fn w_op_28_a_pod_that_has_ended_does_not_hold_a_profile() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let namespace = namespace(&server).await;
    server.profile("ended").await;
    let pods = pod(&server.client, &namespace, "a", json!(null), &json!({"securityContext": localhost("ended")})).await;
    used_by(&server, "ended", &[&format!("{namespace}/a")]).await;
    let done = Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
    pods.patch_status("a", &PatchParams::default(), &done).await.unwrap();
    used_by(&server, "ended", &[]).await;
    ends(&pods, "a").await;
}

#[tokio::test]
async fn w_op_28_a_profile_that_is_made_after_its_pod_is_held_from_the_beginning() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let namespace = namespace(&server).await;
    let pods = pod(&server.client, &namespace, "a", json!(null), &json!({"securityContext": localhost("later")})).await;
    server.profile("later").await;
    used_by(&server, "later", &[&format!("{namespace}/a")]).await;
    ends(&pods, "a").await;
    used_by(&server, "later", &[]).await;
}

#[tokio::test]
async fn w_op_28_pods_that_went_while_no_manager_ran_hold_nothing() {
    let Some(server) = Server::take().await else { return };
    let first = manager(&server);
    let namespace = namespace(&server).await;
    server.profile("away").await;
    let pods = pod(&server.client, &namespace, "a", json!(null), &json!({"securityContext": localhost("away")})).await;
    used_by(&server, "away", &[&format!("{namespace}/a")]).await;
    first.terminate();
    ends(&pods, "a").await;
    let _second = manager(&server);
    used_by(&server, "away", &[]).await;
}

#[tokio::test]
async fn w_op_28_what_a_reference_operator_wrote_about_pods_that_are_gone_is_replaced() {
    let Some(server) = Server::take().await else { return };
    server.profile_with("old-use", &[finalizers::IN_USE]).await;
    let left = Patch::Merge(json!({"status": {"activeWorkloads": ["default/gone"]}}));
    server.profiles.patch_status("old-use", &PatchParams::default(), &left).await.unwrap();
    let _manager = manager(&server);
    used_by(&server, "old-use", &[]).await;
}

#[tokio::test]
async fn w_op_28_profiles_of_every_kind_are_held() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let namespace = namespace(&server).await;
    let context = json!({
        "seLinuxOptions": {"type": "every.process"},
        "appArmorProfile": {"type": "Localhost", "localhostProfile": "every"},
    });
    let pods = pod(&server.client, &namespace, "a", json!(null), &json!({"securityContext": context})).await;
    let all = [
        ("SelinuxProfile", json!({})),
        ("RawSelinuxProfile", json!({"policy": "(blockinherit container)"})),
        ("AppArmorProfile", json!({"abstract": {}})),
    ];
    for (kind, spec) in &all {
        let profiles = server.objects(kind);
        let object =
            json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": "every"}, "spec": spec});
        profiles.patch("every", &PatchParams::apply("tests").force(), &Patch::Apply(object)).await.unwrap();
        let held = wait::until(&profiles, "every", "to be held", |profile| {
            let status = &profile.data["status"];
            let told = status["conditions"].is_array() && status["activeWorkloads"].is_array();
            let listed = told || *kind == "AppArmorProfile";
            listed && profile.finalizers() == [finalizers::IN_USE]
        })
        .await;
        if *kind != "AppArmorProfile" {
            assert_eq!(held.data["status"]["activeWorkloads"], json!([format!("{namespace}/a")]), "{kind}");
            assert_eq!(held.data["status"]["usage"], "every.process", "{kind}");
        }
    }
    ends(&pods, "a").await;
    for (kind, _) in &all {
        let profiles = server.objects(kind);
        profiles.delete("every", &DeleteParams::default()).await.unwrap();
        wait::until_gone(&profiles, "every").await;
    }
}

#[tokio::test]
async fn s11_a_binding_lists_its_pods_and_is_deleted_after_the_last() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let namespace = namespace(&server).await;
    server.profile("s11").await;
    let bindings: Api<ProfileBinding> = Api::namespaced(server.client.clone(), &namespace);
    let binding = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "ProfileBinding", "metadata": {"name": "b"},
        "spec": {"profileRef": {"kind": "SeccompProfile", "name": "s11"}, "image": "nginx"}});
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let containers = json!([{"name": "main", "image": "nginx", "securityContext": localhost("s11")}]);
    let pods = pod(&server.client, &namespace, "a", json!(null), &json!({"containers": containers})).await;
    let user = format!("{namespace}/a");
    let bound = wait::until(&bindings, "b", "to be used", |binding| {
        binding.status.as_ref().and_then(|status| status.active_workloads.as_ref()).is_some()
    })
    .await;
    assert_eq!(bound.status.unwrap().active_workloads.unwrap(), [user.as_str()]);
    assert_eq!(bound.metadata.finalizers.unwrap(), ["active-workload-lock"]);
    used_by(&server, "s11", &[&user]).await;
    bindings.delete("b", &DeleteParams::default()).await.unwrap();
    assert!(bindings.get("b").await.unwrap().metadata.deletion_timestamp.is_some());
    ends(&pods, "a").await;
    wait::until_gone(&bindings, "b").await;
}

#[tokio::test]
async fn d2_nothing_is_held_when_the_operators_deployment_is_deleted() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let namespace = namespace(&server).await;
    server.profile("d2").await;
    let pods = pod(&server.client, &namespace, "a", json!(null), &json!({"securityContext": localhost("d2")})).await;
    used_by(&server, "d2", &[&format!("{namespace}/a")]).await;
    let deployments: Api<Deployment> = Api::namespaced(server.client.clone(), NAMESPACE);
    deployments.delete(NAMESPACE, &DeleteParams::default()).await.unwrap();
    wait::until(&server.profiles, "d2", "to be let go", |profile| profile.finalizers().is_empty()).await;
    server.delete("d2").await;
    wait::until_gone(&server.profiles, "d2").await;
    ends(&pods, "a").await;
}
