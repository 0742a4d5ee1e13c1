//! RawSelinuxProfile, version `v1alpha2`: `v1`, and what releases before 1.0 wrote.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::v1::POLICY_MAX;
use crate::AdminState;
use crate::selinux::v1::SelinuxProfileStatus;

/// An SELinux policy module, written out in CIL.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1alpha2",
    kind = "RawSelinuxProfile",
    doc = "An SELinux policy module, written out in CIL.",
    plural = "rawselinuxprofiles",
    status = "SelinuxProfileStatus",
    schema = "manual",
    storage = false,
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Usage","type":"string","jsonPath":".status.usage"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.status"}"#
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RawSelinuxProfileSpec {
    /// Whether nodes install the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enabled"))]
    pub state: Option<AdminState>,
    /// Written by releases before 1.0: `true` becomes `state: Disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The body of the module, in CIL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = POLICY_MAX))]
    pub policy: Option<String>,
}

crate::schema::kind!(RawSelinuxProfile, spec optional: RawSelinuxProfileSpec);
