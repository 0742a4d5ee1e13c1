//! What the watches have shown so far: one small record per profile and node.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use spo_api::{ProfileKey, ProfileKind};

use super::decode::{self, Form, ProfileObject, Report, Uid};
use super::node::Nodes;
use crate::watch::Slim;

/// Everything that is known, and which profiles have to be looked at again.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    profiles: HashMap<ProfileKey, Profile>,
    nodes: Nodes,
    dirty: BTreeSet<ProfileKey>,
    /// Of every watch: what was there before it started again and has not been shown since.
    unseen: Unseen,
}

#[derive(Debug, Default)]
struct Unseen {
    profiles: BTreeSet<ProfileKey>,
    reports: BTreeSet<(ProfileKey, Arc<str>, Form)>,
    nodes: BTreeSet<Arc<str>>,
    daemons: BTreeSet<String>,
}

/// What is known of one profile.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// The object. `None` while only reports about it are known.
    pub(crate) object: Option<ProfileObject>,
    pub(crate) reports: BTreeMap<(Arc<str>, Form), Report>,
    /// When its current generation was first seen.
    pub(crate) since: Duration,
    /// When its status was last written by this process.
    pub(crate) written: Option<Duration>,
}

/// Which of the watches an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Watch {
    Profiles(ProfileKind),
    Reports,
    Nodes,
    Daemons,
}

/// What a watch shows.
#[derive(Debug)]
pub(crate) enum Change {
    /// All objects will be shown once more, then [`Change::Complete`].
    Restart,
    Applied(Slim),
    Removed(Slim),
    /// What was not shown since [`Change::Restart`] is gone.
    Complete,
}

impl Cluster {
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(crate) fn profile(&self, key: &ProfileKey) -> Option<&Profile> {
        self.profiles.get(key)
    }

    /// The profiles that changed since the last call.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<ProfileKey> {
        std::mem::take(&mut self.dirty)
    }

    /// Takes in what a watch shows.
    pub(crate) fn change(&mut self, watch: Watch, change: Change, now: Duration) {
        match change {
            Change::Restart => self.restart(watch),
            Change::Complete => self.complete(watch, now),
            Change::Applied(object) => match watch {
                Watch::Profiles(kind) => self.profile_applied(kind, object, now),
                Watch::Reports => self.report_applied(&object, now),
                Watch::Nodes => self.node_applied(&object, now),
                Watch::Daemons => self.daemon_applied(object, now),
            },
            Change::Removed(object) => match watch {
                Watch::Profiles(kind) => {
                    if let Some(key) = decode::profile_key(kind, &object) {
                        self.profile_removed(&key);
                    }
                }
                Watch::Reports => {
                    if let Some(place) = decode::place(&object) {
                        self.report_removed(&place.key, &place.node, place.form);
                    }
                }
                Watch::Nodes => self.node_removed(object.metadata.name.as_deref().unwrap_or_default(), now),
                Watch::Daemons => self.daemon_removed(object.metadata.name.as_deref().unwrap_or_default()),
            },
        }
    }

    /// A profile as the API server gave it back after a write of ours.
    pub(crate) fn written(&mut self, key: &ProfileKey, object: Slim, now: Duration) {
        if let Some(profile) = self.profiles.get_mut(key) {
            profile.written = Some(now);
            self.profile_applied(key.kind, object, now);
        }
    }

    fn profile_applied(&mut self, kind: ProfileKind, object: Slim, now: Duration) {
        let Some(key) = decode::profile_key(kind, &object) else { return };
        self.unseen.profiles.remove(&key);
        let new = decode::profile(&key, object);
        let profile = self.profiles.entry(key.clone()).or_default();
        let old = profile.object.as_ref();
        if old.is_some_and(|old| old.uid == new.uid && old.resource_version > new.resource_version) {
            return; // an event that was under way while a newer copy came with the answer to a write
        }
        if old.is_none_or(|old| old.uid != new.uid || old.generation != new.generation) {
            profile.since = now;
        }
        profile.object = Some(new);
        self.dirty.insert(key);
    }

    fn profile_removed(&mut self, key: &ProfileKey) {
        let Some(profile) = self.profiles.get_mut(key) else { return };
        profile.object = None;
        profile.written = None;
        if profile.reports.is_empty() {
            self.profiles.remove(key);
        }
        self.dirty.remove(key);
    }

    fn report_applied(&mut self, object: &Slim, now: Duration) {
        let Some(place) = decode::place(object) else { return };
        let reports = &mut self.profiles.entry(place.key.clone()).or_default().reports;
        let known = self.nodes.name(&place.node);
        let new = known.is_none_or(|node| !reports.contains_key(&(node, place.form)));
        let node = self.nodes.reported(&place.node, new, now);
        self.unseen.reports.remove(&(place.key.clone(), node.clone(), place.form));
        reports.insert((node, place.form), decode::report(place.form, object));
        self.dirty.insert(place.key);
    }

    fn report_removed(&mut self, key: &ProfileKey, node: &str, form: Form) {
        let Some(profile) = self.profiles.get_mut(key) else { return };
        if profile.reports.remove(&(node.into(), form)).is_some() {
            self.nodes.unreported(node);
        }
        if profile.object.is_some() {
            self.dirty.insert(key.clone());
        } else if profile.reports.is_empty() {
            self.profiles.remove(key);
        }
    }

    fn node_applied(&mut self, object: &Slim, now: Duration) {
        let Some(name) = object.metadata.name.as_deref() else { return };
        self.unseen.nodes.remove(name);
        if self.nodes.appeared(name, now) {
            self.all_dirty();
        }
    }

    fn node_removed(&mut self, name: &str, now: Duration) {
        if self.nodes.vanished(name, now) {
            self.all_dirty();
        }
    }

    fn daemon_applied(&mut self, object: Slim, now: Duration) {
        let ready = decode::pod_is_ready(&object);
        let (Some(pod), Some(node)) = (object.metadata.name, object.spec.node_name) else { return };
        self.unseen.daemons.remove(&pod);
        if self.nodes.daemon_appeared(pod, &node, ready, now) {
            self.all_dirty();
        }
    }

    fn daemon_removed(&mut self, pod: &str) {
        if self.nodes.daemon_vanished(pod).is_some() {
            self.all_dirty();
        }
    }

    fn restart(&mut self, watch: Watch) {
        match watch {
            Watch::Profiles(kind) => {
                let known = self.profiles.iter().filter(|(key, profile)| key.kind == kind && profile.object.is_some());
                self.unseen.profiles = known.map(|(key, _)| key.clone()).collect();
            }
            Watch::Reports => {
                let of_profile = |(key, profile): (&ProfileKey, &Profile)| {
                    let key = key.clone();
                    profile
                        .reports
                        .keys()
                        .cloned()
                        .map(move |(node, form)| (key.clone(), node, form))
                        .collect::<Vec<_>>()
                };
                self.unseen.reports = self.profiles.iter().flat_map(of_profile).collect();
            }
            Watch::Nodes => self.unseen.nodes = self.nodes.iter().map(|(name, _)| name.clone()).collect(),
            Watch::Daemons => self.unseen.daemons = self.nodes.daemon_pods().cloned().collect(),
        }
    }

    fn complete(&mut self, watch: Watch, now: Duration) {
        match watch {
            Watch::Profiles(kind) => {
                let (gone, others) =
                    std::mem::take(&mut self.unseen.profiles).into_iter().partition(|k| k.kind == kind);
                self.unseen.profiles = others;
                let gone: BTreeSet<ProfileKey> = gone;
                gone.iter().for_each(|key| self.profile_removed(key));
            }
            Watch::Reports => {
                for (key, node, form) in std::mem::take(&mut self.unseen.reports) {
                    self.report_removed(&key, &node, form);
                }
            }
            Watch::Nodes => {
                std::mem::take(&mut self.unseen.nodes).iter().for_each(|name| self.node_removed(name, now));
            }
            Watch::Daemons => {
                std::mem::take(&mut self.unseen.daemons).iter().for_each(|pod| self.daemon_removed(pod));
            }
        }
    }

    fn all_dirty(&mut self) {
        let known = self.profiles.iter().filter(|(_, profile)| profile.object.is_some());
        self.dirty.extend(known.map(|(key, _)| key.clone()));
    }
}

impl Profile {
    /// What the nodes say of the object `of`, the reference operator's word only where there is none of ours.
    pub(crate) fn reports_of(&self, of: Uid) -> BTreeMap<&Arc<str>, &Report> {
        let mut best = BTreeMap::new();
        for ((node, _), report) in self.reports.iter().filter(|(_, report)| report.owner == of) {
            best.entry(node).or_insert(report); // Form::Ours sorts first
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use spo_api::labels;

    use super::*;

    const KIND: ProfileKind = ProfileKind::Seccomp;
    const PROFILES: Watch = Watch::Profiles(KIND);

    fn key() -> ProfileKey {
        ProfileKey { kind: KIND, name: "web".parse().unwrap() }
    }

    fn profile(version: u64) -> Slim {
        serde_json::from_value(json!({"metadata": {"name": "web", "uid": "1", "resourceVersion": version.to_string(), "generation": version}}))
            .unwrap()
    }

    fn report(node: &str) -> Slim {
        serde_json::from_value(json!({
            "metadata": {"name": labels::node_status_name(&key(), node),
                "ownerReferences": [{"apiVersion": "v1", "kind": KIND.as_str(), "name": "web", "uid": "1", "controller": true}]},
            "spec": {"nodeName": node}, "status": {"status": "Installed"},
        }))
        .unwrap()
    }

    fn applied(cluster: &mut Cluster, watch: Watch, object: Slim) {
        cluster.change(watch, Change::Applied(object), Duration::ZERO);
    }

    #[test]
    fn an_older_copy_does_not_replace_a_newer_one() {
        let mut cluster = Cluster::default();
        applied(&mut cluster, PROFILES, profile(7));
        applied(&mut cluster, PROFILES, profile(5));
        assert_eq!(cluster.profile(&key()).unwrap().object.as_ref().unwrap().resource_version, 7);
    }

    #[test]
    fn w_op_16_events_of_many_nodes_make_one_profile_to_look_at() {
        let mut cluster = Cluster::default();
        applied(&mut cluster, PROFILES, profile(1));
        for node in 0..100 {
            applied(&mut cluster, Watch::Reports, report(&format!("node{node}")));
        }
        assert_eq!(cluster.take_dirty().into_iter().collect::<Vec<_>>(), [key()]);
        assert_eq!(cluster.profile(&key()).unwrap().reports.len(), 100);
    }

    #[test]
    fn what_a_restarted_watch_does_not_show_is_gone() {
        let mut cluster = Cluster::default();
        applied(&mut cluster, PROFILES, profile(1));
        applied(&mut cluster, Watch::Reports, report("node1"));
        applied(&mut cluster, Watch::Reports, report("node2"));
        cluster.change(Watch::Reports, Change::Restart, Duration::ZERO);
        applied(&mut cluster, Watch::Reports, report("node2"));
        cluster.change(Watch::Reports, Change::Complete, Duration::ZERO);
        let left: Vec<_> = cluster.profile(&key()).unwrap().reports.keys().map(|(node, _)| node.to_string()).collect();
        assert_eq!(left, ["node2"]);
    }

    #[test]
    fn reports_about_an_earlier_object_of_the_name_do_not_count() {
        let mut cluster = Cluster::default();
        applied(&mut cluster, PROFILES, profile(1));
        applied(&mut cluster, Watch::Reports, report("node1"));
        let known = cluster.profile(&key()).unwrap();
        assert_eq!(known.reports_of(Uid::from("1")).len(), 1);
        assert!(known.reports_of(Uid::from("2")).is_empty());
    }

    #[test]
    fn nothing_is_kept_of_a_profile_that_is_gone_with_its_reports() {
        let mut cluster = Cluster::default();
        applied(&mut cluster, PROFILES, profile(1));
        applied(&mut cluster, Watch::Reports, report("node1"));
        cluster.change(PROFILES, Change::Removed(profile(2)), Duration::ZERO);
        cluster.change(Watch::Reports, Change::Removed(report("node1")), Duration::ZERO);
        assert!(cluster.profile(&key()).is_none() && cluster.take_dirty().is_empty());
    }
}
