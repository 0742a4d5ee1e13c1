//! Who may do what: exactly the verbs that the programs use, in the narrowest scope that holds them.

use serde_json::{Value, json};

use super::{APP, DAEMON, MANAGER, NAMESPACE};

const GROUP: &str = spo_api::GROUP;

/// The roles of `spo-operator manager`.
pub(super) fn manager() -> Vec<Value> {
    let crds = spo_api::crds();
    let plurals: Vec<&str> = crds.iter().map(|crd| crd.spec.names.plural.as_str()).collect();
    let definitions: Vec<Option<&str>> = crds.iter().map(|crd| crd.metadata.name.as_deref()).collect();
    let cluster = json!([
        rule("", &["nodes"], &["list", "watch"]),
        // patch: the label profile-id, and taking away finalizers that a reference operator left
        rule(GROUP, &["seccompprofiles"], &["list", "patch", "watch"]),
        rule(GROUP, &["seccompprofiles/status"], &["patch"]),
        // delete: statuses of nodes that are gone
        rule(GROUP, &["securityprofilenodestatuses"], &["delete", "list", "watch"]),
        // objects that are stored in an old version are written once, unchanged, and the definition then says so
        rule(GROUP, &plurals, &["list", "patch"]),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &["list", "watch"]),
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions/status"],
            "resourceNames": definitions,
            "verbs": ["patch"],
        },
    ]);
    let namespaced = json!([
        rule("", &["pods"], &["list", "watch"]),
        rule("coordination.k8s.io", &["leases"], &["create"]),
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["security-profiles-operator-lock"],
            "verbs": ["get", "update"],
        },
    ]);
    [in_cluster(MANAGER, MANAGER, cluster), in_namespace(MANAGER, NAMESPACE, MANAGER, namespaced)].concat()
}

/// The roles of `spo-node daemon` and of its init container.
pub(super) fn daemon() -> Vec<Value> {
    let cluster = json!([
        // where the kubelet of this node keeps its files is a label of the node
        rule("", &["nodes"], &["get"]),
        rule(GROUP, &["seccompprofiles"], &["list", "watch"]),
        // delete: statuses that a reference operator's daemon left
        rule(GROUP, &["securityprofilenodestatuses"], &["create", "delete", "list", "patch", "watch"]),
        rule(GROUP, &["securityprofilenodestatuses/status"], &["patch"]),
    ]);
    // Profiles are cluster-scoped, and events about such objects are in the namespace `default`.
    let events = json!([rule("events.k8s.io", &["events"], &["create"])]);
    [in_cluster(DAEMON, DAEMON, cluster), in_namespace("spod-events", "default", DAEMON, events)].concat()
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

fn in_cluster(name: &str, account: &str, rules: Value) -> Vec<Value> {
    let metadata = json!({"name": name, "labels": {"app": APP}});
    vec![
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
        }),
    ]
}

fn in_namespace(name: &str, namespace: &str, account: &str, rules: Value) -> Vec<Value> {
    let metadata = json!({"name": name, "namespace": namespace, "labels": {"app": APP}});
    vec![
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
        }),
    ]
}
