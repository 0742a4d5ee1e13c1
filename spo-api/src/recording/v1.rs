//! ProfileRecording, version `v1`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProfileKind;
use crate::condition::Condition;
use crate::schema::{map_by, set};
use crate::words::words;

/// A recording: what the selected pods of its namespace do becomes profiles.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    derive = "Default",
    printcolumn = r#"{"name":"PodSelector","type":"string","jsonPath":".spec.podSelector","priority":10}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRecordingSpec {
    /// The kind of profile to make.
    pub kind: RecordedKind,
    /// What watches the pods.
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

words! {
    /// The kinds of profile that can be recorded.
    #[derive(Default)]
    #[expect(missing_docs, reason = "the names are those of the kinds")]
    pub enum RecordedKind("a kind of profile that can be recorded") {
        #[default]
        SeccompProfile = "SeccompProfile",
        SelinuxProfile = "SelinuxProfile",
        /// Releases before 1.0 spelt it with one capital less, and the reference operator's conversion left that so.
        #[serde(alias = "ApparmorProfile")]
        AppArmorProfile = "AppArmorProfile",
    }
}

impl From<RecordedKind> for ProfileKind {
    fn from(kind: RecordedKind) -> Self {
        match kind {
            RecordedKind::SeccompProfile => Self::Seccomp,
            RecordedKind::SelinuxProfile => Self::Selinux,
            RecordedKind::AppArmorProfile => Self::AppArmor,
        }
    }
}

words! {
    /// What watches the pods.
    #[derive(Default)]
    pub enum Recorder("a recorder") {
        /// eBPF programs in the kernel.
        Bpf = "Bpf",
        /// The audit log.
        #[default]
        Logs = "Logs",
    }
}

words! {
    /// What becomes of the profiles of several replicas.
    #[derive(Default)]
    pub enum MergeStrategy("a merge strategy") {
        /// Each stays a profile of its own.
        #[default]
        None = "None",
        /// Those of one container become one profile.
        Containers = "Containers",
    }
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
