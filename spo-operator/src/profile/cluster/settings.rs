//! The configuration, what it permits of each profile, and whether the operator is being removed.

use std::collections::BTreeSet;

use spo_api::daemon::v1::SecurityProfilesOperatorDaemonSpec;
use spo_api::{ProfileKey, ProfileKind};
use spo_lsm::Policy;

use super::super::decode::Digest;
use super::super::home::Home;
use super::super::judge::judge;
use super::super::{Object, Subject};
use super::Cluster;

impl Cluster {
    /// Has every profile that is to be looked at judged. Where one was changed, all that build on it are looked at, too.
    pub(super) fn judge_anew(&mut self) {
        let mut changed = std::mem::take(&mut self.rewritten);
        let mut more = !changed.is_empty();
        while more {
            let builds_on_them = self.profiles.iter().filter(|(key, profile)| {
                let base = profile.object.as_ref().and_then(|object| object.base.clone());
                let base = base.map(|name| ProfileKey { kind: ProfileKind::Seccomp, name });
                key.kind == ProfileKind::Seccomp && base.is_some_and(|base| changed.contains(&base))
            });
            let new: BTreeSet<ProfileKey> = builds_on_them.map(|(key, _)| key.clone()).collect();
            let known = changed.len();
            changed.extend(new);
            more = changed.len() > known;
        }
        for key in changed {
            if let Some(profile) = self.profiles.get_mut(&key) {
                profile.judged = None;
                self.dirty.insert(Subject::Profile(key));
            }
        }
    }

    /// Judges a profile, if it was not judged since anything that counts was changed.
    pub(crate) fn judge(&mut self, key: &ProfileKey) {
        let Some(profile) = self.profiles.get(key).filter(|profile| profile.judged.is_none()) else { return };
        let Some(object) = profile.object.as_ref() else { return };
        let Some(spec) = object.spec.as_deref() else { return };
        let mut judged = judge(key, spec, &self.policy, |name| {
            let base = self.profiles.get(&ProfileKey { kind: ProfileKind::Seccomp, name: name.clone() })?;
            base.object.as_ref()?.spec.as_deref()
        });
        // What need not be written need not be kept.
        judged.syscalls =
            judged.syscalls.filter(|text| !object.labelled || object.syscalls != Some(Digest::from(&**text)));
        if let Some(profile) = self.profiles.get_mut(key) {
            profile.judged = Some(judged);
        }
    }

    /// One that cannot be read changes nothing: profiles are deleted for what it says.
    pub(super) fn configured(&mut self, object: Object) {
        match serde_json::from_value::<SecurityProfilesOperatorDaemonSpec>(object.spec) {
            Ok(spec) => self.permit(Policy::from_configuration(&spec)),
            Err(error) => tracing::warn!(%error, "cannot read the configuration: what it said before goes on"),
        }
    }

    pub(super) fn permit(&mut self, policy: Policy) {
        if self.policy != policy {
            self.policy = policy;
            self.profiles.values_mut().for_each(|profile| profile.judged = None);
            self.all_dirty();
        }
    }

    pub(super) fn at_home(&mut self, change: impl FnOnce(&mut Home)) {
        let before = self.home.is_going();
        change(&mut self.home);
        if self.home.is_going() != before {
            tracing::info!(going = self.home.is_going(), "whether the operator is being removed has changed");
            self.all_dirty();
            let bindings = self.bindings.keys().cloned();
            self.dirty.extend(bindings.map(|(namespace, name)| Subject::Binding { namespace, name }));
        }
    }
}
