//! What the watches have shown so far: one small record per object, so that no request asks the API server.

mod configuration;
mod decode;
mod shown;

use std::sync::LazyLock;
use std::time::Duration;

use kube::runtime::watcher::Event;
use spo_api::{ProfileKey, ProfileKind, ProfileName};
use spo_lsm::Policy;

use configuration::Configuration;
pub(crate) use decode::{Binding, Profile, Recording, Reported, Specified};
use shown::Shown;

/// Everything that admission depends on beside the request.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    bindings: Shown<InNamespace, Binding>,
    recordings: Shown<InNamespace, Recording>,
    /// By kind, in the order of [`ProfileKind::ALL`].
    profiles: [Shown<ProfileName, Profile>; 4],
    configuration: Shown<String, Configuration>,
}

/// A namespace, and a name in it.
type InNamespace = (Box<str>, Box<str>);

/// What one watch shows.
#[derive(Debug)]
pub(crate) enum Change {
    Binding(Event<Specified>),
    Recording(Event<Specified>),
    Profile(ProfileKind, Event<Reported>),
    Configuration(Event<Specified>),
}

impl Observed {
    /// Whether all watches have shown their objects.
    pub(crate) fn is_complete(&self) -> bool {
        self.bindings.is_complete()
            && self.recordings.is_complete()
            && self.profiles.iter().all(Shown::is_complete)
            && self.configuration.is_complete()
    }

    /// The bindings of a namespace, by name.
    pub(crate) fn bindings<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a str, &'a Binding)> {
        of_namespace(&self.bindings, namespace)
    }

    /// The recordings of a namespace, by name.
    pub(crate) fn recordings<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a str, &'a Recording)> {
        of_namespace(&self.recordings, namespace)
    }

    pub(crate) fn profile(&self, key: &ProfileKey) -> Option<&Profile> {
        self.profiles[key.kind as usize].get(&key.name)
    }

    /// What the cluster's configuration says, or what counts where there is none.
    pub(crate) fn configuration(&self) -> &Configuration {
        static NONE: LazyLock<Configuration> = LazyLock::new(Configuration::default);
        self.configuration.iter().next().map_or(&NONE, |(_, configuration)| configuration)
    }

    /// What profiles may say, and which SelinuxProfiles they can build on.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = self.configuration().policy.clone();
        let there = self.profiles[ProfileKind::Selinux as usize].iter();
        policy.selinux.profiles =
            Some(there.map(|(name, profile)| (name.clone(), profile.inherits.to_vec())).collect());
        policy
    }

    /// Takes in what a watch shows. Says whether a request that waits for something may go on because of it.
    pub(crate) fn take_in(&mut self, change: Change, now: Duration) -> bool {
        match change {
            Change::Binding(event) => {
                self.bindings.take_in(event, in_namespace, |object, before| decode::binding(object, before, now));
            }
            Change::Recording(event) => {
                self.recordings.take_in(event, in_namespace, |object, _| decode::recording(object))
            }
            Change::Profile(kind, event) => {
                let key = |object: &Reported| object.metadata.name.as_deref()?.parse().ok();
                let record = |object: Reported, before: Option<&Profile>| Some(decode::profile(object, before, now));
                self.profiles[kind as usize].take_in(event, key, record);
            }
            Change::Configuration(event) => {
                let record = |object: Specified, _: Option<&Configuration>| configuration::read(object);
                self.configuration.take_in(event, |object| object.metadata.name.clone(), record);
            }
        }
        self.is_complete()
    }
}

fn in_namespace(object: &Specified) -> Option<InNamespace> {
    Some((object.metadata.namespace.as_deref()?.into(), object.metadata.name.as_deref()?.into()))
}

fn of_namespace<'a, V>(all: &'a Shown<InNamespace, V>, namespace: &'a str) -> impl Iterator<Item = (&'a str, &'a V)> {
    let from_first = all.range((namespace.into(), Box::default())..);
    from_first.take_while(move |((of, _), _)| **of == *namespace).map(|((_, name), record)| (&**name, record))
}
