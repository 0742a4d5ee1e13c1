//! What a profile permits, however it is written.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::ProfileName;
use spo_api::selinux::v1::Mode;

use super::name::{is_process, plain};
use super::render::inherited;
use super::{Profile, SELF};

/// The permission that stands for all of its class.
const ALL: &str = "all";

/// Permissions by class and label: `("var_log_t", "file")`.
type Rules<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>;

/// What a profile permits to its type. Two profiles with the same permit the same, so far as that can be told from their text: what an
/// inherited policy brings is not looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Effect<'a> {
    pub(super) mode: Mode,
    pub(super) inherits: BTreeSet<&'a str>,
    pub(super) rules: Rules<'a>,
}

impl<'a> Effect<'a> {
    pub(super) fn of(profile: &'a Profile) -> Self {
        let mut rules = Rules::new();
        for (label, classes) in &profile.rules {
            let label = if is_own(&profile.name, label) { SELF } else { plain(label) };
            for (class, permissions) in classes {
                rules.entry((label, plain(class))).or_default().extend(permissions.iter().map(String::as_str));
            }
        }
        Self { mode: profile.mode, inherits: inherited(profile).into_iter().collect(), rules }
    }

    /// The rules that permit what `other` does not.
    pub(super) fn beyond(&self, other: &Self) -> Rules<'a> {
        let rest = |(key, permissions): (&(&'a str, &'a str), &BTreeSet<&'a str>)| {
            let permitted = |name: &&str| other.rules.get(key).is_some_and(|same| permits(same, name));
            let rest: BTreeSet<_> = permissions.iter().copied().filter(|name| !permitted(name)).collect();
            (!rest.is_empty()).then_some((*key, rest))
        };
        self.rules.iter().filter_map(rest).collect()
    }
}

fn permits(permissions: &BTreeSet<&str>, name: &str) -> bool {
    permissions.contains(name) || permissions.contains(ALL)
}

/// Whether a label is the type of the profile `own` itself.
pub(super) fn is_own(own: &ProfileName, label: &str) -> bool {
    label == SELF || is_process(own.as_str(), label)
}
