//! Pods, and the bindings that apply to them.

use std::time::Duration;

use super::super::binding::Binding;
use super::super::pod::{Pod, Used};
use super::super::usage::Changed;
use super::super::{Object, Subject};
use super::{Change, Cluster};

/// A binding: its namespace, and its name there.
pub(super) type BindingKey = (Box<str>, Box<str>);

pub(super) fn binding_key(object: &Object) -> Option<BindingKey> {
    Some((object.metadata.namespace.as_deref()?.into(), object.metadata.name.as_deref()?.into()))
}

fn subject((namespace, name): BindingKey) -> Subject {
    Subject::Binding { namespace, name }
}

impl Cluster {
    /// Takes in what the watch of all pods shows.
    pub(crate) fn pods(&mut self, change: Change<Pod>) {
        match change {
            Change::Restart => self.usage.restart(),
            Change::Applied(pod) => self.usage.applied(&pod).into_iter().for_each(|changed| self.used(&changed)),
            Change::Removed(pod) => self.usage.removed(&pod).into_iter().for_each(|changed| self.used(&changed)),
            Change::Complete => self.usage.complete().iter().for_each(|changed| self.used(changed)),
        }
    }

    fn used(&mut self, changed: &Changed) {
        let profiles = changed.uses().into_iter().flat_map(Used::profiles);
        let known = profiles.filter(|key| self.profiles.get(key).is_some_and(|profile| profile.object.is_some()));
        self.dirty.extend(known.map(Subject::Profile));
        let Some((namespace, _)) = changed.pod.split_once('/') else { return };
        let first = (namespace.into(), Box::default());
        for (key, binding) in self.bindings.range_mut(first..).take_while(|((of, _), _)| **of == *namespace) {
            let applies = changed.after.as_ref().is_some_and(|shape| binding.applies_to(shape));
            let news =
                if applies { binding.users.insert(changed.pod.clone()) } else { binding.users.remove(&changed.pod) };
            if news {
                self.dirty.insert(subject(key.clone()));
            }
        }
    }

    pub(super) fn binding_applied(&mut self, object: Object) {
        let Some(key) = binding_key(&object) else { return };
        self.unseen.bindings.remove(&key);
        let mut new = Binding::of(object);
        if let Some(old) = self.bindings.get(&key) {
            if old.resource_version > new.resource_version {
                return; // an event that was under way while a newer copy came with the answer to a write
            }
            new.written = old.written;
        }
        let pods = self.usage.in_namespace(&key.0).filter(|(_, shape)| new.applies_to(shape));
        new.users = pods.map(|(pod, _)| pod.clone()).collect();
        self.bindings.insert(key.clone(), new);
        self.dirty.insert(subject(key));
    }

    pub(super) fn binding_removed(&mut self, key: &BindingKey) {
        self.bindings.remove(key);
        self.dirty.remove(&subject(key.clone()));
    }

    pub(super) fn binding_written(&mut self, key: &BindingKey, object: Object, now: Duration) {
        if let Some(binding) = self.bindings.get_mut(key) {
            binding.written = Some(now);
            self.binding_applied(object);
        }
    }
}
