//! A CustomResourceDefinition, as far as this program wants it. Its schemas are large, and skipped while it is read.

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceConversion;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::ClusterResourceScope;
use kube::runtime::watcher::Config;
use serde::Deserialize;
use spo_api::labels;

/// The kinds of an API.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Definition {
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: DefinitionSpec,
    #[serde(default)]
    pub(crate) status: DefinitionStatus,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DefinitionSpec {
    pub(crate) group: String,
    pub(crate) names: Names,
    #[serde(default)]
    pub(crate) versions: Vec<Version>,
    /// How API servers come from one version to another.
    pub(crate) conversion: Option<CustomResourceConversion>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Names {
    pub(crate) kind: String,
    pub(crate) plural: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Version {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) storage: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DefinitionStatus {
    #[serde(default)]
    pub(crate) stored_versions: Vec<String>,
}

/// Which definitions to watch: those that bear the label of the operator's objects.
pub(crate) fn ours() -> Config {
    Config::default().labels(&format!("{}={}", labels::APP, labels::APP_VALUE))
}

impl Resource for Definition {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "CustomResourceDefinition".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "apiextensions.k8s.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "customresourcedefinitions".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
