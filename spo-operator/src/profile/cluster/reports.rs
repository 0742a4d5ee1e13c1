//! Profiles, what nodes say of them, and the nodes.

use std::time::Duration;

use spo_api::{ProfileKey, ProfileKind};

use super::super::decode::{self, Form};
use super::super::{Object, Subject};
use super::{Cluster, Profile};

impl Cluster {
    pub(super) fn profile_applied(&mut self, kind: ProfileKind, object: Object, now: Duration) {
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
            self.rewritten.insert(key.clone());
        }
        if old.is_some_and(|old| (old.syscalls, old.labelled) != (new.syscalls, new.labelled)) {
            profile.judged = None;
        }
        profile.object = Some(new);
        self.dirty.insert(Subject::Profile(key));
    }

    pub(super) fn profile_removed(&mut self, key: &ProfileKey, now: Duration) {
        let Some(profile) = self.profiles.get_mut(key) else { return };
        (profile.object, profile.written, profile.since) = (None, None, now);
        self.rewritten.insert(key.clone());
        if profile.reports.is_empty() {
            self.profiles.remove(key);
            self.dirty.remove(&Subject::Profile(key.clone()));
        } else {
            self.dirty.insert(Subject::Profile(key.clone()));
        }
    }

    pub(super) fn report_applied(&mut self, object: &Object, now: Duration) {
        let Some(place) = decode::place(object) else { return };
        let unknown = || Profile { since: now, ..Profile::default() };
        let reports = &mut self.profiles.entry(place.key.clone()).or_insert_with(unknown).reports;
        let known = self.nodes.name(&place.node);
        let new = known.is_none_or(|node| !reports.contains_key(&(node, place.form)));
        let node = self.nodes.reported(&place.node, new, now);
        self.unseen.reports.remove(&(place.key.clone(), node.clone(), place.form));
        reports.insert((node, place.form), decode::report(place.form, object));
        self.dirty.insert(Subject::Profile(place.key));
    }

    pub(super) fn report_removed(&mut self, key: &ProfileKey, node: &str, form: Form, now: Duration) {
        let Some(profile) = self.profiles.get_mut(key) else { return };
        if profile.reports.remove(&(node.into(), form)).is_some() {
            self.nodes.unreported(node);
        }
        if profile.object.is_some() {
            self.dirty.insert(Subject::Profile(key.clone()));
        } else if profile.reports.is_empty() {
            self.profiles.remove(key);
            self.dirty.remove(&Subject::Profile(key.clone()));
        } else {
            profile.since = now;
        }
    }

    pub(super) fn node_applied(&mut self, object: &Object, now: Duration) {
        let Some(name) = object.metadata.name.as_deref() else { return };
        self.unseen.nodes.remove(name);
        if self.nodes.appeared(name, now) {
            self.all_dirty();
        }
    }

    pub(super) fn node_removed(&mut self, name: &str, now: Duration) {
        if self.nodes.vanished(name, now) {
            self.all_dirty();
        }
    }

    pub(super) fn daemon_applied(&mut self, object: &Object, now: Duration) {
        let ready = decode::pod_is_ready(object);
        let (Some(node), Some(pod)) = (decode::node_name(object), &object.metadata.name) else { return };
        self.unseen.daemons.remove(pod);
        if self.nodes.daemon_appeared(pod.clone(), node, ready, now) {
            self.all_dirty();
        }
    }

    pub(super) fn daemon_removed(&mut self, pod: &str) {
        if self.nodes.daemon_vanished(pod).is_some() {
            self.all_dirty();
        }
    }
}
