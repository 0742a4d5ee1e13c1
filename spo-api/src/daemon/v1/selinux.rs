//! The group `selinux` of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{DNS_SUBDOMAIN, set};

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
    /// Types that profiles may name although the operator denies them by default, unless `deniedTypes` has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub allowed_types: Option<Vec<String>>,
    /// The same for object classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub allowed_classes: Option<Vec<String>>,
    /// The same for permissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub allowed_permissions: Option<Vec<String>>,
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
