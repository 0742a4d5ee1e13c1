//! What the API server says that this node reported.

use std::collections::{HashMap, HashSet};

use kube::runtime::watcher::Event;
use spo_api::node_status::v1::{SecurityProfileNodeStatus, SecurityProfileNodeStatusSpec};
use spo_api::{ProfileKey, ProfileKind, labels};

use super::object::Object;

/// The node statuses of one node, as far as their watch has shown them.
#[derive(Debug)]
pub(super) struct Statuses {
    node: String,
    ours: HashMap<ProfileKey, SecurityProfileNodeStatus>,
    /// The names of those that a reference operator's daemon made for the same profile and node.
    legacy: HashMap<ProfileKey, String>,
    /// While a list is shown: what it has not shown yet.
    unseen: Option<HashSet<ProfileKey>>,
    complete: bool,
}

/// Who made a node status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Ours,
    Legacy,
}

impl Statuses {
    pub(super) fn new(node: String) -> Self {
        Self { node, ours: HashMap::new(), legacy: HashMap::new(), unseen: None, complete: false }
    }

    /// Whether all of them were shown once.
    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    /// What this node reported of a profile.
    pub(super) fn get(&self, key: &ProfileKey) -> Option<&SecurityProfileNodeStatus> {
        self.ours.get(key)
    }

    /// The name of the status that a reference operator's daemon left for a profile.
    pub(super) fn legacy(&self, key: &ProfileKey) -> Option<&str> {
        self.legacy.get(key).map(String::as_str)
    }

    /// Takes in what a watch shows, and gives back for which profiles it is not what was known.
    pub(super) fn take_in(&mut self, event: Event<Object>) -> Vec<ProfileKey> {
        match event {
            Event::Init => self.unseen = Some(self.ours.keys().cloned().collect()),
            Event::InitApply(object) | Event::Apply(object) => return self.applied(object).into_iter().collect(),
            Event::Delete(object) => return self.deleted(&object).into_iter().collect(),
            Event::InitDone => {
                self.complete = true;
                let gone: Vec<ProfileKey> = self.unseen.take().into_iter().flatten().collect();
                gone.iter().for_each(|key| drop(self.ours.remove(key)));
                return gone;
            }
        }
        Vec::new()
    }

    /// A status as the API server gave it back after a write.
    pub(super) fn written(&mut self, object: Object) {
        self.applied(object);
    }

    /// A status that a write did not find.
    pub(super) fn forget(&mut self, key: &ProfileKey) {
        self.ours.remove(key);
    }

    fn applied(&mut self, object: Object) -> Option<ProfileKey> {
        let (key, form) = self.place(&object)?;
        if let Some(unseen) = &mut self.unseen {
            unseen.remove(&key);
        }
        if form == Form::Legacy {
            self.legacy.insert(key.clone(), object.metadata.name.unwrap_or_default());
            return Some(key);
        }
        let new = status(object, &self.node);
        let old = self.ours.get(&key);
        if old.is_some_and(|old| is_older(&new, old)) {
            return None; // it was under way while the answer to a write brought a newer one
        }
        let news = old.is_none_or(|old| old.metadata.resource_version != new.metadata.resource_version);
        self.ours.insert(key.clone(), new);
        news.then_some(key)
    }

    fn deleted(&mut self, object: &Object) -> Option<ProfileKey> {
        let (key, form) = self.place(object)?;
        match form {
            Form::Ours => drop(self.ours.remove(&key)),
            Form::Legacy => drop(self.legacy.remove(&key)),
        }
        Some(key)
    }

    /// Which profile an object is about. `None` for what is not about this node, or has a name that nobody gives.
    fn place(&self, object: &Object) -> Option<(ProfileKey, Form)> {
        let owner = object.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
        let kind = ProfileKind::from_kind(&owner.kind)?;
        let key = ProfileKey { kind, name: owner.name.parse().ok()? };
        if object.spec["nodeName"].as_str() != Some(&self.node) {
            return None;
        }
        let name = object.metadata.name.as_deref()?;
        if name == labels::node_status_name(&key, &self.node) {
            return Some((key, Form::Ours));
        }
        let legacy = name == labels::legacy_node_status_name(key.name.as_str(), &self.node);
        legacy.then_some((key, Form::Legacy))
    }
}

fn status(object: Object, node: &str) -> SecurityProfileNodeStatus {
    SecurityProfileNodeStatus {
        metadata: object.metadata,
        spec: SecurityProfileNodeStatusSpec { node_name: node.to_owned() },
        status: serde_json::from_value(object.status).ok(),
    }
}

fn is_older(new: &SecurityProfileNodeStatus, old: &SecurityProfileNodeStatus) -> bool {
    let version =
        |status: &SecurityProfileNodeStatus| -> Option<u64> { status.metadata.resource_version.as_ref()?.parse().ok() };
    new.metadata.uid == old.metadata.uid && version(new) < version(old)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NODE: &str = "node1";

    fn key() -> ProfileKey {
        ProfileKey { kind: ProfileKind::Seccomp, name: "web".parse().unwrap() }
    }

    fn object(name: &str, version: u64) -> Object {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": "s1", "resourceVersion": version.to_string(),
                "ownerReferences": [{"apiVersion": "v1", "kind": "SeccompProfile", "name": "web", "uid": "1", "controller": true}]},
            "spec": {"nodeName": NODE},
            "status": {"status": "Installed"},
        }))
        .unwrap()
    }

    fn ours(version: u64) -> Object {
        object(&labels::node_status_name(&key(), NODE), version)
    }

    #[test]
    fn an_older_copy_does_not_replace_the_answer_to_a_write() {
        let mut statuses = Statuses::new(NODE.to_owned());
        statuses.written(ours(7));
        assert_eq!(statuses.take_in(Event::Apply(ours(5))), []);
        assert_eq!(statuses.get(&key()).unwrap().metadata.resource_version.as_deref(), Some("7"));
    }

    #[test]
    fn the_echo_of_a_write_is_no_news() {
        let mut statuses = Statuses::new(NODE.to_owned());
        statuses.written(ours(7));
        assert_eq!(statuses.take_in(Event::Apply(ours(7))), []);
        assert_eq!(statuses.take_in(Event::Apply(ours(8))), [key()]);
    }

    #[test]
    fn w_op_18_the_status_of_a_reference_daemon_is_recognised() {
        let mut statuses = Statuses::new(NODE.to_owned());
        statuses.take_in(Event::InitApply(object("web-node1", 1)));
        assert_eq!((statuses.legacy(&key()), statuses.get(&key())), (Some("web-node1"), None));
        statuses.take_in(Event::Delete(object("web-node1", 2)));
        assert_eq!(statuses.legacy(&key()), None);
    }

    #[test]
    fn what_a_new_list_does_not_show_is_news() {
        let mut statuses = Statuses::new(NODE.to_owned());
        statuses.take_in(Event::Apply(ours(1)));
        statuses.take_in(Event::Init);
        assert_eq!(statuses.take_in(Event::InitDone), [key()]);
        assert!(statuses.complete() && statuses.get(&key()).is_none());
    }

    #[test]
    fn statuses_of_other_nodes_do_not_count() {
        let mut statuses = Statuses::new("node2".to_owned());
        assert_eq!(statuses.take_in(Event::Apply(ours(1))), []);
    }
}
