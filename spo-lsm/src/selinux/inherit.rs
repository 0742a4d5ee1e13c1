//! Whether what a profile builds on may be, and is there.

use std::collections::BTreeSet;

use spo_api::ProfileName;

use super::{Inherit, Limits};

impl Limits {
    /// Why the profile `own` cannot build on `inherit`, if so.
    pub(super) fn inherit_reason(&self, own: &ProfileName, inherit: &Inherit) -> Option<String> {
        match inherit {
            Inherit::System(name) => self.system_reason(name),
            Inherit::Profile(name) => {
                let profiles = self.profiles.as_ref()?;
                if !profiles.contains_key(name) {
                    return Some(format!("there is no SelinuxProfile {name}; create it, or correct the name"));
                }
                let circle = self.way(name, own)?;
                Some(format!("builds on itself in a circle: {own} -> {circle}; remove one of these inherit entries"))
            }
        }
    }

    fn system_reason(&self, name: &str) -> Option<String> {
        if self.system_profiles.contains(name) {
            return None;
        }
        let allowed = self.system_profiles.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let allowed = if allowed.is_empty() { "none" } else { &allowed };
        Some(format!("{name} is not among the cluster's allowedSystemProfiles ({allowed})"))
    }

    /// The way over inherited profiles by which `from` leads to `to`: `from -> … -> to`.
    fn way(&self, from: &ProfileName, to: &ProfileName) -> Option<String> {
        let profiles = self.profiles.as_ref()?;
        let mut seen = BTreeSet::from([from]);
        let mut ways = vec![vec![from]];
        while let Some(way) = ways.pop() {
            let inherited = way.last().and_then(|last| profiles.get(*last));
            for next in inherited.into_iter().flatten() {
                let longer: Vec<&ProfileName> = way.iter().copied().chain([next]).collect();
                if next == to {
                    return Some(longer.into_iter().map(ProfileName::as_str).collect::<Vec<_>>().join(" -> "));
                }
                if seen.insert(next) {
                    ways.push(longer);
                }
            }
        }
        None
    }
}
