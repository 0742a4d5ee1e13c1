//! SelinuxProfile, version `v1alpha2`: `v1`, and what releases before 1.0 wrote.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::v1::{Allow, Mode, PolicyRef, SelinuxProfileStatus, null_as_empty};
use crate::AdminState;
use crate::schema::atomic;

/// An SELinux profile: what a type of its own may do, beyond what it inherits.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1alpha2",
    kind = "SelinuxProfile",
    doc = "An SELinux profile: what a type of its own may do, beyond what it inherits.",
    plural = "selinuxprofiles",
    status = "SelinuxProfileStatus",
    schema = "manual",
    storage = false,
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
    /// Written by releases before 1.0: `true` becomes `state: Disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// What the profile builds on; an empty list builds on nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic, extend("default" = [{"kind": "System", "name": "container"}]))]
    pub inherit: Option<Vec<PolicyRef>>,
    /// Whether what is not allowed is refused or only logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enforcing"))]
    pub mode: Option<Mode>,
    /// Written by releases before 1.0: `true` becomes `mode: Permissive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissive: Option<bool>,
    /// The permissions, by object class, by label. The label `@self` is the profile's own type.
    #[serde(default, deserialize_with = "null_as_empty", skip_serializing_if = "Option::is_none")]
    pub allow: Option<Allow>,
}

crate::schema::kind!(SelinuxProfile, spec optional: SelinuxProfileSpec);
