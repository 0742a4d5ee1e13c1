//! Admission on a cluster: what becomes of pods that a kubelet starts, and of commands that kubectl runs.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::json;
use spo_api::{GROUP, Kind};
use spo_tests::cluster::{Cluster, NODE};
use spo_tests::{manifest, ns, operator, profile, wait};

const NO_MKDIR: &str = "
defaultAction: SCMP_ACT_ALLOW
syscalls:
- {names: [mkdir, mkdirat], action: SCMP_ACT_ERRNO}
";

/// Tries what the profile forbids, then stays for a while.
const SCRIPT: &str = "mkdir /tmp/d 2>&1 && echo mkdir worked; grep Seccomp: /proc/self/status; echo end; sleep 600";

/// A pod that says nothing of seccomp, running.
async fn running(cluster: &Cluster, namespace: &str, name: &str) -> Pod {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let pod = json!({
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "main",
                "image": cluster.busybox,
                "imagePullPolicy": "Never",
                "command": ["/bin/sh", "-c", SCRIPT],
            }],
        },
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    wait::until(&pods, name, "to run", |pod| {
        pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
    })
    .await
}

async fn log(cluster: &Cluster, namespace: &str, name: &str) -> String {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    for _ in 0..300 {
        let log = pods.logs(name, &kube::api::LogParams::default()).await.unwrap_or_default();
        if log.ends_with("end\n") {
            return log;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{name} has not said its last word");
}

async fn label(client: &Client, namespace: &str, label: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let patch = Patch::Merge(json!({"metadata": {"labels": {label: ""}}}));
    namespaces.patch(namespace, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn s11_a_pod_runs_confined_by_the_profile_that_is_bound_to_its_image() {
    let Some(cluster) = operator::cluster_with_webhooks().await else { return };
    let made = profile::create(&cluster, &profile::of("bound", NO_MKDIR)).await;
    profile::installed(&cluster, &made).await;
    profile::ready(&cluster, &made).await;
    let namespace = ns::create(&cluster.client).await;
    label(&cluster.client, &namespace, "spo.x-k8s.io/enable-binding").await;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", Kind::ProfileBinding.as_str()));
    let bindings: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &namespace, &resource);
    let binding = DynamicObject::new("bound", &resource)
        .data(json!({"spec": {"profileRef": {"kind": "SeccompProfile", "name": "bound"}, "image": cluster.busybox}}));
    bindings.create(&PostParams::default(), &binding).await.unwrap();

    let pod = running(&cluster, &namespace, "web").await;
    let context = pod.spec.unwrap().containers[0].security_context.clone().unwrap();
    assert_eq!(context.seccomp_profile.unwrap().localhost_profile.as_deref(), Some("operator/bound.json"));
    let log = log(&cluster, &namespace, "web").await;
    assert_eq!(log, "mkdir: can't create directory '/tmp/d': Operation not permitted\nSeccomp:\t2\nend\n");
    ns::delete(&cluster.client, &namespace).await;
}

#[tokio::test]
async fn x10_a_namespace_without_the_label_is_left_alone() {
    let Some(cluster) = operator::cluster_with_webhooks().await else { return };
    let namespace = ns::create(&cluster.client).await;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", Kind::ProfileBinding.as_str()));
    let bindings: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &namespace, &resource);
    let binding = DynamicObject::new("any", &resource)
        .data(json!({"spec": {"profileRef": {"kind": "SeccompProfile", "name": "any"}, "image": "*"}}));
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    running(&cluster, &namespace, "web").await;
    assert!(log(&cluster, &namespace, "web").await.starts_with("mkdir worked\n"));
    ns::delete(&cluster.client, &namespace).await;
}

#[tokio::test]
async fn e4_kubectl_exec_and_kubectl_debug_carry_the_id_of_their_request() {
    let Some(cluster) = operator::cluster_with_webhooks().await else { return };
    let namespace = ns::create(&cluster.client).await;
    running(&cluster, &namespace, "web").await;
    let said = cluster.kubectl(&["exec", "--namespace", &namespace, "web", "--", "env"]);
    assert_eq!(ids(&said).len(), 1, "{said}");
    let again = cluster.kubectl(&["exec", "--namespace", &namespace, "web", "--", "env"]);
    assert_ne!(ids(&said), ids(&again));

    // In the pod, by an ephemeral container, whose environment shows in the object.
    let image = format!("--image={}", cluster.busybox);
    let debug = ["debug", "--namespace", &namespace, "web", &image, "--image-pull-policy=Never", "--", "env"];
    let _ = cluster.kubectl(&debug);
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &namespace);
    let pod = pods.get("web").await.unwrap().spec.unwrap();
    let environment = pod.ephemeral_containers.unwrap()[0].env.clone().unwrap_or_default();
    assert_eq!(environment[0].name, VARIABLE);
    assert!(pod.containers[0].env.is_none(), "W-OP-36: the container that runs is left alone");

    // On the node, by a pod of its own.
    let node = format!("node/{NODE}");
    let debug = ["debug", "--namespace", &namespace, &node, &image, "--image-pull-policy=Never", "--", "env"];
    let _ = cluster.kubectl(&debug);
    let debuggers: Vec<Pod> = pods.list(&kube::api::ListParams::default()).await.unwrap().items;
    let of_node = debuggers.into_iter().find(|pod| pod.metadata.name.as_deref() != Some("web")).unwrap();
    let environment = of_node.spec.unwrap().containers[0].env.clone().unwrap_or_default();
    assert!(environment.iter().any(|variable| variable.name == VARIABLE), "{environment:?}");
    ns::delete(&cluster.client, &namespace).await;
}

const VARIABLE: &str = "SPO_EXEC_REQUEST_UID";

/// The ids in what `env` says.
fn ids(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.strip_prefix(VARIABLE)?.strip_prefix('=')).collect()
}

#[tokio::test]
async fn c8_conversion_is_answered_through_the_service() {
    let Some(cluster) = operator::cluster_with_webhooks().await else { return };
    let kind = Kind::SeccompProfile;
    let text = manifest::text("spo-api/tests/data/examples/seccompprofile-v1beta1.yaml").unwrap();
    let mut old: DynamicObject = manifest::objects(&text).unwrap().remove(0);
    old.metadata.name = Some("converted".to_owned());
    let resource = |version: &str| ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, version, kind.as_str()));
    let in_old: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource(kind.old_version()));
    let made = wait::until_ok("conversion", async || in_old.create(&PostParams::default(), &old).await).await;
    let in_v1: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource("v1"));
    let read = in_v1.get("converted").await.unwrap();
    assert_eq!(read.data["spec"]["defaultAction"], made.data["spec"]["defaultAction"]);
    profile::delete(&cluster, "converted").await;
}
