//! What is run in a pod carries the UID of the request.

use kube::api::{Patch, PatchParams};
use kube::client::Body;
use serde_json::json;

use crate::kubelet::Kubelet;
use crate::stage::{Stage, container, pod};

const VARIABLE: &str = "SPO_EXEC_REQUEST_UID";

#[tokio::test]
async fn e4_a_command_reaches_the_kubelet_with_the_uid_of_its_request() {
    let Some(stage) = Stage::set().await else { return };
    let kubelet = Kubelet::of_node(&stage).await;
    let mut running = pod("running", "nginx");
    running["spec"]["nodeName"] = kubelet.node().into();
    stage.create(running).await;
    let path = format!("/api/v1/namespaces/{}/pods/running/exec?command=sleep&command=5&stdout=true", stage.namespace);
    let request = hyper::Request::post(path).header("connection", "Upgrade").header("upgrade", "SPDY/3.1");
    let (asked, answered) =
        tokio::join!(kubelet.asked(), stage.server.client.send(request.body(Body::empty()).unwrap()));
    let uid = asked.split_once(&format!("command=env&command={VARIABLE}%3D")).map(|(_, rest)| &rest[..36]);
    let uid = uid.unwrap_or_else(|| panic!("{asked}, {answered:?}"));
    assert!(uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{asked}");
    assert!(asked.contains("command=sleep&command=5"), "{asked}");
}

#[tokio::test]
async fn e4_containers_that_debug_others_have_the_uid_in_their_environment() {
    let Some(stage) = Stage::set().await else { return };
    stage.create(pod("debugged", "nginx")).await;
    let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [{"name": "debugger", "image": "busybox"}]}}));
    let made = stage.pods.patch_subresource("ephemeralcontainers", "debugged", &PatchParams::default(), &patch).await;
    let made = serde_json::to_value(made.unwrap()).unwrap();
    assert_eq!(made["spec"]["ephemeralContainers"][0]["env"][0]["name"], VARIABLE);
    assert!(made["spec"]["containers"][0]["env"].is_null(), "{made}");

    let mut of_node = pod("node-debugger", "busybox");
    of_node["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "kubectl-debug"});
    assert_eq!(container(&stage.create(of_node).await)["env"][0]["name"], VARIABLE);
    assert!(container(&stage.create(pod("ordinary", "busybox")).await)["env"].is_null());
}
