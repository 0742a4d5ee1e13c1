//! SelinuxProfile, version `v1`.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::condition::Condition;
use crate::schema::{atomic, map_by, set};
use crate::words::words;
use crate::{AdminState, ProfileState};

/// Permissions by object class by label: `{"var_log_t": {"file": ["read", "open"]}}`. The label `@self` is the
/// profile's own type.
pub type Allow = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// An SELinux profile: what a type of its own may do, beyond what it inherits.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "SelinuxProfile",
    doc = "An SELinux profile: what a type of its own may do, beyond what it inherits.",
    plural = "selinuxprofiles",
    status = "SelinuxProfileStatus",
    schema = "manual",
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Usage","type":"string","jsonPath":".status.usage"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.status"}"#
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct SelinuxProfileSpec {
    /// Whether nodes install the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enabled"))]
    pub state: Option<AdminState>,
    /// What the profile builds on; an empty list builds on nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic, extend("default" = [{"kind": "System", "name": "container"}]))]
    pub inherit: Option<Vec<PolicyRef>>,
    /// Whether what is not allowed is refused or only logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enforcing"))]
    pub mode: Option<Mode>,
    /// The permissions, by object class, by label. The label `@self` is the profile's own type.
    #[serde(default, deserialize_with = "null_as_empty", skip_serializing_if = "Option::is_none")]
    pub allow: Option<Allow>,
}

crate::schema::kind!(SelinuxProfile, spec optional: SelinuxProfileSpec);

words! {
    /// Whether what is not allowed is refused.
    #[derive(Default)]
    pub enum Mode("a mode of a SelinuxProfile") {
        /// It is refused.
        #[default]
        Enforcing = "Enforcing",
        /// It is only logged.
        Permissive = "Permissive",
    }
}

/// A policy that a profile builds on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "System"))]
    pub kind: Option<PolicyKind>,
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
}

words! {
    /// Where an inherited policy comes from.
    #[derive(Default)]
    pub enum PolicyKind("a kind of policy to inherit") {
        /// A template of the operator, which its configuration must allow.
        #[default]
        System = "System",
        /// Another SelinuxProfile.
        SelinuxProfile = "SelinuxProfile",
    }
}

/// How far a SelinuxProfile or a RawSelinuxProfile has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelinuxProfileStatus {
    /// Whether it is ready, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = map_by("type"))]
    pub conditions: Option<Vec<Condition>>,
    /// The lowest state over all nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProfileState>,
    /// What a pod writes into `seLinuxOptions.type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// The pods that use it, as `<namespace>/<pod>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub active_workloads: Option<Vec<String>>,
}

/// Reads `allow`, where a class map or a permission list that is `null` counts as an empty one: hand-written manifests
/// and recorded profiles of older operators have them.
pub(super) fn null_as_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Allow>, D::Error> {
    type Loose = BTreeMap<String, Option<BTreeMap<String, Option<Vec<String>>>>>;
    let loose = Option::<Loose>::deserialize(deserializer)?;
    let tighten = |classes: BTreeMap<String, Option<Vec<String>>>| {
        classes.into_iter().map(|(class, permissions)| (class, permissions.unwrap_or_default())).collect()
    };
    Ok(loose.map(|labels| {
        labels.into_iter().map(|(label, classes)| (label, classes.map(tighten).unwrap_or_default())).collect()
    }))
}
