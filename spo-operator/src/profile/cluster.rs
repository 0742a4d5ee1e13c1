//! What the watches have shown so far: one small record per profile and node, and one per pod that uses a profile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use spo_api::{ProfileKey, ProfileKind};
use spo_lsm::Policy;

use super::binding::Binding;
use super::decode::{self, Form, ProfileObject, Report, Uid};
use super::home::Home;
use super::judge::Judged;
use super::node::Nodes;
use super::usage::{PodId, Usage};
use super::{Object, Subject};

mod reports;
mod settings;
mod workloads;

use workloads::{BindingKey, binding_key};

/// Everything that is known, and what has to be looked at again.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    profiles: HashMap<ProfileKey, Profile>,
    bindings: BTreeMap<BindingKey, Binding>,
    nodes: Nodes,
    usage: Usage,
    policy: Policy,
    home: Home,
    dirty: BTreeSet<Subject>,
    /// Profiles whose `spec` has changed, so that others which build on them may have to be looked at.
    rewritten: BTreeSet<ProfileKey>,
    /// Of every watch: what was there before it started again and has not been shown since.
    unseen: Unseen,
}

#[derive(Debug, Default)]
struct Unseen {
    profiles: BTreeSet<ProfileKey>,
    reports: BTreeSet<(ProfileKey, Arc<str>, Form)>,
    nodes: BTreeSet<Arc<str>>,
    daemons: BTreeSet<String>,
    bindings: BTreeSet<BindingKey>,
    configuration: bool,
    deployment: bool,
}

/// What is known of one profile.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// The object. `None` while only reports about it are known.
    pub(crate) object: Option<ProfileObject>,
    pub(crate) reports: BTreeMap<(Arc<str>, Form), Report>,
    /// What its text says. `None` if that has to be found out again.
    pub(crate) judged: Option<Judged>,
    /// When its current generation was first seen; without an object, when it was last seen to go, or to be collected.
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
    Bindings,
    Configuration,
    /// The operator's own.
    Deployment,
    /// The operator's own.
    Namespace,
}

/// What a watch shows.
#[derive(Debug)]
pub(crate) enum Change<O = Object> {
    /// All objects will be shown once more, then [`Change::Complete`].
    Restart,
    Applied(O),
    Removed(O),
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

    pub(crate) fn binding(&self, namespace: &str, name: &str) -> Option<&Binding> {
        self.bindings.get(&(namespace.into(), name.into()))
    }

    /// The pods that use a profile.
    pub(crate) fn users(&self, key: &ProfileKey) -> Option<&BTreeSet<PodId>> {
        self.usage.of(key)
    }

    /// Whether the operator is being removed.
    pub(crate) fn is_going(&self) -> bool {
        self.home.is_going()
    }

    /// What changed since the last call.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<Subject> {
        self.judge_anew();
        std::mem::take(&mut self.dirty)
    }

    /// Takes in what a watch shows.
    pub(crate) fn change(&mut self, watch: Watch, change: Change, now: Duration) {
        match change {
            Change::Restart => self.restart(watch),
            Change::Complete => self.complete(watch, now),
            Change::Applied(object) => self.applied(watch, object, now),
            Change::Removed(object) => self.removed(watch, &object, now),
        }
    }

    /// An object as the API server gave it back after a write of ours. One that went meanwhile stays away.
    pub(crate) fn written(&mut self, subject: &Subject, object: Object, now: Duration) {
        match subject {
            Subject::Profile(key) => {
                let uid = Uid::from(object.metadata.uid.as_deref().unwrap_or_default());
                let profile = self.profiles.get_mut(key);
                if let Some(profile) =
                    profile.filter(|profile| profile.object.as_ref().is_some_and(|one| one.uid == uid))
                {
                    profile.written = Some(now);
                    self.profile_applied(key.kind, object, now);
                }
            }
            Subject::Binding { namespace, name } => {
                self.binding_written(&(namespace.clone(), name.clone()), object, now);
            }
        }
    }

    fn applied(&mut self, watch: Watch, object: Object, now: Duration) {
        let is_being_deleted = object.metadata.deletion_timestamp.is_some();
        match watch {
            Watch::Profiles(kind) => self.profile_applied(kind, object, now),
            Watch::Reports => self.report_applied(&object, now),
            Watch::Nodes => self.node_applied(&object, now),
            Watch::Daemons => self.daemon_applied(&object, now),
            Watch::Bindings => self.binding_applied(object),
            Watch::Configuration => {
                self.unseen.configuration = false;
                self.configured(object);
            }
            Watch::Deployment => {
                self.unseen.deployment = false;
                self.at_home(|home| home.deployment(is_being_deleted));
            }
            Watch::Namespace => self.at_home(|home| home.namespace(is_being_deleted)),
        }
    }

    fn removed(&mut self, watch: Watch, object: &Object, now: Duration) {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        match watch {
            Watch::Profiles(kind) => {
                decode::profile_key(kind, object).iter().for_each(|key| self.profile_removed(key, now));
            }
            Watch::Reports => {
                if let Some(place) = decode::place(object) {
                    self.report_removed(&place.key, &place.node, place.form, now);
                }
            }
            Watch::Nodes => self.node_removed(name, now),
            Watch::Daemons => self.daemon_removed(name),
            Watch::Bindings => binding_key(object).iter().for_each(|key| self.binding_removed(key)),
            Watch::Configuration => self.permit(Policy::default()),
            Watch::Deployment => self.at_home(Home::no_deployment),
            Watch::Namespace => self.at_home(|home| home.namespace(true)),
        }
    }

    fn restart(&mut self, watch: Watch) {
        match watch {
            Watch::Profiles(kind) => {
                let known = self.profiles.iter().filter(|(key, profile)| key.kind == kind && profile.object.is_some());
                self.unseen.profiles.extend(known.map(|(key, _)| key.clone()));
            }
            Watch::Reports => {
                let all = self.profiles.iter().flat_map(|(key, profile)| {
                    profile.reports.keys().map(|(node, form)| (key.clone(), node.clone(), *form))
                });
                self.unseen.reports = all.collect();
            }
            Watch::Nodes => self.unseen.nodes = self.nodes.iter().map(|(name, _)| name.clone()).collect(),
            Watch::Daemons => self.unseen.daemons = self.nodes.daemon_pods().cloned().collect(),
            Watch::Bindings => self.unseen.bindings = self.bindings.keys().cloned().collect(),
            Watch::Configuration => self.unseen.configuration = true,
            Watch::Deployment => self.unseen.deployment = true,
            Watch::Namespace => {}
        }
    }

    fn complete(&mut self, watch: Watch, now: Duration) {
        match watch {
            Watch::Profiles(kind) => {
                let (gone, others) =
                    std::mem::take(&mut self.unseen.profiles).into_iter().partition(|k| k.kind == kind);
                self.unseen.profiles = others;
                let gone: BTreeSet<ProfileKey> = gone;
                gone.iter().for_each(|key| self.profile_removed(key, now));
            }
            Watch::Reports => {
                for (key, node, form) in std::mem::take(&mut self.unseen.reports) {
                    self.report_removed(&key, &node, form, now);
                }
            }
            Watch::Nodes => {
                std::mem::take(&mut self.unseen.nodes).iter().for_each(|name| self.node_removed(name, now));
            }
            Watch::Daemons => {
                std::mem::take(&mut self.unseen.daemons).iter().for_each(|pod| self.daemon_removed(pod));
            }
            Watch::Bindings => {
                std::mem::take(&mut self.unseen.bindings).iter().for_each(|key| self.binding_removed(key));
            }
            Watch::Configuration if std::mem::take(&mut self.unseen.configuration) => self.permit(Policy::default()),
            Watch::Deployment if std::mem::take(&mut self.unseen.deployment) => self.at_home(Home::no_deployment),
            Watch::Configuration | Watch::Deployment | Watch::Namespace => {}
        }
    }

    fn all_dirty(&mut self) {
        let known = self.profiles.iter().filter(|(_, profile)| profile.object.is_some());
        self.dirty.extend(known.map(|(key, _)| Subject::Profile(key.clone())));
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
mod tests;
