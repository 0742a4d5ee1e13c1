//! Objects as a watch shows them, and what a profile object asks of this node.

use std::borrow::Cow;

use kube::Resource;
use kube::api::{ApiResource, ObjectMeta};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{AdminState, GROUP, ProfileKey, ProfileKind, Violation, finalizers, labels};
use spo_lsm::{Policy, Profile, Spec};

use crate::manifest;
use crate::source::{Desired, ObjectRef, Want};

/// An object with what counts of its metadata. `spec` and `status` stay JSON until it is known that they are needed, so that one
/// object that does not fit its schema blinds nobody for the others.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Object {
    #[serde(default, deserialize_with = "spo_api::metadata::slim")]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: Value,
    #[serde(default)]
    pub(super) status: Value,
}

impl Resource for Object {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What tells two states of a profile object apart, as far as this node is concerned: a new status, or a label of the manager's,
/// changes nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) uid: Option<String>,
    pub(super) generation: i64,
    pub(super) want: Want,
    pub(super) partial: bool,
}

/// Which profile an object is. `None` for a name that the API server would not take.
pub(super) fn key(kind: ProfileKind, object: &Object) -> Option<ProfileKey> {
    Some(ProfileKey { kind, name: object.metadata.name.as_deref()?.parse().ok()? })
}

/// In which state an object is, without a look at its `spec`.
pub(super) fn version(object: &Object) -> Version {
    let meta = &object.metadata;
    let in_use = meta.finalizers.iter().flatten().any(|finalizer| finalizer == finalizers::IN_USE);
    Version {
        uid: meta.uid.clone(),
        generation: meta.generation.unwrap_or_default(),
        want: match (&meta.deletion_timestamp, in_use) {
            (None, false) => Want::Keep,
            (None, true) => Want::KeepUsed,
            (Some(_), true) => Want::Hold,
            (Some(_), false) => Want::Remove,
        },
        partial: meta.labels.iter().flatten().any(|(label, _)| label == labels::PARTIAL),
    }
}

/// What a profile asks for. One that cannot be understood is still there, and says what is wrong with it.
pub(super) fn desired(key: ProfileKey, version: &Version, object: Object) -> Desired {
    let (admin, profile) = match key.kind {
        ProfileKind::Seccomp => made::<SeccompProfileSpec>(&key, object.spec),
        ProfileKind::Selinux => made::<SelinuxProfileSpec>(&key, object.spec),
        ProfileKind::RawSelinux => made::<RawSelinuxProfileSpec>(&key, object.spec),
        ProfileKind::AppArmor => made::<AppArmorProfileSpec>(&key, object.spec),
    };
    Desired {
        admin,
        profile,
        key,
        generation: version.generation,
        partial: version.partial,
        want: version.want,
        object: ObjectRef { api_version: format!("{GROUP}/v1"), uid: version.uid.clone() },
    }
}

fn made<S: Spec + DeserializeOwned>(key: &ProfileKey, spec: Value) -> (AdminState, Result<Profile, Vec<Violation>>) {
    let spec = read::<S>(spec);
    let admin = spec.as_ref().ok().and_then(Spec::state).unwrap_or_default();
    (admin, spec.and_then(|spec| spo_lsm::parse(key.name.clone(), &spec)))
}

/// The API server holds objects to their schema, so what is wrong is looked for only where something is.
fn read<S: Spec + DeserializeOwned>(spec: Value) -> Result<S, Vec<Violation>> {
    S::deserialize(&spec).or_else(|_error| manifest::spec_of(fields(spec)))
}

/// What a configuration object permits, or the first thing that is wrong with it.
pub(super) fn policy(object: Object) -> Result<Policy, Violation> {
    manifest::policy(fields(object.spec))
}

fn fields(spec: Value) -> Map<String, Value> {
    [("metadata".to_owned(), serde_json::json!({})), ("spec".to_owned(), spec)].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn object(metadata: Value, spec: Value) -> Object {
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn allow_all() -> Value {
        json!({"defaultAction": "SCMP_ACT_ALLOW"})
    }

    #[rstest]
    #[case::there(json!({}), Want::Keep)]
    #[case::in_use(json!({"finalizers": [finalizers::IN_USE]}), Want::KeepUsed)]
    #[case::deleted_in_use(json!({"deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": [finalizers::IN_USE]}), Want::Hold)]
    #[case::deleted(json!({"deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": ["node1-deleted"]}), Want::Remove)]
    fn a_profile_stays_while_pods_use_it(#[case] metadata: Value, #[case] want: Want) {
        assert_eq!(version(&object(metadata, allow_all())).want, want);
    }

    #[test]
    fn labels_and_status_of_the_manager_change_nothing() {
        let plain = object(json!({"name": "web", "uid": "1", "generation": 3}), allow_all());
        let mut labelled = plain.clone();
        labelled.metadata.labels = Some([(labels::PROFILE_ID.to_owned(), "SeccompProfile-web".to_owned())].into());
        labelled.metadata.resource_version = Some("9".to_owned());
        labelled.status = json!({"status": "Installed"});
        assert_eq!(version(&plain), version(&labelled));
    }

    #[test]
    fn a_malformed_profile_is_wanted_with_what_is_wrong_with_it() {
        let broken = object(json!({"name": "web", "generation": 2}), json!({"defaultAction": "SCMP_ACT_SOMETIMES"}));
        let key = key(ProfileKind::Seccomp, &broken).unwrap();
        let desired = desired(key, &version(&broken), broken);
        let violations = desired.profile.unwrap_err();
        let message = violations[0].to_string();
        assert!(message.starts_with("spec.defaultAction: ") && message.contains("SCMP_ACT_SOMETIMES"), "{message}");
        assert_eq!((desired.generation, desired.want), (2, Want::Keep));
    }

    #[test]
    fn a_partial_profile_is_known_by_its_label() {
        let partial = object(json!({"name": "web", "labels": {labels::PARTIAL: "true"}}), allow_all());
        assert!(version(&partial).partial);
    }
}
