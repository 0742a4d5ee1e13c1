//! Containers that debug others carry the UID of the request. What kubectl runs in pods, the tests on a cluster show.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::stage::{Stage, container, pod};

const VARIABLE: &str = "SPO_EXEC_REQUEST_UID";

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
