//! The part of a pod that decides how it is confined.

use std::collections::{BTreeMap, HashSet};

use k8s_openapi::api::core::v1::{AppArmorProfile, SELinuxOptions, SeccompProfile};
use serde::Deserialize;
use serde_json::Value;

use super::review::{NoObject, Request, or_default};

/// More containers than any node runs in one pod. What is done for each of them then stays affordable.
const CONTAINERS_MAX: usize = 1000;

/// A pod, as far as it is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    #[serde(deserialize_with = "or_default")]
    pub(crate) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(crate) spec: Spec,
    #[serde(deserialize_with = "or_default")]
    pub(crate) status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: Option<String>,
    pub(crate) generate_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: BTreeMap<String, String>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    os: Option<Os>,
    security_context: Option<SecurityContext>,
    #[serde(deserialize_with = "or_default")]
    init_containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    ephemeral_containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Os {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    #[serde(deserialize_with = "or_default")]
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) image: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) env: Vec<Value>,
    pub(crate) security_context: Option<SecurityContext>,
}

impl Container {
    /// Whether its runtime leaves it unconfined, whatever it says.
    pub(crate) fn is_privileged(&self) -> bool {
        self.security_context.as_ref().and_then(|context| context.privileged) == Some(true)
    }
}

/// How a container, or a whole pod, is confined.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SecurityContext {
    privileged: Option<bool>,
    pub(crate) seccomp_profile: Option<SeccompProfile>,
    pub(crate) se_linux_options: Option<SELinuxOptions>,
    pub(crate) app_armor_profile: Option<AppArmorProfile>,
}

/// One of a pod's lists of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum List {
    Init,
    Main,
    Ephemeral,
}

impl List {
    /// What it is called in a pod.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// What has a security context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    Pod,
    Container(List, usize),
}

impl Pod {
    /// The pod that a request is about.
    pub(crate) fn of(request: &Request<'_>) -> Result<Self, NoObject> {
        let pod: Self = request.object()?;
        let count = [List::Init, List::Main, List::Ephemeral].map(|list| pod.slice(list).len()).iter().sum();
        if count > CONTAINERS_MAX { Err(NoObject::TooManyContainers(count, CONTAINERS_MAX)) } else { Ok(pod) }
    }

    /// What to call it. One without a name gets what its name will begin with.
    pub(crate) fn name(&self) -> &str {
        let Metadata { name, generate_name, .. } = &self.metadata;
        name.as_deref().filter(|name| !name.is_empty()).or(generate_name.as_deref()).unwrap_or_default()
    }

    /// Whether it says of itself that it runs on Windows. The kubelet of a Linux node starts no such pod, and the API server accepts
    /// none that names a Linux module.
    pub(crate) fn is_for_windows(&self) -> bool {
        self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
    }

    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.annotations.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The containers of one list, with their places.
    pub(crate) fn list(&self, list: List) -> impl Iterator<Item = (Place, &Container)> {
        let containers = self.slice(list).iter().enumerate();
        containers.map(move |(index, container)| (Place::Container(list, index), container))
    }

    fn slice(&self, list: List) -> &[Container] {
        match list {
            List::Init => &self.spec.init_containers,
            List::Main => &self.spec.containers,
            List::Ephemeral => &self.spec.ephemeral_containers,
        }
    }

    /// The containers that a pod is created with.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (Place, &Container)> {
        self.list(List::Init).chain(self.list(List::Main))
    }

    /// The ephemeral containers that the node has begun with.
    pub(crate) fn begun_ephemeral(&self) -> HashSet<&str> {
        self.status.ephemeral_container_statuses.iter().map(|status| status.name.as_str()).collect()
    }

    /// How the pod as a whole is confined.
    pub(crate) fn security_context(&self) -> Option<&SecurityContext> {
        self.spec.security_context.as_ref()
    }

    /// What says how a place is confined.
    pub(crate) fn security_context_of(&self, place: Place) -> Option<&SecurityContext> {
        match place {
            Place::Pod => self.spec.security_context.as_ref(),
            Place::Container(list, index) => self.slice(list).get(index)?.security_context.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_without_a_name_is_called_by_what_its_name_begins_with() {
        let name =
            |metadata: Value| serde_json::from_value::<Pod>(json!({"metadata": metadata})).unwrap().name().to_owned();
        assert_eq!(name(json!({"name": "a", "generateName": "b-"})), "a");
        assert_eq!(name(json!({"name": "", "generateName": "b-"})), "b-");
    }
}
