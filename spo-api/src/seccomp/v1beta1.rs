//! SeccompProfile, version `v1beta1`: `v1`, and what releases before 1.0 wrote.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::v1::{SeccompProfileStatus, Syscall};
use super::{Action, Arch, Flag};
use crate::AdminState;
use crate::schema::{atomic, set};

/// A seccomp profile: which system calls a container may make.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1beta1",
    kind = "SeccompProfile",
    doc = "A seccomp profile: which system calls a container may make.",
    plural = "seccompprofiles",
    shortname = "sp",
    status = "SeccompProfileStatus",
    schema = "manual",
    storage = false,
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"LocalhostProfile","type":"string","jsonPath":".status.localhostProfile","priority":10}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SeccompProfileSpec {
    /// Whether nodes install the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enabled"))]
    pub state: Option<AdminState>,
    /// Written by releases before 1.0: `true` becomes `state: Disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The profile whose system calls are added to those of this one: the name of another SeccompProfile, or
    /// `oci://<reference>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_profile_name: Option<String>,
    /// What happens to calls that no entry of `syscalls` names.
    pub default_action: Action,
    /// The architectures that the profile is for; that of the node if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub architectures: Option<Vec<Arch>>,
    /// The socket of the process that answers `SCMP_ACT_NOTIFY`, directly below `/var/run/security-profiles-operator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^/var/run/security-profiles-operator/[a-zA-Z0-9_\-\.]+$"))]
    pub listener_path: Option<String>,
    /// Text that is handed to that process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<String>,
    /// What happens to which calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic)]
    pub syscalls: Option<Vec<Syscall>>,
    /// Flags for `seccomp(2)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub flags: Option<Vec<Flag>>,
}

crate::schema::kind!(SeccompProfile, spec required);
