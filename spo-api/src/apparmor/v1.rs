//! AppArmorProfile, version `v1`.
//!
//! The groups of rules are optional objects: one that is there and empty is not one that is missing.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::schema::{map_by, set};
use crate::words::words;
use crate::{AdminState, ProfileState};

/// An AppArmor profile: which files, networks and capabilities a container may use.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "AppArmorProfile",
    doc = "An AppArmor profile: which files, networks and capabilities a container may use.",
    plural = "apparmorprofiles",
    shortname = "aa",
    status = "AppArmorProfileStatus",
    schema = "manual",
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
    /// Whether what is not allowed is refused or only logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enforce"))]
    pub mode: Option<Mode>,
    /// What is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#abstract: Option<Abstract>,
}

crate::schema::kind!(AppArmorProfile, spec optional: AppArmorProfileSpec);

words! {
    /// Whether what is not allowed is refused.
    #[derive(Default)]
    pub enum Mode("a mode of an AppArmorProfile") {
        /// It is refused.
        #[default]
        Enforce = "Enforce",
        /// It is only logged.
        Complain = "Complain",
    }
}

/// What a program may do, in words that stand for several AppArmor rules each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Abstract {
    /// What may be run and loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<Executable>,
    /// Which files may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<Filesystem>,
    /// Which sockets may be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Which capabilities may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<Capability>,
}

/// What may be run and loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Executable {
    /// Paths of programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub allowed_executables: Option<Vec<String>>,
    /// Paths of libraries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub allowed_libraries: Option<Vec<String>>,
}

/// Which files may be used. Paths may hold AppArmor's globs and variables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Filesystem {
    /// Paths that may be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub read_only_paths: Option<Vec<String>>,
    /// Paths that may be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub write_only_paths: Option<Vec<String>>,
    /// Paths that may be read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub read_write_paths: Option<Vec<String>>,
}

/// Which sockets may be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Raw sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_raw: Option<bool>,
    /// Sockets by protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_protocols: Option<Protocols>,
}

/// Sockets by protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Protocols {
    /// TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_tcp: Option<bool>,
    /// UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_udp: Option<bool>,
}

/// Which capabilities may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capability {
    /// Their names in lower case and without `CAP_`, as AppArmor writes them: `net_admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub allowed_capabilities: Option<Vec<String>>,
}

/// How far an AppArmorProfile has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppArmorProfileStatus {
    /// Whether it is ready, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = map_by("type"))]
    pub conditions: Option<Vec<Condition>>,
    /// The lowest state over all nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProfileState>,
}
