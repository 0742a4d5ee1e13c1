//! The patch that changes a pod: only what it means to, and so that a strict reader of RFC 6902 can apply it.

use std::collections::BTreeSet;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use serde_json::{Value, json};

use super::pod::{Place, Pod};

/// Changes of a pod, in the order in which they are to be made.
#[derive(Debug)]
pub(crate) struct Edit<'a> {
    pod: &'a Pod,
    operations: Vec<PatchOperation>,
    /// What the operations so far have made or removed, and cannot again.
    done: BTreeSet<PointerBuf>,
}

impl<'a> Edit<'a> {
    pub(crate) fn of(pod: &'a Pod) -> Self {
        Self { pod, operations: Vec::new(), done: BTreeSet::new() }
    }

    /// The patch that makes the changes.
    pub(crate) fn patch(self) -> Patch {
        Patch(self.operations)
    }

    /// Sets an annotation, whether there is one or not.
    pub(crate) fn annotate(&mut self, key: &str, value: &str) {
        let map = PointerBuf::from_tokens(["metadata", "annotations"]);
        self.add_to(map, self.pod.metadata.annotations.is_some(), key, value.into());
    }

    /// Removes an annotation of the pod.
    pub(crate) fn remove_annotation(&mut self, key: &str) {
        let path = PointerBuf::from_tokens(["metadata", "annotations", key]);
        if self.done.insert(path.clone()) {
            self.operations.push(PatchOperation::Remove(RemoveOperation { path }));
        }
    }

    /// Sets a field of a security context.
    pub(crate) fn secure(&mut self, place: Place, field: &str, value: Value) {
        let mut context = path(place);
        context.push_back("securityContext");
        self.add_to(context, self.pod.security_context_of(place).is_some(), field, value);
    }

    /// Replaces the environment of a container.
    pub(crate) fn set_env(&mut self, place: Place, env: Vec<Value>) {
        let mut path = path(place);
        path.push_back("env");
        self.add(path, env.into());
    }

    /// Sets a member of an object, which is made where it is not there.
    fn add_to(&mut self, mut object: PointerBuf, there: bool, member: &str, value: Value) {
        if !there && self.done.insert(object.clone()) {
            self.add(object.clone(), json!({}));
        }
        object.push_back(member);
        self.add(object, value);
    }

    /// `add` replaces a member that is there, and `replace` is refused where none is.
    fn add(&mut self, path: PointerBuf, value: Value) {
        self.operations.push(PatchOperation::Add(AddOperation { path, value }));
    }
}

fn path(place: Place) -> PointerBuf {
    let mut path = PointerBuf::from_tokens(["spec"]);
    if let Place::Container(list, index) = place {
        path.push_back(list.as_str());
        path.push_back(index);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::pod::List;
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
}
