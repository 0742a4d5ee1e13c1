//! What the watch of profiles has shown and the daemon has not fetched yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kube::runtime::watcher::Event;
use spo_api::{ProfileKey, ProfileKind};

use super::object::{self, Object, Version};
use crate::source::{Change, Desired};

/// Changes that wait to be fetched.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// All profiles that there are.
    known: HashMap<ProfileKey, Version>,
    /// The lists that are just being shown, each of one kind.
    listing: BTreeMap<ProfileKind, BTreeMap<ProfileKey, Desired>>,
    /// The kinds that were listed once. Nothing is given before all are.
    listed: BTreeSet<ProfileKind>,
    told: bool,
    changed: BTreeMap<ProfileKey, Desired>,
    gone: BTreeSet<ProfileKey>,
}

impl Inbox {
    /// Takes in what the watch of a kind shows, and gives back which profiles are gone.
    pub(super) fn take_in(&mut self, kind: ProfileKind, event: Event<Object>) -> Vec<ProfileKey> {
        match event {
            Event::Init => _ = self.listing.insert(kind, BTreeMap::new()),
            Event::InitApply(object) => {
                if let Some((desired, _)) = read(kind, object)
                    && let Some(listing) = self.listing.get_mut(&kind)
                {
                    listing.insert(desired.key.clone(), desired);
                }
            }
            Event::InitDone => return self.listed(kind),
            Event::Apply(object) => self.applied(kind, object),
            Event::Delete(object) => return self.deleted(kind, &object),
        }
        Vec::new()
    }

    /// Whether there is a profile of that key that is this very object.
    pub(super) fn exists(&self, key: &ProfileKey, uid: Option<&str>) -> bool {
        self.known.get(key).is_some_and(|known| known.uid.as_deref() == uid)
    }

    /// The next change, with at most `limit` profiles if it is not a whole list.
    pub(super) fn take(&mut self, limit: usize) -> Option<Change> {
        if self.listed.len() < ProfileKind::ALL.len() {
            return None;
        }
        if !self.told {
            self.told = true;
            self.gone.clear();
            let profiles = std::mem::take(&mut self.changed).into_values().collect();
            return Some(Change::All { profiles, complete: true });
        }
        if self.changed.is_empty() && self.gone.is_empty() {
            return None;
        }
        let rest = self.changed.keys().nth(limit).cloned().map(|first| self.changed.split_off(&first));
        let changed = std::mem::replace(&mut self.changed, rest.unwrap_or_default()).into_values().collect();
        Some(Change::Some { changed, gone: std::mem::take(&mut self.gone).into_iter().collect() })
    }

    /// The list of a kind is whole. What is as it was before is no news.
    fn listed(&mut self, kind: ProfileKind) -> Vec<ProfileKey> {
        let list = self.listing.remove(&kind).unwrap_or_default();
        self.listed.insert(kind);
        let is_gone = |key: &&ProfileKey| key.kind == kind && !list.contains_key(key);
        let gone: Vec<ProfileKey> = self.known.keys().filter(is_gone).cloned().collect();
        gone.iter().for_each(|key| self.forget(key));
        for (key, desired) in list {
            let version = seen(&desired);
            if self.known.get(&key) != Some(&version) {
                self.put(key, desired, version);
            }
        }
        gone
    }

    fn applied(&mut self, kind: ProfileKind, object: Object) {
        let version = object::version(&object);
        if object::key(kind, &object).is_some_and(|key| self.known.get(&key) == Some(&version)) {
            return;
        }
        let Some((desired, version)) = read(kind, object) else { return };
        self.put(desired.key.clone(), desired, version);
    }

    fn put(&mut self, key: ProfileKey, desired: Desired, version: Version) {
        self.known.insert(key.clone(), version);
        self.gone.remove(&key);
        self.changed.insert(key, desired);
    }

    fn deleted(&mut self, kind: ProfileKind, object: &Object) -> Vec<ProfileKey> {
        let Some(key) = object::key(kind, object) else { return Vec::new() };
        self.forget(&key);
        vec![key]
    }

    fn forget(&mut self, key: &ProfileKey) {
        self.known.remove(key);
        self.changed.remove(key);
        self.gone.insert(key.clone());
    }
}

fn read(kind: ProfileKind, object: Object) -> Option<(Desired, Version)> {
    let Some(key) = object::key(kind, &object) else {
        tracing::warn!(name = object.metadata.name, "a profile has a name that no file can have; it is left out");
        return None;
    };
    let version = object::version(&object);
    Some((object::desired(key, &version, object), version))
}

fn seen(desired: &Desired) -> Version {
    Version {
        uid: desired.object.uid.clone(),
        generation: desired.generation,
        want: desired.want,
        partial: desired.partial,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KIND: ProfileKind = ProfileKind::Seccomp;

    fn profile(name: &str, generation: i64) -> Object {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": "1", "generation": generation},
            "spec": {"defaultAction": "SCMP_ACT_ALLOW"},
        }))
        .unwrap()
    }

    fn listed(names: &[&str]) -> Inbox {
        let mut inbox = others_listed();
        list(&mut inbox, names);
        inbox
    }

    /// An inbox that knows that there are no profiles of other kinds.
    fn others_listed() -> Inbox {
        let mut inbox = Inbox::default();
        for kind in ProfileKind::ALL.into_iter().filter(|kind| *kind != KIND) {
            inbox.take_in(kind, Event::Init);
            inbox.take_in(kind, Event::InitDone);
        }
        inbox
    }

    fn list(inbox: &mut Inbox, names: &[&str]) -> Vec<ProfileKey> {
        inbox.take_in(KIND, Event::Init);
        for name in names {
            inbox.take_in(KIND, Event::InitApply(profile(name, 1)));
        }
        inbox.take_in(KIND, Event::InitDone)
    }

    /// `all:`, `changed:` and `gone:` with the names.
    fn shown(change: Option<Change>) -> Option<String> {
        let names = |list: Vec<Desired>| list.iter().map(|d| d.key.name.as_str()).collect::<Vec<_>>().join(" ");
        Some(match change? {
            Change::All { profiles, .. } => format!("all: {}", names(profiles)),
            Change::Some { changed, gone } => {
                let gone: Vec<_> = gone.iter().map(|key| key.name.as_str()).collect();
                format!("changed: {}, gone: {}", names(changed), gone.join(" "))
            }
        })
    }

    #[test]
    fn nothing_is_given_before_every_list_is_whole() {
        let mut inbox = Inbox::default();
        list(&mut inbox, &["a"]);
        assert_eq!(shown(inbox.take(9)), None, "other kinds were not listed yet");
        let mut inbox = others_listed();
        inbox.take_in(KIND, Event::Init);
        inbox.take_in(KIND, Event::InitApply(profile("a", 1)));
        assert_eq!(shown(inbox.take(9)), None);
        inbox.take_in(KIND, Event::InitDone);
        assert_eq!(shown(inbox.take(9)).unwrap(), "all: a");
        assert_eq!(shown(inbox.take(9)), None);
    }

    #[test]
    fn changes_before_the_list_is_fetched_become_part_of_it() {
        let mut inbox = listed(&["a", "b"]);
        inbox.take_in(KIND, Event::Apply(profile("c", 1)));
        inbox.take_in(KIND, Event::Delete(profile("a", 1)));
        assert_eq!(shown(inbox.take(9)).unwrap(), "all: b c");
    }

    #[test]
    fn only_new_generations_are_changes() {
        let mut inbox = listed(&["a", "b"]);
        inbox.take(9);
        inbox.take_in(KIND, Event::Apply(profile("a", 1)));
        assert_eq!(shown(inbox.take(9)), None);
        inbox.take_in(KIND, Event::Apply(profile("a", 2)));
        inbox.take_in(KIND, Event::Delete(profile("b", 1)));
        assert_eq!(shown(inbox.take(9)).unwrap(), "changed: a, gone: b");
    }

    #[test]
    fn a_profile_that_came_back_is_changed_and_not_gone() {
        let mut inbox = listed(&["a"]);
        inbox.take(9);
        inbox.take_in(KIND, Event::Delete(profile("a", 1)));
        inbox.take_in(KIND, Event::Apply(profile("a", 1)));
        assert_eq!(shown(inbox.take(9)).unwrap(), "changed: a, gone: ");
    }

    #[test]
    fn many_changes_come_in_parts() {
        let mut inbox = listed(&[]);
        inbox.take(9);
        for name in ["a", "b", "c"] {
            inbox.take_in(KIND, Event::Apply(profile(name, 1)));
        }
        assert_eq!(shown(inbox.take(2)).unwrap(), "changed: a b, gone: ");
        assert_eq!(shown(inbox.take(2)).unwrap(), "changed: c, gone: ");
    }

    #[test]
    fn a_second_list_tells_what_went_while_nobody_watched() {
        let mut inbox = listed(&["a", "b"]);
        inbox.take(9);
        let gone = list(&mut inbox, &["b"]);
        assert_eq!(gone.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(shown(inbox.take(9)).unwrap(), "changed: , gone: a");
    }

    #[test]
    fn the_same_name_of_another_kind_is_another_profile() {
        let mut inbox = listed(&["a"]);
        inbox.take(9);
        inbox.take_in(ProfileKind::AppArmor, Event::Init);
        assert_eq!(inbox.take_in(ProfileKind::AppArmor, Event::InitDone), []);
        assert_eq!(shown(inbox.take(9)), None);
    }

    #[test]
    fn an_object_of_the_same_name_is_another_one() {
        let inbox = listed(&["a"]);
        let key = ProfileKey { kind: KIND, name: "a".parse().unwrap() };
        assert!(inbox.exists(&key, Some("1")) && !inbox.exists(&key, Some("2")));
    }
}
