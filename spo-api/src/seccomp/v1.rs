//! SeccompProfile, version `v1`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Arch, Flag, Operator};
use crate::condition::Condition;
use crate::schema::{atomic, map_by, set};
use crate::{AdminState, ProfileState};

/// A seccomp profile: which system calls a container may make.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "SeccompProfile",
    doc = "A seccomp profile: which system calls a container may make.",
    plural = "seccompprofiles",
    shortname = "sp",
    status = "SeccompProfileStatus",
    schema = "manual",
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

/// One action for some system calls, if their arguments match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Syscall {
    /// The names of the calls, as the kernel spells them.
    #[schemars(length(min = 1), transform = set)]
    pub names: Vec<String>,
    /// What happens to them.
    pub action: Action,
    /// The error for `SCMP_ACT_ERRNO` and the message for `SCMP_ACT_TRACE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub errno_ret: Option<i32>,
    /// Conditions on arguments; all must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 6), transform = atomic)]
    pub args: Option<Vec<Arg>>,
}

/// A condition on one argument of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Arg {
    /// Which argument, from 0 to 5.
    #[schemars(range(min = 0))]
    pub index: i32,
    /// What it is compared with; the mask for `SCMP_CMP_MASKED_EQ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub value: Option<i64>,
    /// What the masked argument is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub value_two: Option<i64>,
    /// How it is compared.
    pub op: Operator,
}

/// How far a SeccompProfile has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeccompProfileStatus {
    /// Whether it is ready, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = map_by("type"))]
    pub conditions: Option<Vec<Condition>>,
    /// The lowest state over all nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProfileState>,
    /// Declared by the API, never written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The pods that use it, as `<namespace>/<pod>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub active_workloads: Option<Vec<String>>,
    /// What a pod writes into `seccompProfile.localhostProfile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub localhost_profile: Option<String>,
}
