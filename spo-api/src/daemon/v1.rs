//! SecurityProfilesOperatorDaemon, version `v1`.
//!
//! No group has a default of its own: a default inside a group applies only where the group is there. What a field means
//! when it is missing is therefore up to the reader, who gets `None`.

use k8s_openapi::api::core::v1::{Affinity, LocalObjectReference, ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::schema::{atomic, map_by, set};
use crate::seccomp::Action;
use crate::words::words;

/// The configuration of the operator. There is one, called `spod`, in the namespace of the operator.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "SecurityProfilesOperatorDaemon",
    doc = "The configuration of the operator. There is one, called `spod`, in the namespace of the operator.",
    plural = "securityprofilesoperatordaemons",
    shortname = "spod",
    namespaced,
    status = "SecurityProfilesOperatorDaemonStatus",
    schema = "manual",
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
    pub options: Option<SelinuxOptions>,
}

/// What SelinuxProfiles may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelinuxOptions {
    /// The templates that profiles may inherit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set, extend("default" = ["container"]))]
    pub allowed_system_profiles: Option<Vec<String>>,
    /// Types that no profile may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub denied_types: Option<Vec<String>>,
    /// Object classes that no profile may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub denied_classes: Option<Vec<String>>,
    /// Permissions that no profile may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub denied_permissions: Option<Vec<String>>,
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
        Auditd = "Auditd",
        /// eBPF programs in the kernel.
        Bpf = "Bpf",
    }
}

/// How the JSON enricher writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonEnricherOptions {
    /// Seconds for which entries of one process are gathered; 60 if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub audit_log_interval_seconds: Option<i32>,
    /// The file to write to; standard output if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_path: Option<String>,
    /// Megabytes after which a new file is begun; 100 if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub audit_log_max_size: Option<i32>,
    /// How many old files are kept; all of them if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub audit_log_max_backups: Option<i32>,
    /// Days for which old files are kept; for ever if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub audit_log_max_age: Option<i32>,
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

/// What is changed in one webhook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookOptions {
    /// The name of the webhook: `binding.spo.io`, `recording.spo.io`, `execmetadata.spo.io` or
    /// `nodedebuggingpod.spo.io`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// `Fail` or `Ignore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<String>,
    /// The namespaces that it looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// The objects that it looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::label_selector")]
    pub object_selector: Option<LabelSelector>,
}

/// Where the daemon runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduling {
    /// The taints that it tolerates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::tolerations")]
    pub tolerations: Option<Vec<Toleration>>,
    /// The nodes that it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::affinity")]
    pub affinity: Option<Affinity>,
    /// Its priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "system-node-critical"))]
    pub priority_class_name: Option<String>,
}

/// What profiles may say, and who must have signed those that come from a registry.
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
    /// Who must have signed, as a regular expression over the identity in the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = ".*"))]
    pub allowed_identity_regexp: Option<String>,
    /// Who must have vouched for the signer, as a regular expression over the issuer in the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = ".*"))]
    pub allowed_oidc_issuer_regexp: Option<String>,
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
        Pending = "Pending",
        /// The daemon is being created.
        Creating = "Creating",
        /// The daemon or a webhook is being changed.
        Updating = "Updating",
        /// Every pod of the daemon runs with it.
        Running = "Running",
        /// Declared by the API, never written.
        Error = "Error",
    }
}
