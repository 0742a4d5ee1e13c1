//! SecurityProfilesOperatorDaemon, version `v1`.
//!
//! No group has a default of its own: a default inside a group applies only where the group is there. What a field means
//! when it is missing is therefore up to the reader, who gets `None`.

use k8s_openapi::api::core::v1::{Affinity, LocalObjectReference, ResourceRequirements, Toleration};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::schema::{atomic, map_by, set};
use crate::seccomp::Action;
use crate::words::words;

mod enricher;
mod selinux;
mod webhook;

pub use enricher::{Enricher, JsonEnricherOptions, LogEnricherSource};
pub use selinux::{Selinux, SelinuxOptions};
pub use webhook::{Binding, ExecMetadata, MissingProfile, Webhook, WebhookOptions};

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
