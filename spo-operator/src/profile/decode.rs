//! Objects as they come from the API server, made into the records that are kept.

use std::hash::{DefaultHasher, Hash, Hasher};

use spo_api::condition::{Condition, READY};
use spo_api::{ProfileKey, ProfileKind, ProfileName, ProfileState, first_state, labels};

use super::Object;
use super::hold::Workloads;

/// The whole is in the node's own status; here are as many as profiles times nodes.
const MESSAGE_MAX_BYTES: usize = 512;

/// Stands for an object's `uid`, in an eighth of its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Uid(u64);

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What is kept of a profile object.
#[derive(Debug, Clone)]
pub(crate) struct ProfileObject {
    pub(crate) uid: Uid,
    pub(crate) uid_text: Box<str>,
    /// Grows with every write, and tells which of two copies is older.
    pub(crate) resource_version: u64,
    pub(crate) generation: i64,
    pub(crate) deleting: bool,
    /// Whether the label `profile-id` is there and right.
    pub(crate) labelled: bool,
    pub(crate) finalizers: Vec<String>,
    /// Whether nodes install it: it is neither switched off nor partial.
    pub(crate) wanted: bool,
    /// The profile that a SeccompProfile builds on, if it is one of the cluster.
    pub(crate) base: Option<ProfileName>,
    /// `spec` as JSON, where the configuration may forbid it.
    pub(crate) spec: Option<Box<str>>,
    /// The annotation `syscalls`.
    pub(crate) syscalls: Option<Digest>,
    pub(crate) state: Option<ProfileState>,
    /// What a pod writes to use it.
    pub(crate) place: Option<String>,
    pub(crate) ready: Option<Condition>,
    pub(crate) workloads: Workloads,
}

/// Stands for a text that is only compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl From<&str> for Digest {
    fn from(text: &str) -> Self {
        Self(Uid::from(text).0)
    }
}

/// What one node says of one profile.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// The profile object that it is about, which a later one of the same name is not.
    pub(crate) owner: Uid,
    /// Grows with every write.
    pub(crate) resource_version: u64,
    /// The generation that it is about. The reference operator does not say.
    pub(crate) generation: Option<i64>,
    /// `None` between the creation of the object and its first status.
    pub(crate) state: Option<ProfileState>,
    /// Why, where the state is not `Installed`.
    pub(crate) message: Option<Box<str>>,
    /// The object's name, where it is a legacy one.
    pub(crate) legacy_name: Option<Box<str>>,
}

/// Who made a report. This project's own comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Form {
    Ours,
    Legacy,
}

/// The place of a report among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) key: ProfileKey,
    pub(crate) node: String,
    pub(crate) form: Form,
}

/// Which profile an object is. `None` for a name that no profile can have.
pub(crate) fn profile_key(kind: ProfileKind, object: &Object) -> Option<ProfileKey> {
    Some(ProfileKey { kind, name: object.metadata.name.as_deref()?.parse().ok()? })
}

/// The record of a profile object.
pub(crate) fn profile(key: &ProfileKey, object: Object) -> ProfileObject {
    let Object { metadata: meta, spec, status } = object;
    let id = labels::profile_id(key.kind, key.name.as_str());
    let syscalls = meta.annotations.as_ref().and_then(|annotations| annotations.get(labels::SYSCALLS));
    let admin = spec["state"].as_str().and_then(|state| state.parse().ok());
    ProfileObject {
        uid: Uid::from(meta.uid.as_deref().unwrap_or_default()),
        uid_text: meta.uid.unwrap_or_default().into(),
        resource_version: version(meta.resource_version.as_deref()),
        generation: meta.generation.unwrap_or_default(),
        deleting: meta.deletion_timestamp.is_some(),
        wanted: first_state(admin, meta.labels.as_ref()) == ProfileState::Pending,
        labelled: meta.labels.unwrap_or_default().get(labels::PROFILE_ID) == Some(&id),
        finalizers: meta.finalizers.unwrap_or_default(),
        base: spec["baseProfileName"].as_str().and_then(|name| name.parse().ok()),
        // No configuration has anything to say about an AppArmorProfile.
        spec: (key.kind != ProfileKind::AppArmor).then(|| spec.to_string().into_boxed_str()),
        syscalls: syscalls.map(|text| Digest::from(text.as_str())),
        state: state(&status),
        place: place_field(key.kind).and_then(|field| status[field].as_str()).map(str::to_owned),
        ready: ready(&status),
        workloads: Workloads::of(&status),
    }
}

/// Where a profile's status says what a pod writes to use it.
pub(crate) const fn place_field(kind: ProfileKind) -> Option<&'static str> {
    match kind {
        ProfileKind::Seccomp => Some("localhostProfile"),
        ProfileKind::Selinux | ProfileKind::RawSelinux => Some("usage"),
        ProfileKind::AppArmor => None,
    }
}

/// Which profile and node a node status is about. `None` if it says neither, or has no profile as its controller.
pub(crate) fn place(object: &Object) -> Option<Place> {
    let owner = object.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    let kind = ProfileKind::from_kind(&owner.kind)?;
    let key = ProfileKey { kind, name: owner.name.parse().ok()? };
    let node = node_name(object)?.to_owned();
    let ours = object.metadata.name.as_deref() == Some(&labels::node_status_name(&key, &node));
    Some(Place { key, node, form: if ours { Form::Ours } else { Form::Legacy } })
}

/// The node that a node status is about, or a pod runs on.
pub(crate) fn node_name(object: &Object) -> Option<&str> {
    object.spec["nodeName"].as_str()
}

/// The record of a node status that has a place.
pub(crate) fn report(form: Form, object: &Object) -> Report {
    let owner = object.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let ready = ready(&object.status);
    let state = state(&object.status);
    let wanted = |ready: &&Condition| state != Some(ProfileState::Installed) && !ready.message.is_empty();
    Report {
        owner: Uid::from(owner.map_or("", |owner| &owner.uid)),
        resource_version: version(object.metadata.resource_version.as_deref()),
        generation: ready.as_ref().and_then(|ready| ready.observed_generation),
        message: ready.as_ref().filter(wanted).map(|ready| first(&ready.message).into()),
        state,
        legacy_name: (form == Form::Legacy).then(|| object.metadata.name.as_deref().unwrap_or_default().into()),
    }
}

fn version(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// As much of a message as is kept for each node, whatever the node wrote.
fn first(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_MAX_BYTES)]
}

/// Whether a pod is ready; one that is being deleted is not.
pub(crate) fn pod_is_ready(pod: &Object) -> bool {
    let conditions = pod.status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn state(status: &serde_json::Value) -> Option<ProfileState> {
    let text = status["status"].as_str()?;
    ProfileState::BY_RANK.into_iter().find(|state| state.as_str() == text)
}

fn ready(status: &serde_json::Value) -> Option<Condition> {
    let conditions = status["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == READY)?;
    serde_json::from_value(ready.clone()).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn object(value: serde_json::Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    fn node_status(name: &str) -> Object {
        object(json!({
            "metadata": {"name": name, "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1"},
                {"apiVersion": "v1", "kind": "SeccompProfile", "name": "web", "uid": "2", "controller": true},
            ]},
            "spec": {"nodeName": "node1"},
            "status": {"status": "Error", "conditions": [{"type": "Ready", "status": "False", "reason": "Unavailable",
                "message": "too large", "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 3}]},
        }))
    }

    #[test]
    fn w_op_18_the_name_of_a_node_status_tells_ours_from_the_reference_operators() {
        let key = ProfileKey { kind: ProfileKind::Seccomp, name: "web".parse().unwrap() };
        let ours = place(&node_status(&labels::node_status_name(&key, "node1"))).unwrap();
        assert_eq!((ours.form, ours.node.as_str()), (Form::Ours, "node1"));
        let legacy = place(&node_status(&labels::legacy_node_status_name("web", "node1"))).unwrap();
        assert_eq!((legacy.form, legacy.key), (Form::Legacy, key));
    }

    #[test]
    fn a_report_keeps_generation_and_reason_of_what_is_not_installed() {
        let report = report(Form::Ours, &node_status("x"));
        assert_eq!((report.generation, report.state), (Some(3), Some(ProfileState::Error)));
        assert_eq!(report.message.as_deref(), Some("too large"));
        assert_eq!(report.owner, Uid::from("2"));
    }

    #[rstest]
    #[case::ready(json!({"conditions": [{"type": "Ready", "status": "True"}]}), true)]
    #[case::not_ready(json!({"conditions": [{"type": "Ready", "status": "False"}]}), false)]
    #[case::no_condition(json!({}), false)]
    #[case::no_status(json!(null), false)]
    fn readiness_of_a_pod(#[case] status: serde_json::Value, #[case] ready: bool) {
        assert_eq!(pod_is_ready(&object(json!({"metadata": {"name": "p"}, "status": status}))), ready);
    }

    #[test]
    fn a_node_status_without_a_profile_as_its_controller_has_no_place() {
        let mut stray = node_status("x");
        stray.metadata.owner_references = None;
        assert_eq!(place(&stray), None);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(first("short"), "short");
        assert_eq!(first(&"ä".repeat(1000)).len(), MESSAGE_MAX_BYTES);
        assert_eq!(first(&format!("x{}", "ä".repeat(1000))).len(), MESSAGE_MAX_BYTES - 1);
    }
}
