//! Workloads: pods of one container that run a shell script once.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{LogParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::wait;

/// How a pod ended.
#[derive(Debug)]
pub struct Ended {
    /// `Succeeded` or `Failed`.
    pub phase: String,
    /// What it printed.
    pub log: String,
}

/// Runs a script in a pod, confined by a profile of the node, to its end.
///
/// # Panics
/// If the pod cannot be made, or does not end.
pub async fn run(cluster: &Cluster, namespace: &str, name: &str, localhost_profile: &str, script: &str) -> Ended {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let pod = serde_json::from_value(pod(&cluster.busybox, name, localhost_profile, script)).expect("a pod");
    pods.create(&PostParams::default(), &pod).await.expect("a pod can be made");
    let pod = wait::until(&pods, name, "to end", |pod| matches!(phase(pod), "Succeeded" | "Failed")).await;
    let log = pods.logs(name, &LogParams::default()).await.expect("the pod has a log");
    Ended { phase: phase(&pod).to_owned(), log }
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn pod(image: &str, name: &str, localhost_profile: &str, script: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "main",
                "image": image,
                "imagePullPolicy": "Never",
                "command": ["/bin/sh", "-c", script],
                "securityContext": {
                    "seccompProfile": {"type": "Localhost", "localhostProfile": localhost_profile},
                },
            }],
        },
    })
}
