//! ProfileRecording, version `v1`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::schema::{map_by, set};

/// A recording: what the selected pods of its namespace do becomes profiles.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "ProfileRecording",
    doc = "A recording: what the selected pods of its namespace do becomes profiles.",
    plural = "profilerecordings",
    namespaced,
    status = "ProfileRecordingStatus",
    schema = "manual",
    derive = "PartialEq",
    printcolumn = r#"{"name":"PodSelector","type":"string","jsonPath":".spec.podSelector","priority":10}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRecordingSpec {
    /// The kind of profile to make.
    pub kind: RecordedKind,
    /// What watches the pods. A SelinuxProfile needs `Logs`, an AppArmorProfile needs `Bpf`.
    pub recorder: Recorder,
    /// Whether the profiles of several replicas are made one when the recording is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "None"))]
    pub merge_strategy: Option<MergeStrategy>,
    /// The pods to record; `{}` is every pod of the namespace.
    #[schemars(schema_with = "crate::schema::kubernetes::label_selector")]
    pub pod_selector: LabelSelector,
    /// The containers to record; all of a pod if the list is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub containers: Option<Vec<String>>,
    /// Whether the profiles are made with `state: Disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub disable_profile_after_recording: Option<bool>,
}

crate::schema::kind!(ProfileRecording, spec required);

/// The kinds of profile that can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of the kinds")]
pub enum RecordedKind {
    SeccompProfile,
    SelinuxProfile,
    AppArmorProfile,
}

/// What watches the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Recorder {
    /// eBPF programs in the kernel.
    Bpf,
    /// The audit log.
    Logs,
}

/// What becomes of the profiles of several replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum MergeStrategy {
    /// Each stays a profile of its own.
    #[default]
    None,
    /// Those of one container become one profile.
    Containers,
}

/// How a recording is going.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRecordingStatus {
    /// Whether it is recording, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = map_by("type"))]
    pub conditions: Option<Vec<Condition>>,
    /// The pods that are being recorded, by name, without their namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub active_workloads: Option<Vec<String>>,
}
