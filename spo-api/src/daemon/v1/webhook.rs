//! The group `webhook` of the configuration.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::map_by;
use crate::words::words;

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
    /// What concerns ProfileBindings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// What concerns the request id that `kubectl exec` and `kubectl debug` are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_metadata: Option<ExecMetadata>,
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

/// What concerns ProfileBindings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// What becomes of a pod that is bound to a profile which does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Skip"))]
    pub missing_profile: Option<MissingProfile>,
}

words! {
    /// What becomes of a pod that is bound to a profile which does not exist.
    #[derive(Default)]
    pub enum MissingProfile("an answer to a missing profile") {
        /// It is admitted as if there were no such binding: a typing error confines nothing, and stops nothing.
        #[default]
        Skip = "Skip",
        /// It is refused.
        Refuse = "Refuse",
    }
}

/// What concerns the request id that `kubectl exec` and `kubectl debug` are given, for the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecMetadata {
    /// Whether a command of `kubectl exec` that has no `SPO_EXEC_REQUEST_UID=` of its own gets one by `env` put before
    /// it. Containers without that program then cannot run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub prefix_command: Option<bool>,
}
