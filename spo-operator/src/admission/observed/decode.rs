//! Objects as they come from the API server, made into the records that are kept.
//!
//! Their spec is read as plain JSON first: one that does not fit its schema blinds nobody for the others.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use spo_api::recording::v1::{RecordedKind, Recorder};
use spo_api::{ProfileKey, ProfileKind, ProfileName, ProfileState};

use crate::watch::Slim;

/// An object of which the spec counts.
pub(crate) type Specified = Slim<Value, IgnoredAny>;
/// A profile: its status counts, and on which others it builds.
pub(crate) type Reported = Slim<Base, Value>;

/// The part of a profile's spec that is kept. Only a SelinuxProfile has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Base {
    #[serde(default)]
    inherit: Value,
}

/// What is kept of a ProfileBinding.
#[derive(Debug)]
pub(crate) struct Binding {
    /// What it names, or the text that names no profile.
    pub(crate) profile: Result<ProfileKey, Box<str>>,
    pub(crate) image: Box<str>,
    /// The pods that it is for. `None` for a selector that is none.
    pub(crate) pods: Option<Selector>,
    /// When it was first seen.
    pub(crate) since: Duration,
}

/// What is kept of a ProfileRecording.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) uid: Box<str>,
    pub(crate) kind: RecordedKind,
    pub(crate) recorder: Recorder,
    /// The pods that it is for. `None` for no selector, which selects nothing, and for one that is none.
    pub(crate) pods: Option<Selector>,
    /// The containers to record. `None` for all of them.
    pub(crate) containers: Option<Box<[Box<str>]>>,
}

/// What is kept of a profile.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// `None` until somebody has said how far it has come.
    pub(crate) state: Option<ProfileState>,
    /// The SelinuxProfiles that it builds on.
    pub(crate) inherits: Box<[ProfileName]>,
    /// When it was first seen.
    pub(crate) since: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BindingSpec {
    profile_ref: ProfileRef,
    image: String,
    pod_selector: Option<Value>,
}

#[derive(Deserialize)]
struct ProfileRef {
    kind: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordingSpec {
    kind: RecordedKind,
    recorder: Recorder,
    pod_selector: Option<Value>,
    containers: Option<Vec<Box<str>>>,
}

/// The record of a binding. `None` for one that cannot be read.
pub(super) fn binding(object: Specified, before: Option<&Binding>, now: Duration) -> Option<Binding> {
    let spec: BindingSpec = spec("ProfileBinding", object)?;
    let key = |reference: &ProfileRef| {
        Some(ProfileKey { kind: ProfileKind::from_kind(&reference.kind)?, name: reference.name.parse().ok()? })
    };
    let unknown = |reference: &ProfileRef| format!("{} {}", reference.kind, reference.name).into();
    Some(Binding {
        profile: key(&spec.profile_ref).ok_or_else(|| unknown(&spec.profile_ref)),
        image: spec.image.into(),
        pods: spec.pod_selector.map_or_else(|| Some(Selector::default()), selector),
        since: before.map_or(now, |before| before.since),
    })
}

/// The record of a recording. `None` for one that cannot be read.
pub(super) fn recording(object: Specified) -> Option<Recording> {
    let uid = object.metadata.uid.clone().unwrap_or_default().into();
    let spec: RecordingSpec = spec("ProfileRecording", object)?;
    Some(Recording {
        uid,
        kind: spec.kind,
        recorder: spec.recorder,
        pods: spec.pod_selector.and_then(selector),
        containers: spec.containers.map(Vec::into_boxed_slice),
    })
}

/// The record of a profile.
pub(super) fn profile(object: Reported, before: Option<&Profile>, now: Duration) -> Profile {
    let state = object.status["status"].as_str();
    let entries = object.spec.inherit.as_array().map(Vec::as_slice).unwrap_or_default();
    let profiles = entries.iter().filter(|entry| entry["kind"] == ProfileKind::Selinux.as_str());
    Profile {
        inherits: profiles.filter_map(|entry| entry["name"].as_str()?.parse().ok()).collect(),
        state: state.and_then(|text| ProfileState::BY_RANK.into_iter().find(|state| state.as_str() == text)),
        since: before.map_or(now, |before| before.since),
    }
}

pub(super) fn spec<T: DeserializeOwned>(kind: &'static str, object: Specified) -> Option<T> {
    let read = serde_json::from_value(object.spec);
    read.inspect_err(|error| {
        let (namespace, name) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
        tracing::warn!(kind, namespace, name, %error, "cannot read its spec: it has no effect");
    })
    .ok()
}

/// What selects pods, or `None` for what Kubernetes would not take for a selector either.
fn selector(value: Value) -> Option<Selector> {
    let selector: LabelSelector = serde_json::from_value(value).ok()?;
    let lists = |operator: &str| matches!(operator, "In" | "NotIn");
    let requirements = selector.match_expressions.iter().flatten();
    let valid = |requirement: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement| {
        lists(&requirement.operator) != requirement.values.as_ref().is_none_or(Vec::is_empty)
    };
    requirements.clone().all(valid).then_some(selector.clone())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kube::core::SelectorExt;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn object(spec: Value) -> Specified {
        serde_json::from_value(json!({"metadata": {"name": "a", "namespace": "web", "uid": "1"}, "spec": spec}))
            .unwrap()
    }

    #[rstest]
    fn every_kind_of_profile_can_be_bound(
        #[values(ProfileKind::Seccomp, ProfileKind::Selinux, ProfileKind::RawSelinux, ProfileKind::AppArmor)]
        kind: ProfileKind,
    ) {
        let spec = json!({"profileRef": {"kind": kind.as_str(), "name": "web"}, "image": "nginx"});
        let binding = binding(object(spec), None, Duration::ZERO).unwrap();
        assert_eq!(binding.profile, Ok(ProfileKey { kind, name: "web".parse().unwrap() }));
        assert!(binding.pods.unwrap().selects_all());
    }

    #[rstest]
    #[case::kind("Pod", "web")]
    #[case::name("SeccompProfile", "../x")]
    fn what_names_no_profile_is_kept_as_text(#[case] kind: &str, #[case] name: &str) {
        let spec = json!({"profileRef": {"kind": kind, "name": name}, "image": "nginx"});
        let binding = binding(object(spec), None, Duration::ZERO).unwrap();
        assert_eq!(binding.profile, Err(format!("{kind} {name}").into()));
    }

    #[test]
    fn a_binding_remembers_when_it_was_first_seen() {
        let spec = json!({"profileRef": {"kind": "SeccompProfile", "name": "web"}, "image": "nginx"});
        let first = binding(object(spec.clone()), None, Duration::from_secs(1)).unwrap();
        assert_eq!(binding(object(spec), Some(&first), Duration::from_secs(9)).unwrap().since, Duration::from_secs(1));
    }

    #[rstest]
    #[case::everything(json!({}), Some(true))]
    #[case::equal(json!({"matchLabels": {"app": "web"}}), Some(true))]
    #[case::different(json!({"matchLabels": {"app": "db"}}), Some(false))]
    #[case::among(json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "web"]}]}), Some(true))]
    #[case::not_among(json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}), Some(true))]
    #[case::absent(json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}), Some(false))]
    #[case::both(json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}), Some(false))]
    #[case::no_operator(json!({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["w"]}]}), None)]
    #[case::among_nothing(json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": []}]}), None)]
    #[case::exists_with_values(json!({"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["x"]}]}), None)]
    #[case::no_object(json!("app=web"), None)]
    fn selectors(#[case] from: Value, #[case] selects: Option<bool>) {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        assert_eq!(selector(from).map(|selector| selector.matches(&labels)), selects);
    }

    #[test]
    fn a_recording_keeps_that_its_list_of_containers_is_empty() {
        let of = |containers: Value| {
            let spec =
                json!({"kind": "SeccompProfile", "recorder": "Bpf", "podSelector": {}, "containers": containers});
            recording(object(spec)).unwrap().containers.map(|list| list.len())
        };
        assert_eq!((of(json!(null)), of(json!([])), of(json!(["a"]))), (None, Some(0), Some(1)));
    }

    #[test]
    fn what_cannot_be_read_has_no_effect() {
        assert!(recording(object(json!({"kind": "Pod", "recorder": "Bpf", "podSelector": {}}))).is_none());
        assert!(binding(object(json!({"image": 7})), None, Duration::ZERO).is_none());
        assert!(binding(object(json!(null)), None, Duration::ZERO).is_none());
    }

    #[rstest]
    #[case(json!(null), None)]
    #[case(json!({"status": ""}), None)]
    #[case(json!({"status": "Installed"}), Some(ProfileState::Installed))]
    #[case(json!({"status": 7}), None)]
    fn the_state_of_a_profile(#[case] status: Value, #[case] state: Option<ProfileState>) {
        let object = serde_json::from_value(json!({"metadata": {"name": "a"}, "status": status})).unwrap();
        assert_eq!(profile(object, None, Duration::ZERO).state, state);
    }

    #[test]
    fn what_a_selinux_profile_builds_on_is_kept() {
        let inherit = json!([{"kind": "System", "name": "container"}, {"kind": "SelinuxProfile", "name": "base"}, 7]);
        let object = serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"inherit": inherit}})).unwrap();
        assert_eq!(*profile(object, None, Duration::ZERO).inherits, ["base".parse().unwrap()]);
    }
}
