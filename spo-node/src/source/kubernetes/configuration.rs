//! What the cluster's configuration permits profiles to contain, as its watch shows it.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use spo_lsm::Policy;

use super::object::{self, Object};
use crate::source::Permitted;

/// The configuration objects that there are: one, as a rule.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// What each permits, by namespace and name.
    objects: BTreeMap<String, Permitted>,
    /// The list that is just being shown.
    listing: BTreeMap<String, Permitted>,
    known: bool,
    /// What was last asked for.
    told: Option<Permitted>,
}

impl Configuration {
    pub(super) fn take_in(&mut self, event: Event<Object>) {
        match event {
            Event::Init => self.listing = BTreeMap::new(),
            Event::InitApply(object) => _ = self.listing.insert(name(&object), permitted(object)),
            Event::InitDone => {
                self.objects = std::mem::take(&mut self.listing);
                self.known = true;
            }
            Event::Apply(object) => _ = self.objects.insert(name(&object), permitted(object)),
            Event::Delete(object) => _ = self.objects.remove(&name(&object)),
        }
    }

    /// Whether it is known whether there is one.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// Whether it permits something else than when this was last asked.
    pub(super) fn is_news(&mut self) -> bool {
        let now = Some(self.permitted());
        let is_news = self.told != now;
        self.told = now;
        is_news
    }

    /// What it permits; the first, if there are several.
    pub(super) fn permitted(&self) -> Permitted {
        self.objects.values().next().cloned().unwrap_or_else(|| Ok(Policy::default()))
    }
}

fn name(object: &Object) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

fn permitted(object: Object) -> Permitted {
    let name = name(&object);
    object::policy(object).map_err(|violation| format!("SecurityProfilesOperatorDaemon {name}: {violation}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spod(spec: Value) -> Object {
        serde_json::from_value(json!({"metadata": {"name": "spod", "namespace": "spo"}, "spec": spec})).unwrap()
    }

    fn only(call: &str) -> Permitted {
        Ok(Policy { allowed_syscalls: Some([call.to_owned()].into()), ..Policy::default() })
    }

    #[test]
    fn a_change_of_what_is_permitted_is_news_once() {
        let mut configuration = Configuration::default();
        configuration.take_in(Event::Init);
        configuration.take_in(Event::InitApply(spod(json!({"security": {"allowedSyscalls": ["read"]}}))));
        assert!(!configuration.is_known());
        configuration.take_in(Event::InitDone);
        assert!(configuration.is_known() && configuration.is_news() && !configuration.is_news());
        assert_eq!(configuration.permitted(), only("read"));
        configuration.take_in(Event::Apply(spod(json!({"verbosity": 1, "security": {"allowedSyscalls": ["read"]}}))));
        assert!(!configuration.is_news(), "what else it says is no matter here");
        configuration.take_in(Event::Delete(spod(json!({}))));
        assert!(configuration.is_news());
        assert_eq!(configuration.permitted(), Ok(Policy::default()));
    }

    #[test]
    fn what_cannot_be_understood_permits_nothing_and_says_why() {
        let mut configuration = Configuration::default();
        configuration.take_in(Event::Apply(spod(json!({"security": {"allowedSyscalls": "read"}}))));
        let why = configuration.permitted().unwrap_err();
        assert!(why.starts_with("SecurityProfilesOperatorDaemon spo/spod: spec.security.allowedSyscalls: "), "{why}");
    }
}
