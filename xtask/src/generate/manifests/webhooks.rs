//! By what API servers call webhooks: a Service, and the configurations that say when.
//!
//! One Service has two ports. That of conversion leads to every pod that serves webhooks, the manager's among them; that of
//! admission is a name, which the pods of the webhook server alone have. So both are reached under one host name, for which a
//! certificate made for the reference operator is good too.

use serde_json::{Value, json};

use super::{APP, NAMESPACE, SERVICE};

/// The name of the webhook server's port of HTTPS.
pub(super) const PORT: &str = "webhook";
/// The label of pods that answer `/convert`.
pub(super) const SERVES: &str = "spo.x-k8s.io/serves-conversion";
/// The port of the Service that leads to admission.
const ADMISSION_PORT: u16 = 8443;

pub(super) const MUTATING: &str = "spo-mutating-webhook-configuration";
pub(super) const VALIDATING: &str = "spo-validating-webhook-configuration";
/// Apart from the others: without the enricher that reads it, what it adds to commands is only in the way.
pub(super) const EXEC: &str = "spo-exec-webhook-configuration";

/// What is applied after the operator, each with the comment at its top.
pub(super) fn manifests() -> Vec<(&'static str, &'static str, Vec<Value>)> {
    let about = "# Apply it when the webhook server is ready: from then on, pods of labelled namespaces are made only while it is.\n";
    let exec = "# Apply it together with the JSON enricher, which reads what it adds to commands.\n";
    vec![
        ("deploy/manifests/webhooks.yaml", about, vec![mutating(), validating()]),
        ("deploy/manifests/webhooks-exec.yaml", exec, vec![exec_metadata()]),
    ]
}

/// See the top of this file.
pub(super) fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE, "labels": {"app": APP}},
        "spec": {
            "selector": {"app": APP, SERVES: "true"},
            "ports": [
                {"name": "conversion", "port": 443, "targetPort": 9443, "protocol": "TCP"},
                {"name": "admission", "port": ADMISSION_PORT, "targetPort": PORT, "protocol": "TCP"},
            ],
        },
    })
}

/// Pods are bound and recorded in namespaces that ask for it by a label.
fn mutating() -> Value {
    let pods = |operations: &[&str]| rule("", &["v1"], &["pods"], operations, "Namespaced");
    let added = rule("", &["v1"], &["pods/ephemeralcontainers"], &["UPDATE"], "Namespaced");
    let mut binding = webhook("binding.spo.io", "/mutate-v1-pod-binding", "Fail", vec![pods(&["CREATE"]), added]);
    let mut recording =
        webhook("recording.spo.io", "/mutate-v1-pod-recording", "Fail", vec![pods(&["CREATE", "UPDATE"])]);
    recording["sideEffects"] = "NoneOnDryRun".into(); // it writes events about recordings
    for (webhook, label) in [(&mut binding, "enable-binding"), (&mut recording, "enable-recording")] {
        webhook["namespaceSelector"] =
            json!({"matchExpressions": [{"key": format!("spo.x-k8s.io/{label}"), "operator": "Exists"}]});
        webhook["objectSelector"] = json!({"matchExpressions": [{
            "key": "name",
            "operator": "NotIn",
            "values": ["security-profiles-operator", "security-profiles-operator-webhook"],
        }]});
    }
    configuration("MutatingWebhookConfiguration", MUTATING, vec![binding, recording])
}

fn validating() -> Value {
    let rules = vec![rule(
        spo_api::GROUP,
        &versions("rawselinuxprofiles"),
        &["rawselinuxprofiles"],
        &["CREATE", "UPDATE"],
        "Cluster",
    )];
    let raw = webhook("rawselinuxprofile-validation.spo.io", "/validate-rawselinuxprofile", "Fail", rules);
    // What is not well formed is refused before it reaches a node, which would say so too.
    let rules = ["apparmorprofiles", "seccompprofiles", "selinuxprofiles"]
        .map(|plural| rule(spo_api::GROUP, &versions(plural), &[plural], &["CREATE", "UPDATE"], "Cluster"));
    let others = webhook("profile-validation.spo.io", "/validate-profile", "Ignore", rules.into());
    configuration("ValidatingWebhookConfiguration", VALIDATING, vec![raw, others])
}

/// The request's id for commands that are run in containers, and for containers that are added to debug others.
fn exec_metadata() -> Value {
    let path = "/mutate-v1-exec-metadata";
    let connect = rule("", &["v1"], &["pods/exec"], &["CONNECT"], "Namespaced");
    let added = rule("", &["v1"], &["pods/ephemeralcontainers"], &["UPDATE"], "Namespaced");
    let exec = webhook("execmetadata.spo.io", path, "Ignore", vec![connect, added]);
    let pods = vec![rule("", &["v1"], &["pods"], &["CREATE"], "Namespaced")];
    let mut debugging = webhook("nodedebuggingpod.spo.io", path, "Ignore", pods);
    debugging["objectSelector"] = json!({"matchLabels": {"app.kubernetes.io/managed-by": "kubectl-debug"}});
    configuration("MutatingWebhookConfiguration", EXEC, vec![exec, debugging])
}

/// The bundle is filled in by the operator, as soon as there is one.
fn webhook(name: &str, path: &str, failure_policy: &str, rules: Vec<Value>) -> Value {
    json!({
        "name": name,
        "admissionReviewVersions": ["v1", "v1beta1"],
        "clientConfig": {
            "service": {"name": SERVICE, "namespace": NAMESPACE, "path": path, "port": ADMISSION_PORT},
        },
        "failurePolicy": failure_policy,
        "rules": rules,
        "sideEffects": "None",
        "timeoutSeconds": 5,
    })
}

/// The versions in which objects of a kind are served.
fn versions(plural: &str) -> Vec<String> {
    let crds = spo_api::crds().into_iter().filter(|crd| crd.spec.names.plural == plural);
    crds.flat_map(|crd| crd.spec.versions).map(|version| version.name).collect()
}

fn rule(
    group: &str,
    versions: &[impl serde::Serialize],
    resources: &[&str],
    operations: &[&str],
    scope: &str,
) -> Value {
    json!({
        "apiGroups": [group],
        "apiVersions": versions,
        "resources": resources,
        "operations": operations,
        "scope": scope,
    })
}

fn configuration(kind: &str, name: &str, webhooks: Vec<Value>) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app": APP}},
        "webhooks": webhooks,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn webhooks() -> BTreeMap<String, Value> {
        let objects = manifests().into_iter().flat_map(|(_, _, objects)| objects);
        let all = objects.flat_map(|object| object["webhooks"].as_array().unwrap().clone());
        all.map(|webhook| (webhook["name"].as_str().unwrap().to_owned(), webhook)).collect()
    }

    #[test]
    fn w_op_26_every_webhook_of_the_reference_is_in_the_static_manifests_and_one_more() {
        let of = |webhook: &Value| {
            let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap().to_owned();
            (path, webhook["failurePolicy"].as_str().unwrap().to_owned())
        };
        let found: Vec<_> = webhooks().iter().map(|(name, webhook)| (name.clone(), of(webhook))).collect();
        let expected = [
            ("binding.spo.io", "/mutate-v1-pod-binding", "Fail"),
            ("execmetadata.spo.io", "/mutate-v1-exec-metadata", "Ignore"),
            ("nodedebuggingpod.spo.io", "/mutate-v1-exec-metadata", "Ignore"),
            ("profile-validation.spo.io", "/validate-profile", "Ignore"),
            ("rawselinuxprofile-validation.spo.io", "/validate-rawselinuxprofile", "Fail"),
            ("recording.spo.io", "/mutate-v1-pod-recording", "Fail"),
        ];
        let expected = expected.map(|(name, path, policy)| (name.to_owned(), (path.to_owned(), policy.to_owned())));
        assert_eq!(found, expected);
    }

    #[test]
    fn w_op_26_both_versions_of_reviews_are_offered_and_only_recording_writes_something() {
        for (name, webhook) in webhooks() {
            assert_eq!(webhook["admissionReviewVersions"], json!(["v1", "v1beta1"]), "{name}");
            let expected = if name == "recording.spo.io" { "NoneOnDryRun" } else { "None" };
            assert_eq!(webhook["sideEffects"], expected, "{name}");
        }
    }

    /// What fails while the webhook server is away is limited to namespaces that asked for it, and to one kind of profile.
    #[test]
    fn a_webhook_that_may_hold_up_pods_is_for_labelled_namespaces_and_never_for_the_operators_pods() {
        for (name, webhook) in webhooks() {
            let of_pods = webhook["rules"].to_string().contains("pods");
            if webhook["failurePolicy"] == "Fail" && of_pods {
                assert_eq!(webhook["namespaceSelector"]["matchExpressions"][0]["operator"], "Exists", "{name}");
                assert_eq!(webhook["objectSelector"]["matchExpressions"][0]["operator"], "NotIn", "{name}");
            }
            assert!(!webhook["rules"].to_string().contains("DELETE"), "{name} holds up deletions");
        }
    }
}
