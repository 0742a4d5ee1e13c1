//! What runs: the Deployments of the manager and of the webhook server, and the DaemonSet of the node side.

use serde_json::{Value, json};

use super::{APP, DAEMON, IMAGE, MANAGER, NAMESPACE, WEBHOOK, WEBHOOK_ACCOUNT, metrics, webhooks};

/// Where the kubelet keeps its files, unless a label of the node says otherwise.
const KUBELET_DIR: &str = "/var/lib/kubelet";
/// Where profiles are on the host; `<kubelet>/seccomp/operator` is a link to it.
const PROFILES: &str = "/var/lib/security-profiles-operator";

/// `spo-operator manager`. Three of them, one of which leads. Each answers `/convert`, so that the configuration can be read whatever
/// version it is stored in, and while the webhook server is not there.
pub(super) fn manager() -> Value {
    let mut container = container(MANAGER, "manager", "conversion");
    // A review of 64 MiB takes twice that.
    container["resources"] = json!({"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}});
    deployment(MANAGER, MANAGER, container)
}

/// `spo-operator webhook`. Three of them, each of which answers.
pub(super) fn webhook() -> Value {
    let mut container = container(WEBHOOK, "webhook", webhooks::PORT);
    container["resources"] = json!({"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "192Mi"}});
    deployment(WEBHOOK, WEBHOOK_ACCOUNT, container)
}

fn deployment(name: &str, account: &str, container: Value) -> Value {
    let labels = json!({"app": APP, "name": name});
    let serving = json!({"app": APP, "name": name, webhooks::SERVES: "true"});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": APP}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": serving, "annotations": {"openshift.io/scc": "restricted-v2"}},
                "spec": {
                    "serviceAccountName": account,
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "priorityClassName": "system-cluster-critical",
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "tolerations": tolerations(),
                    "containers": [container],
                },
            },
        },
    })
}

/// One that serves webhooks; `port` is what its port of HTTPS is called.
fn container(name: &str, command: &str, port: &str) -> Value {
    json!({
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["spo-operator", command],
        "env": [
            field("OPERATOR_NAMESPACE", "metadata.namespace"),
            field("POD_NAME", "metadata.name"),
        ],
        "ports": [
            {"name": "health", "containerPort": 8081, "protocol": "TCP"},
            {"name": port, "containerPort": 9443, "protocol": "TCP"},
        ],
        // Until every node has heard that this pod is going, requests still come.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "livenessProbe": probe("/healthz", "health", 10),
        "readinessProbe": probe("/readyz", "health", 3),
        "securityContext": unprivileged(),
    })
}

/// `spo-node daemon` on every node, after `spo-node non-root-enabler` has given it its folder.
pub(super) fn daemon_set() -> Value {
    let labels = json!({"app": APP, "name": DAEMON});
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": DAEMON, "namespace": NAMESPACE, "labels": {"app": APP}},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"labels": labels, "annotations": {"openshift.io/scc": "privileged"}},
                "spec": {
                    "serviceAccountName": DAEMON,
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "priorityClassName": "system-node-critical",
                    "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "tolerations": tolerations(),
                    "initContainers": [non_root_enabler()],
                    "containers": [daemon()],
                    "volumes": [
                        {"name": "host", "hostPath": {"path": "/", "type": "Directory"}},
                        {"name": "profiles", "hostPath": {"path": PROFILES, "type": "DirectoryOrCreate"}},
                        // made by the operator, or by whoever keeps certificates in the cluster; profiles do not wait for it
                        {"name": "metrics-certificate", "secret": {"secretName": metrics::SECRET, "optional": true}},
                    ],
                },
            },
        },
    })
}

/// Makes the folders of the host and gives them to the daemon's user, which is why the daemon itself needs no privilege.
///
/// It sees the whole host: where the kubelet's folder is, a label of the node may say, and a mount is written down before it can be
/// asked for.
fn non_root_enabler() -> Value {
    json!({
        "name": "non-root-enabler",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["spo-node", "non-root-enabler", "--root=/host"],
        "env": [field("NODE_NAME", "spec.nodeName"), {"name": "KUBELET_DIR", "value": KUBELET_DIR}],
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
        "resources": {"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]},
            // on a node with SELinux, no narrower type may write below /var/lib of the host
            "seLinuxOptions": {"type": "spc_t"},
        },
    })
}

fn daemon() -> Value {
    let mut context = unprivileged();
    context["seLinuxOptions"] = json!({"type": "spc_t"});
    json!({
        "name": "security-profiles-operator",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["spo-node", "daemon"],
        "env": [
            field("NODE_NAME", "spec.nodeName"),
            field("OPERATOR_NAMESPACE", "metadata.namespace"),
            field("POD_NAME", "metadata.name"),
            {"name": "KUBELET_DIR", "value": KUBELET_DIR},
            {"name": "SPOD_NAME", "value": DAEMON},
        ],
        "ports": [
            {"name": "liveness-port", "containerPort": 8085, "protocol": "TCP"},
            {"name": "metrics", "containerPort": metrics::PORT, "protocol": "TCP"},
        ],
        "startupProbe": {
            "httpGet": {"path": "/healthz", "port": "liveness-port"},
            "failureThreshold": 10,
            "periodSeconds": 3,
            "timeoutSeconds": 1,
        },
        "livenessProbe": probe("/healthz", "liveness-port", 10),
        "readinessProbe": probe("/readyz", "liveness-port", 3),
        "volumeMounts": [
            {"name": "profiles", "mountPath": format!("{KUBELET_DIR}/seccomp/operator")},
            {"name": "metrics-certificate", "mountPath": metrics::FOLDER, "readOnly": true},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": context,
    })
}

fn unprivileged() -> Value {
    json!({
        "runAsUser": 65535,
        "runAsGroup": 65535,
        "runAsNonRoot": true,
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

fn probe(path: &str, port: &str, period_seconds: u8) -> Value {
    json!({"httpGet": {"path": path, "port": port}, "periodSeconds": period_seconds, "failureThreshold": 3, "timeoutSeconds": 3})
}

fn field(name: &str, path: &str) -> Value {
    json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}})
}

fn tolerations() -> Value {
    json!([
        {"key": "node-role.kubernetes.io/master", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    ])
}
