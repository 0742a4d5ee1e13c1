//! ProfileBindings: which pods each applies to, and what is written about that.
//!
//! A pod has what bindings gave it when it was created, so a binding applies to a pod of its namespace that it selects and a
//! container of which, of its image, is confined by its profile.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use serde::Deserialize;
use spo_api::binding::v1::ProfileBindingSpec;
use spo_api::{ProfileKey, finalizers};

use super::Object;
use super::hold::{self, Workloads};
use super::plan::{Action, Plan};
use super::pod::{Shape, Used};
use super::usage::PodId;

/// The image that stands for every image.
const ANY_IMAGE: &str = "*";

/// What is kept of a binding.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) resource_version: u64,
    deleting: bool,
    finalizers: Vec<String>,
    workloads: Workloads,
    /// What it is for. `None` if that cannot be understood: it applies to nothing then.
    target: Option<Target>,
    /// The pods that it applies to.
    pub(crate) users: BTreeSet<PodId>,
    /// When its status was last written by this process.
    pub(crate) written: Option<Duration>,
}

/// What a binding is for.
#[derive(Debug)]
struct Target {
    profile: Used,
    /// `None` for any.
    image: Option<Box<str>>,
    pods: Selector,
}

impl Binding {
    /// The record of an object, which applies to nobody yet.
    pub(crate) fn of(object: Object) -> Self {
        let meta = object.metadata;
        Self {
            resource_version: meta.resource_version.and_then(|text| text.parse().ok()).unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
            finalizers: meta.finalizers.unwrap_or_default(),
            workloads: Workloads::of(&object.status),
            target: target(&object.spec),
            users: BTreeSet::new(),
            written: None,
        }
    }

    /// Whether it applies to a pod.
    pub(crate) fn applies_to(&self, pod: &Shape) -> bool {
        let Some(target) = &self.target else { return false };
        target.pods.matches(&pod.labels) && pod.confines(target.image.as_deref(), &target.profile)
    }
}

fn target(spec: &serde_json::Value) -> Option<Target> {
    let spec = ProfileBindingSpec::deserialize(spec).ok()?;
    let key = ProfileKey { kind: spec.profile_ref.kind.into(), name: spec.profile_ref.name.parse().ok()? };
    let pods: LabelSelector = spec.pod_selector.unwrap_or_default();
    Some(Target {
        profile: Used::of(&key),
        image: (spec.image != ANY_IMAGE).then(|| spec.image.into_boxed_str()),
        pods: pods.try_into().ok()?,
    })
}

/// What has to be written about a binding.
pub(crate) fn plan(binding: &Binding, releasing: bool, now: Duration) -> Plan {
    let mut plan = Plan::default();
    let held = !releasing && !binding.users.is_empty();
    let keep = hold::finalizers(binding.finalizers.clone(), finalizers::BOUND, held, binding.deleting);
    let gone = binding.deleting && keep.is_empty();
    if keep != binding.finalizers {
        plan.actions.push(Action::Finalizers { keep, resource_version: binding.resource_version });
    }
    if !gone {
        hold::list(binding.workloads, Some(&binding.users), binding.written, now, &mut plan);
    }
    plan
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::pod;
    use super::*;

    fn binding(metadata: Value, image: &str, selector: Value) -> Binding {
        let profile = json!({"kind": "SeccompProfile", "name": "web"});
        let spec = json!({"profileRef": profile, "image": image, "podSelector": selector});
        Binding::of(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
    }

    fn shape(profile: &str) -> Shape {
        let pod = json!({
            "metadata": {"namespace": "web", "name": "a", "labels": {"app": "web"}},
            "spec": {"containers": [
                {"name": "main", "image": "nginx", "securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": profile}}},
                {"name": "side", "image": "proxy"},
            ]},
        });
        pod::read(&serde_json::from_value(pod).unwrap()).1.unwrap()
    }

    #[rstest]
    #[case::its_image("nginx", json!(null), "operator/web.json", true)]
    #[case::any_image("*", json!(null), "operator/web.json", true)]
    #[case::an_image_that_is_not_confined("proxy", json!(null), "operator/web.json", false)]
    #[case::another_profile("nginx", json!(null), "operator/db.json", false)]
    #[case::selected("nginx", json!({"matchLabels": {"app": "web"}}), "operator/web.json", true)]
    #[case::not_selected("nginx", json!({"matchLabels": {"app": "db"}}), "operator/web.json", false)]
    fn w_op_23_who_a_binding_applies_to_is_seen_from_pods(
        #[case] image: &str,
        #[case] selector: Value,
        #[case] profile: &str,
        #[case] applies: bool,
    ) {
        assert_eq!(binding(json!({}), image, selector).applies_to(&shape(profile)), applies);
    }

    #[test]
    fn s11_a_binding_that_applies_to_a_pod_is_held_and_lists_it() {
        let mut bound = binding(json!({"resourceVersion": "7"}), "nginx", json!(null));
        bound.users.insert("web/a".into());
        let expected = [
            Action::Finalizers { keep: vec!["active-workload-lock".into()], resource_version: 7 },
            Action::Workloads(vec!["web/a".into()]),
        ];
        assert_eq!(plan(&bound, false, Duration::ZERO).actions, expected);
    }

    #[test]
    fn a_binding_is_let_go_with_its_last_pod_or_when_the_operator_goes() {
        let metadata = json!({"resourceVersion": "7", "deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": ["active-workload-lock"]});
        let mut bound = binding(metadata, "nginx", json!(null));
        let free = [Action::Finalizers { keep: vec![], resource_version: 7 }];
        assert_eq!(plan(&bound, false, Duration::ZERO).actions, free);
        bound.users.insert("web/a".into());
        assert!(!plan(&bound, false, Duration::ZERO).actions.contains(&free[0]));
        assert_eq!(plan(&bound, true, Duration::ZERO).actions, free);
    }
}
