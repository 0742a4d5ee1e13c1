//! The configuration as releases before 1.0 wrote it: no groups, and texts where there are enumerations now.
//!
//! None of these fields has a default or a bound. They are declared so that the API server hands them to conversion, which
//! puts each where its documentation says, unless the field of the group is there too.

use k8s_openapi::api::core::v1::{Affinity, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::atomic;

/// The fields that went into groups.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flat {
    /// Written by releases before 1.0: becomes `selinux.enable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_selinux: Option<bool>,
    /// Written by releases before 1.0: becomes `selinux.typeTag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux_type_tag: Option<String>,
    /// Written by releases before 1.0: becomes `selinux.options`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux_options: Option<FlatSelinuxOptions>,
    /// Written by releases before 1.0: becomes `enricher.enableLogEnricher`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_log_enricher: Option<bool>,
    /// Written by releases before 1.0: becomes `enricher.logEnricherFilters`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_enricher_filters: Option<String>,
    /// Written by releases before 1.0: becomes `enricher.logEnricherSource`, if it is `auditd` or `bpf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_enricher_source: Option<String>,
    /// Written by releases before 1.0: becomes `enricher.enableJsonEnricher`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_json_enricher: Option<bool>,
    /// Written by releases before 1.0: becomes `enricher.jsonEnricherFilters`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_enricher_filters: Option<String>,
    /// Written by releases before 1.0: becomes `enricher.jsonEnricherOptions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_enricher_options: Option<FlatJsonEnricherOptions>,
    /// Written by releases before 1.0: becomes `enricher.enableBpfRecorder`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_bpf_recorder: Option<bool>,
    /// Written by releases before 1.0: becomes `webhook.staticConfig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_webhook_config: Option<bool>,
    /// Written by releases before 1.0: becomes `webhook.options`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic)]
    pub webhook_options: Option<Vec<FlatWebhookOptions>>,
    /// Written by releases before 1.0: becomes `scheduling.tolerations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::tolerations")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Written by releases before 1.0: becomes `scheduling.affinity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::affinity")]
    pub affinity: Option<Affinity>,
    /// Written by releases before 1.0: becomes `scheduling.priorityClassName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Written by releases before 1.0: becomes `security.allowedSyscalls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic)]
    pub allowed_syscalls: Option<Vec<String>>,
    /// Written by releases before 1.0: becomes `security.allowedSeccompActions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic)]
    pub allowed_seccomp_actions: Option<Vec<String>>,
    /// Written by releases before 1.0: becomes `security.disableOciArtifactSignatureVerification`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_oci_artifact_signature_verification: Option<bool>,
}

/// What SelinuxProfiles may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlatSelinuxOptions {
    /// The templates that profiles may inherit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = atomic)]
    pub allowed_system_profiles: Option<Vec<String>>,
}

/// How the JSON enricher writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlatJsonEnricherOptions {
    /// Seconds for which entries of one process are gathered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_interval_seconds: Option<i64>,
    /// The file to write to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_path: Option<String>,
    /// Megabytes after which a new file is begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_max_size: Option<i64>,
    /// How many old files are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_max_backups: Option<i64>,
    /// Days for which old files are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_log_max_age: Option<i64>,
}

/// What is changed in one webhook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlatWebhookOptions {
    /// The name of the webhook; an entry without one changed nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
