//! The group `enricher` of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::words;

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
