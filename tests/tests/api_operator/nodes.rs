//! Nodes that are gone, or whose daemon is not well.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use spo_api::{GROUP, labels};
use spo_tests::{manifest, wait};

use spo_tests::api::process::{both, daemon_with_taint, manager};
use spo_tests::api::server::{NAMESPACE, NODE, Server};

/// Makes the status that a daemon on `node` would have made, in the reference operator's form.
async fn reported_by(server: &Server, node: &str, profile: &str, uid: Option<String>) -> String {
    let name = labels::legacy_node_status_name(profile, node);
    let status = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "SecurityProfileNodeStatus",
        "metadata": {
            "name": name,
            "labels": {labels::NODE_NAME: node, labels::PROFILE_ID: format!("SeccompProfile-{profile}")},
            "ownerReferences": [{"apiVersion": format!("{GROUP}/v1"), "kind": "SeccompProfile", "name": profile,
                "uid": uid, "controller": true}],
        },
        "spec": {"nodeName": node},
    });
    server.statuses.create(&PostParams::default(), &serde_json::from_value(status).unwrap()).await.unwrap();
    let installed = Patch::Merge(json!({"status": {"status": "Installed"}}));
    server.statuses.patch_status(&name, &PatchParams::default(), &installed).await.unwrap();
    name
}

#[tokio::test]
async fn s7_a_finalizer_and_a_status_of_a_node_that_never_was_do_not_keep_a_profile() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    let profile = server.profile_with("s7", &["ghost-deleted"]).await;
    let ghost = reported_by(&server, "ghost", "s7", profile.uid()).await;
    server.file_is("s7", true).await;
    server.delete("s7").await;
    wait::until_gone(&server.profiles, "s7").await;
    wait::until_gone(&server.statuses, &ghost).await;
    server.file_is("s7", false).await;
}

#[tokio::test]
async fn what_a_deleted_node_said_goes_with_it() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    server.node("leaving").await;
    let profile = server.profile("left").await;
    let status = reported_by(&server, "leaving", "left", profile.uid()).await;
    server.installed("left").await;
    let nodes: Api<Node> = Api::all(server.client.clone());
    nodes.delete("leaving", &DeleteParams::default()).await.unwrap();
    wait::until_gone(&server.statuses, &status).await;
}

/// There is no garbage collector here, as there may be none to see the deletion elsewhere.
#[tokio::test]
async fn what_a_node_said_of_a_profile_that_is_deleted_goes_though_nobody_collects_it() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    server.profile("uncollected").await;
    server.installed("uncollected").await;
    let of_it = ListParams::default().labels(&format!("{}=SeccompProfile-uncollected", labels::PROFILE_ID));
    let [status] = &server.statuses.list(&of_it).await.unwrap().items[..] else { panic!("one node reports") };
    server.delete("uncollected").await;
    wait::until_gone(&server.statuses, &status.name_any()).await;
}

#[tokio::test]
async fn w_op_17_a_daemon_that_is_not_ready_is_named_and_keeps_nobody_from_the_others() {
    let Some(server) = Server::take().await else { return };
    server.node("broken").await;
    daemon_pod(&server, NODE, true).await;
    daemon_pod(&server, "broken", false).await;
    let _running = both(&server);
    server.profile("partly").await;
    let profile = server.installed("partly").await;
    let message = profile.status.unwrap().conditions.unwrap().remove(0).message;
    assert_eq!(message, "no report from broken, where the daemon is not ready");
    forget_daemon_pods(&server).await;
}

#[tokio::test]
async fn w_op_17_a_ready_daemon_that_says_nothing_is_waited_for() {
    let Some(server) = Server::take().await else { return };
    daemon_pod(&server, NODE, true).await;
    let _manager = manager(&server);
    server.profile("waiting").await;
    assert_eq!(server.message("waiting", "Creating").await, "waiting for 1 of 1 nodes: node1");
    forget_daemon_pods(&server).await;
}

/// Makes what the DaemonSet controller and the kubelet would make of a daemon's pod.
async fn daemon_pod(server: &Server, node: &str, ready: bool) {
    let pods: Api<Pod> = Api::namespaced(server.client.clone(), NAMESPACE);
    let name = format!("spod-{node}");
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": "security-profiles-operator", "name": "spod"}},
        "spec": {"nodeName": node, "containers": [{"name": "daemon", "image": "none"}], "terminationGracePeriodSeconds": 0},
    });
    let pod = pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    let ready = if ready { "True" } else { "False" };
    let status = Patch::Merge(json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}}));
    pods.patch_status(&pod.name_any(), &PatchParams::default(), &status).await.unwrap();
}

async fn forget_daemon_pods(server: &Server) {
    let pods: Api<Pod> = Api::namespaced(server.client.clone(), NAMESPACE);
    let at_once = DeleteParams::default().grace_period(0);
    for node in [NODE, "broken"] {
        _ = pods.delete(&format!("spod-{node}"), &at_once).await;
    }
}

#[tokio::test]
async fn a_startup_taint_goes_once_the_node_has_its_profiles_and_others_stay() {
    let Some(server) = Server::take().await else { return };
    let taint = "security-profiles-operator.x-k8s.io/startup";
    manifest::apply(&server.client, &manifest::text("deploy/startup-taint.yaml").unwrap()).await.unwrap();
    let nodes: Api<Node> = Api::all(server.client.clone());
    let taints = json!([{"key": taint, "effect": "NoSchedule"}, {"key": "other", "effect": "NoSchedule"}]);
    nodes.patch(NODE, &PatchParams::default(), &Patch::Merge(json!({"spec": {"taints": taints}}))).await.unwrap();
    server.profile("first").await;
    let _daemon = daemon_with_taint(&server, taint);
    let keys = |node: &Node| -> Vec<String> {
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone());
        taints.into_iter().flatten().map(|taint| taint.key).collect()
    };
    let node = wait::until(&nodes, NODE, "to lose its taint", |node| !keys(node).contains(&taint.to_owned())).await;
    assert_eq!(keys(&node), ["other"]);
    assert!(server.file("first").exists(), "the profile came first");
    nodes.patch(NODE, &PatchParams::default(), &Patch::Merge(json!({"spec": {"taints": null}}))).await.unwrap();
}
