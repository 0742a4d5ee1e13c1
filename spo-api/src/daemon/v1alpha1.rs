//! SecurityProfilesOperatorDaemon, version `v1alpha1`: `v1` with two enumerations spelt otherwise and without what was added
//! to that since, and what releases before 1.0 wrote.
//!
//! Those had no groups; [`flat`] tells where each of their fields went. The names of fields and groups are all different.

use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::v1::{JsonEnricherOptions, Scheduling, WebhookOptions};
use crate::condition::Condition;
use crate::schema::{DNS_SUBDOMAIN, atomic, map_by, set};
use crate::seccomp::Action;
use crate::words::words;

pub mod flat;

/// The configuration of the operator. There is one, called `spod`, in the namespace of the operator.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1alpha1",
    kind = "SecurityProfilesOperatorDaemon",
    doc = "The configuration of the operator. There is one, called `spod`, in the namespace of the operator.",
    plural = "securityprofilesoperatordaemons",
    shortname = "spod",
    namespaced,
    status = "SecurityProfilesOperatorDaemonStatus",
    schema = "manual",
    storage = false,
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".status.state"}"#
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct SecurityProfilesOperatorDaemonSpec {
    /// How much is logged; 0 is the least.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub verbosity: Option<i32>,
    /// Whether the processes serve `/debug/pprof`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enable_profiling: Option<bool>,
    /// Whether nodes remember only pods with the label `spo.x-k8s.io/enable-recording=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enable_memory_optimization: Option<bool>,
    /// Whether metrics are served without authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enable_insecure_metrics_access: Option<bool>,
    /// Whether AppArmorProfiles are installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enable_app_armor: Option<bool>,
    /// Where the nodes' `/proc` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^/proc(/.*)?$"))]
    pub host_proc_volume_path: Option<String>,
    /// Secrets for pulling the daemon's images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::local_object_references")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// What the daemon's container may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::resource_requirements")]
    pub daemon_resource_requirements: Option<ResourceRequirements>,
    /// What concerns SELinux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux: Option<Selinux>,
    /// What concerns the audit log and recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enricher: Option<Enricher>,
    /// What concerns the admission webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Where the daemon runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// What profiles may say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    /// Written by releases before 1.0.
    #[serde(flatten)]
    pub flat: flat::Flat,
}

crate::schema::kind!(SecurityProfilesOperatorDaemon, spec optional: SecurityProfilesOperatorDaemonSpec);

/// What concerns SELinux.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selinux {
    /// Whether SelinuxProfiles are installed; where it is not said, on OpenShift only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable: Option<bool>,
    /// Whether RawSelinuxProfiles are installed too; where it is not said, if SelinuxProfiles are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_raw_selinux_profiles: Option<bool>,
    /// The SELinux type that the daemon runs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "spc_t"))]
    pub type_tag: Option<String>,
    /// What SelinuxProfiles may say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub options: Option<SelinuxOptions>,
    /// The ConfigMap, in the namespace of the operator, with templates in CIL beside those that come with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub custom_templates_config_map: Option<String>,
}

/// What SelinuxProfiles may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelinuxOptions {
    /// The templates that profiles may inherit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set, extend("default" = ["container"]))]
    pub allowed_system_profiles: Option<Vec<String>>,
}

/// What concerns the audit log and recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enricher {
    /// Whether audit records are written to the log with the pod that caused them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enable_log_enricher: Option<bool>,
    /// Which of those records are kept, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_enricher_filters: Option<String>,
    /// Where the records come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_enricher_source: Option<LogEnricherSource>,
    /// Whether what is run inside containers is written down as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enable_json_enricher: Option<bool>,
    /// Which of those entries are kept, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_enricher_filters: Option<String>,
    /// How those entries are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_enricher_options: Option<JsonEnricherOptions>,
    /// Whether profiles can be recorded by eBPF.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enable_bpf_recorder: Option<bool>,
}

words! {
    /// Where audit records come from.
    #[derive(Default)]
    pub enum LogEnricherSource("a source of audit records") {
        /// The audit log.
        #[default]
        Auditd = "auditd",
        /// eBPF programs in the kernel.
        Bpf = "bpf",
    }
}

/// What concerns the admission webhooks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Whether somebody else keeps the webhook configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub static_config: Option<bool>,
    /// What is changed in single webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = map_by("name"))]
    pub options: Option<Vec<WebhookOptions>>,
}

/// What profiles may say, and whether those that come from a registry must be signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    /// The system calls that SeccompProfiles may allow; any if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub allowed_syscalls: Option<Vec<String>>,
    /// The actions that count as allowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic)]
    pub allowed_seccomp_actions: Option<Vec<Action>>,
    /// Whether base profiles from a registry are used without looking at their signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub disable_oci_artifact_signature_verification: Option<bool>,
}

/// How far the configuration has been put into effect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityProfilesOperatorDaemonStatus {
    /// Whether it is in effect, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = map_by("type"))]
    pub conditions: Option<Vec<Condition>>,
    /// How far it has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<DaemonState>,
}

words! {
    /// How far the configuration has been put into effect.
    #[derive(Default)]
    pub enum DaemonState("a state of the configuration") {
        /// Nothing was done yet.
        #[default]
        Pending = "PENDING",
        /// The daemon is being created.
        Creating = "CREATING",
        /// The daemon or a webhook is being changed.
        Updating = "UPDATING",
        /// Every pod of the daemon runs with it.
        Running = "RUNNING",
        /// Declared by the API, never written.
        Error = "ERROR",
    }
}
