//! SecurityProfileNodeStatus, version `v1`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProfileState;
use crate::condition::Condition;
use crate::schema::{atomic, map_by};

/// The most denials that one status holds; its writer drops the oldest.
pub const DENIALS_MAX: usize = 32;

/// How far one profile has come on one node. The profile is the owner of the object.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "SecurityProfileNodeStatus",
    doc = "How far one profile has come on one node. The profile is the owner of the object.",
    plural = "securityprofilenodestatuses",
    shortname = "spns",
    status = "SecurityProfileNodeStatusStatus",
    schema = "manual",
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Node","type":"string","jsonPath":".spec.nodeName","priority":10}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SecurityProfileNodeStatusSpec {
    /// The name of the node.
    #[schemars(length(min = 1))]
    pub node_name: String,
}

crate::schema::kind!(SecurityProfileNodeStatus, spec required);

/// What the node says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityProfileNodeStatusStatus {
    /// How far the profile has come on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProfileState>,
    /// Whether the profile is ready on the node, for which generation, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = map_by("type"))]
    pub conditions: Option<Vec<Condition>>,
    /// What the profile refused on the node lately, the newest last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = DENIALS_MAX), transform = atomic)]
    pub denials: Option<Vec<Denial>>,
}

/// Something that a profile refused, as often as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// What was refused: the name of the system call, AppArmor's operation, or SELinux' class and permission.
    #[schemars(length(min = 1))]
    pub operation: String,
    /// What it was refused on: a path, a capability, an SELinux type. A system call has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The pod, as `<namespace>/<pod>`, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The container, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// How often.
    #[schemars(range(min = 1))]
    pub count: i64,
    /// When it was last refused.
    pub last_time: Time,
}
