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

/// Runs a script in a pod, confined by a seccomp profile of the node, to its end.
///
/// # Panics
/// If the pod cannot be made, or does not end.
pub async fn run(cluster: &Cluster, namespace: &str, name: &str, localhost_profile: &str, script: &str) -> Ended {
    let mut pod = of(cluster, name, script);
    container(&mut pod)["securityContext"] = seccomp(localhost_profile);
    to_end(cluster, namespace, pod).await
}

/// The security context of a container that is confined by a seccomp profile of the node.
#[must_use]
pub fn seccomp(localhost_profile: &str) -> Value {
    json!({"seccompProfile": {"type": "Localhost", "localhostProfile": localhost_profile}})
}

/// Makes a pod, and waits until it has ended.
///
/// # Panics
/// If the pod cannot be made, or does not end.
pub async fn to_end(cluster: &Cluster, namespace: &str, pod: Value) -> Ended {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let pod: Pod = serde_json::from_value(pod).expect("a pod");
    let name = pod.metadata.name.clone().expect("a pod with a name");
    pods.create(&PostParams::default(), &pod).await.expect("a pod can be made");
    let pod = wait::until(&pods, &name, "to end", |pod| matches!(phase(pod), "Succeeded" | "Failed")).await;
    let log = pods.logs(&name, &LogParams::default()).await.expect("the pod has a log");
    Ended { phase: phase(&pod).to_owned(), log }
}

/// The only container of a pod made by [`of`].
pub fn container(pod: &mut Value) -> &mut Value {
    &mut pod["spec"]["containers"][0]
}

/// Has the pod run on this node.
pub fn on_node(pod: &mut Value, node: &str) {
    pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Runs a script on a node itself: as root, among its processes and files, with its programs.
///
/// # Panics
/// If the pod that does so cannot be made, or does not end.
pub async fn on_host(cluster: &Cluster, namespace: &str, name: &str, node: &str, script: &str) -> Ended {
    let mut pod = of(cluster, name, "");
    on_node(&mut pod, node);
    pod["spec"]["hostPID"] = true.into();
    pod["spec"]["hostNetwork"] = true.into();
    pod["spec"]["volumes"] = json!([{"name": "host", "hostPath": {"path": "/"}}]);
    let container = container(&mut pod);
    container["securityContext"] = json!({"privileged": true});
    container["volumeMounts"] = json!([{"name": "host", "mountPath": "/host"}]);
    container["env"] =
        json!([{"name": "PATH", "value": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}]);
    container["command"] = json!(["chroot", "/host", "/bin/sh", "-c", script]);
    to_end(cluster, namespace, pod).await
}

/// A pod that runs a script once, in a container that nothing confines but what the container runtime does by itself.
#[must_use]
pub fn of(cluster: &Cluster, name: &str, script: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "main",
                "image": cluster.busybox,
                "imagePullPolicy": "Never",
                "command": ["/bin/sh", "-c", script],
            }],
        },
    })
}
