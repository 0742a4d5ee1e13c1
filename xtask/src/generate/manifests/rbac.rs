//! Who may do what: exactly the verbs that the programs use, in the narrowest scope that holds them.

use serde_json::{Value, json};

use super::{APP, DAEMON, MANAGER, NAMESPACE, WEBHOOK_ACCOUNT, webhooks};

const GROUP: &str = spo_api::GROUP;
/// The kinds of profile.
const PROFILES: [&str; 4] = ["apparmorprofiles", "rawselinuxprofiles", "seccompprofiles", "selinuxprofiles"];

/// The roles of `spo-operator manager`.
pub(super) fn manager() -> Vec<Value> {
    let crds = spo_api::crds();
    let plurals: Vec<&str> = crds.iter().map(|crd| crd.spec.names.plural.as_str()).collect();
    let statuses: Vec<String> =
        PROFILES.iter().chain(&["profilebindings"]).map(|plural| format!("{plural}/status")).collect();
    let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
    let cluster = vec![
        // pods: which of them use a profile or a binding
        rule("", &["nodes", "pods"], &["list", "watch"]),
        // patch: label, annotation and finalizers
        rule(GROUP, &PROFILES, &["list", "patch", "watch"]),
        rule(GROUP, &["profilebindings"], &["list", "patch", "watch"]),
        rule(GROUP, &statuses, &["patch"]),
        // a profile that the configuration does not permit any more
        rule(GROUP, &["seccompprofiles"], &["delete"]),
        // delete: statuses of nodes that are gone
        rule(GROUP, &["securityprofilenodestatuses"], &["delete", "list", "watch"]),
        // objects that are stored in an old version are written once, unchanged, and the definition then says so
        rule(GROUP, &plurals, &["list", "patch"]),
        named("apiextensions.k8s.io", &["customresourcedefinitions/status"], &definitions(), &["patch"]),
        named("", &["namespaces"], &[NAMESPACE], &["list", "watch"]),
    ];
    let cluster = [cluster, consumers()].concat();
    let configuration = vec![
        rule(GROUP, &["securityprofilesoperatordaemons"], &["list", "watch"]),
        rule(GROUP, &["securityprofilesoperatordaemons/status"], &["patch"]),
        // what the configuration switches on there
        named("apps", &["daemonsets"], &[DAEMON], &["list", "patch", "watch"]),
    ];
    // The operator's own: once they are deleted, nothing is held any more.
    let own = vec![named("apps", &["deployments"], &[MANAGER], &["list", "watch"])];
    let namespaced = [configuration, own, lease("security-profiles-operator-lock"), certificates()].concat();
    // Profiles are cluster-scoped, and events about such objects are in the namespace `default`. patch: the same event again
    let events = vec![rule("events.k8s.io", &["events"], &["create", "patch"])];
    [
        in_cluster(MANAGER, MANAGER, cluster),
        in_namespace(MANAGER, NAMESPACE, MANAGER, namespaced),
        in_namespace("security-profiles-operator-events", "default", MANAGER, events),
    ]
    .concat()
}

/// The roles of `spo-operator webhook`.
pub(super) fn webhook() -> Vec<Value> {
    let cluster = vec![
        rule(GROUP, &["profilebindings", "profilerecordings"], &["list", "watch"]),
        rule(GROUP, &PROFILES, &["list", "watch"]),
        // about recordings, in their namespaces; patch: the same event again
        rule("events.k8s.io", &["events"], &["create", "patch"]),
    ];
    let cluster = [cluster, consumers()].concat();
    let configuration = vec![rule(GROUP, &["securityprofilesoperatordaemons"], &["list", "watch"])];
    let namespaced = [configuration, lease("security-profiles-operator-webhook-lock"), certificates()].concat();
    let account = WEBHOOK_ACCOUNT;
    [in_cluster(account, account, cluster), in_namespace(account, NAMESPACE, account, namespaced)].concat()
}

/// To lead by a lease.
fn lease(name: &str) -> Vec<Value> {
    let group = "coordination.k8s.io";
    vec![rule(group, &["leases"], &["create"]), named(group, &["leases"], &[name], &["get", "update"])]
}

/// To keep the certificates of webhooks and of metrics, and their authority.
fn certificates() -> Vec<Value> {
    let names = ["webhook-ca", "webhook-server-cert", super::metrics::SECRET];
    vec![rule("", &["secrets"], &["create"]), named("", &["secrets"], &names, &["list", "update", "watch"])]
}

/// To tell whoever calls webhooks which authority to trust. Definitions are found by their label, so their list is of all.
fn consumers() -> Vec<Value> {
    let (extensions, admission) = ("apiextensions.k8s.io", "admissionregistration.k8s.io");
    let verbs = ["list", "patch", "watch"];
    vec![
        rule(extensions, &["customresourcedefinitions"], &["list", "watch"]),
        named(extensions, &["customresourcedefinitions"], &definitions(), &["patch"]),
        named(admission, &["mutatingwebhookconfigurations"], &[webhooks::MUTATING, webhooks::EXEC], &verbs),
        named(admission, &["validatingwebhookconfigurations"], &[webhooks::VALIDATING], &verbs),
    ]
}

/// The roles of `spo-node daemon` and of its init container.
pub(super) fn daemon() -> Vec<Value> {
    let cluster = vec![
        // where the kubelet of this node keeps its files is a label of the node
        rule("", &["nodes"], &["get"]),
        rule(GROUP, &PROFILES, &["list", "watch"]),
        // delete: statuses that a reference operator's daemon left
        rule(GROUP, &["securityprofilenodestatuses"], &["create", "delete", "list", "patch", "watch"]),
        rule(GROUP, &["securityprofilenodestatuses/status"], &["patch"]),
        // whose token a reader of metrics has, and whether they may read
        rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
        rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
    ];
    // Profiles are cluster-scoped, and events about such objects are in the namespace `default`.
    let events = vec![rule("events.k8s.io", &["events"], &["create"])];
    let configuration = vec![rule(GROUP, &["securityprofilesoperatordaemons"], &["list", "watch"])];
    let namespaces = [
        in_namespace("spod-events", "default", DAEMON, events),
        in_namespace(DAEMON, NAMESPACE, DAEMON, configuration),
    ];
    [in_cluster(DAEMON, DAEMON, cluster), namespaces.concat()].concat()
}

fn definitions() -> Vec<String> {
    spo_api::crds().into_iter().filter_map(|crd| crd.metadata.name).collect()
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

fn named(group: &str, resources: &[&str], names: &[impl serde::Serialize], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "resourceNames": names, "verbs": verbs})
}

pub(super) fn in_cluster(name: &str, account: &str, rules: Vec<Value>) -> Vec<Value> {
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

fn in_namespace(name: &str, namespace: &str, account: &str, rules: Vec<Value>) -> Vec<Value> {
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
