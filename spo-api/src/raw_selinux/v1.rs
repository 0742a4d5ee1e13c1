//! RawSelinuxProfile, version `v1`. Its status is that of a SelinuxProfile.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AdminState;
use crate::selinux::v1::SelinuxProfileStatus;

/// The most characters of a policy.
pub const POLICY_MAX: usize = 500_000;

/// An SELinux policy module, written out in CIL.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "RawSelinuxProfile",
    doc = "An SELinux policy module, written out in CIL.",
    plural = "rawselinuxprofiles",
    status = "SelinuxProfileStatus",
    schema = "manual",
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
    /// The body of the module, in CIL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = POLICY_MAX))]
    pub policy: Option<String>,
}

crate::schema::kind!(RawSelinuxProfile, spec optional: RawSelinuxProfileSpec);
