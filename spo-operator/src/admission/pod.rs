//! The part of a pod that decides how it is confined, and the patch that changes it.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use k8s_openapi::api::core::v1::{AppArmorProfile, SELinuxOptions, SeccompProfile};
use serde::Deserialize;
use serde_json::{Value, json};

use super::review::or_default;

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
    annotations: Option<BTreeMap<String, String>>,
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

/// How a container, or a whole pod, is confined.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SecurityContext {
    pub(crate) privileged: Option<bool>,
    pub(crate) seccomp_profile: Option<SeccompProfile>,
    pub(crate) se_linux_options: Option<SELinuxOptions>,
    pub(crate) app_armor_profile: Option<AppArmorProfile>,
}

/// One of a pod's lists of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum List {
    Init,
    Main,
    Ephemeral,
}

/// What has a security context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Pod,
    Container(List, usize),
}

impl Place {
    fn tokens(self) -> Vec<String> {
        match self {
            Self::Pod => vec!["spec".to_owned()],
            Self::Container(list, index) => {
                let list = match list {
                    List::Init => "initContainers",
                    List::Main => "containers",
                    List::Ephemeral => "ephemeralContainers",
                };
                vec!["spec".to_owned(), list.to_owned(), index.to_string()]
            }
        }
    }
}

impl Pod {
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
        let containers = match list {
            List::Init => &self.spec.init_containers,
            List::Main => &self.spec.containers,
            List::Ephemeral => &self.spec.ephemeral_containers,
        };
        containers.iter().enumerate().map(move |(index, container)| (Place::Container(list, index), container))
    }

    /// The containers that a pod is created with.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (Place, &Container)> {
        self.list(List::Init).chain(self.list(List::Main))
    }

    /// Whether the node has begun with an ephemeral container.
    pub(crate) fn has_status_of(&self, ephemeral: &str) -> bool {
        self.status.ephemeral_container_statuses.iter().any(|status| status.name == ephemeral)
    }

    /// How the pod as a whole is confined.
    pub(crate) fn security_context(&self) -> Option<&SecurityContext> {
        self.spec.security_context.as_ref()
    }

    fn security_context_of(&self, place: Place) -> Option<&SecurityContext> {
        match place {
            Place::Pod => self.spec.security_context.as_ref(),
            Place::Container(list, index) => self.list(list).nth(index)?.1.security_context.as_ref(),
        }
    }
}

/// Changes of a pod, in the order in which they are to be made.
#[derive(Debug)]
pub(crate) struct Edit<'a> {
    pod: &'a Pod,
    operations: Vec<PatchOperation>,
    /// The objects that the operations so far have made.
    made: BTreeSet<PointerBuf>,
}

impl<'a> Edit<'a> {
    pub(crate) fn of(pod: &'a Pod) -> Self {
        Self { pod, operations: Vec::new(), made: BTreeSet::new() }
    }

    /// The patch that makes the changes.
    pub(crate) fn patch(self) -> Patch {
        Patch(self.operations)
    }

    /// Sets an annotation, whether there is one or not.
    pub(crate) fn annotate(&mut self, key: &str, value: &str) {
        let map = ["metadata", "annotations"].map(str::to_owned);
        self.make(self.pod.metadata.annotations.is_some(), &map);
        self.add(map.into_iter().chain([key.to_owned()]), value.into());
    }

    /// Removes an annotation of the pod.
    pub(crate) fn remove_annotation(&mut self, key: &str) {
        let path = PointerBuf::from_tokens(["metadata", "annotations", key]);
        self.operations.push(PatchOperation::Remove(RemoveOperation { path }));
    }

    /// Sets a field of a security context.
    pub(crate) fn secure(&mut self, place: Place, field: &str, value: Value) {
        let mut context = place.tokens();
        context.push("securityContext".to_owned());
        self.make(self.pod.security_context_of(place).is_some(), &context);
        context.push(field.to_owned());
        self.add(context, value);
    }

    /// Replaces the environment of a container.
    pub(crate) fn set_env(&mut self, place: Place, env: Vec<Value>) {
        self.add(place.tokens().into_iter().chain(["env".to_owned()]), env.into());
    }

    fn make(&mut self, there: bool, tokens: &[String]) {
        if !there && self.made.insert(PointerBuf::from_tokens(tokens)) {
            self.add(tokens.iter().cloned(), json!({}));
        }
    }

    /// `add` replaces a member that is there, and `replace` is refused where none is.
    fn add(&mut self, tokens: impl IntoIterator<Item = String>, value: Value) {
        let path = PointerBuf::from_tokens(tokens.into_iter().collect::<Vec<_>>());
        self.operations.push(PatchOperation::Add(AddOperation { path, value }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(mut pod: Value, edit: impl FnOnce(&mut Edit<'_>)) -> Value {
        let read: Pod = serde_json::from_value(pod.clone()).unwrap();
        let mut edits = Edit::of(&read);
        edit(&mut edits);
        json_patch::patch(&mut pod, &edits.patch()).unwrap();
        pod
    }

    #[test]
    fn objects_that_are_missing_are_made_once() {
        let pod = json!({"metadata": {}, "spec": {"containers": [{"name": "a"}]}});
        let place = Place::Container(List::Main, 0);
        let got = edited(pod, |edit| {
            edit.annotate("one", "1");
            edit.annotate("two", "2");
            edit.secure(place, "seccompProfile", 1.into());
            edit.secure(place, "appArmorProfile", 2.into());
        });
        let want = json!({"metadata": {"annotations": {"one": "1", "two": "2"}},
            "spec": {"containers": [{"name": "a", "securityContext": {"seccompProfile": 1, "appArmorProfile": 2}}]}});
        assert_eq!(got, want);
    }

    #[test]
    fn what_is_there_beside_stays() {
        let pod = json!({"metadata": {"annotations": {"b": "old", "c": "3"}},
            "spec": {"securityContext": {"runAsUser": 7, "unknown": {"deep": [1]}}, "containers": []}});
        let got = edited(pod, |edit| {
            edit.annotate("b", "new");
            edit.secure(Place::Pod, "seccompProfile", 1.into());
        });
        let want = json!({"metadata": {"annotations": {"b": "new", "c": "3"}},
            "spec": {"securityContext": {"runAsUser": 7, "unknown": {"deep": [1]}, "seccompProfile": 1}, "containers": []}});
        assert_eq!(got, want);
    }

    #[test]
    fn keys_with_slashes_and_tildes_are_one_token() {
        let pod = json!({"metadata": {"annotations": {"a/b~c": "1", "a~1b": "2"}}});
        let got = edited(pod, |edit| {
            edit.annotate("a/b~c", "3");
            edit.remove_annotation("a~1b");
            edit.annotate("~/", "4");
        });
        assert_eq!(got, json!({"metadata": {"annotations": {"a/b~c": "3", "~/": "4"}}}));
    }

    #[test]
    fn null_counts_as_absent() {
        let pod = json!({"metadata": {"annotations": null, "labels": null},
            "spec": {"securityContext": null, "initContainers": null, "containers": [{"name": "a", "env": null, "securityContext": null}]},
            "status": null});
        let got = edited(pod, |edit| {
            edit.annotate("a", "1");
            edit.secure(Place::Pod, "seccompProfile", 1.into());
            edit.secure(Place::Container(List::Main, 0), "seccompProfile", 2.into());
        });
        assert_eq!(got["metadata"]["annotations"], json!({"a": "1"}));
        assert_eq!(got["spec"]["securityContext"], json!({"seccompProfile": 1}));
        assert_eq!(got["spec"]["containers"][0]["securityContext"], json!({"seccompProfile": 2}));
    }

    #[test]
    fn a_pod_without_a_name_is_called_by_what_its_name_begins_with() {
        let name =
            |metadata: Value| serde_json::from_value::<Pod>(json!({"metadata": metadata})).unwrap().name().to_owned();
        assert_eq!(name(json!({"name": "a", "generateName": "b-"})), "a");
        assert_eq!(name(json!({"name": "", "generateName": "b-"})), "b-");
    }
}
