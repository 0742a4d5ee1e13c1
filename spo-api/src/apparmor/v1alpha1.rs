//! AppArmorProfile, version `v1alpha1`: `v1`, and what releases before 1.0 wrote.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::v1::{Abstract, AppArmorProfileStatus, Mode};
use crate::AdminState;

/// An AppArmor profile: which files, networks and capabilities a container may use.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1alpha1",
    kind = "AppArmorProfile",
    doc = "An AppArmor profile: which files, networks and capabilities a container may use.",
    plural = "apparmorprofiles",
    shortname = "aa",
    status = "AppArmorProfileStatus",
    schema = "manual",
    storage = false,
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.status"}"#
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct AppArmorProfileSpec {
    /// Whether nodes install the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enabled"))]
    pub state: Option<AdminState>,
    /// Written by releases before 1.0: `true` becomes `state: Disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Whether what is not allowed is refused or only logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enforce"))]
    pub mode: Option<Mode>,
    /// Written by releases before 1.0: `true` becomes `mode: Complain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complain_mode: Option<bool>,
    /// What is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#abstract: Option<Abstract>,
}

crate::schema::kind!(AppArmorProfile, spec optional: AppArmorProfileSpec);
