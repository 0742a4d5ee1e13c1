//! What a cluster permits SELinux profiles to say.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::ProfileName;
use spo_api::daemon::v1::Selinux;

use super::Denied;
use super::name::CONTAINER;

/// What a cluster permits SELinux profiles to say, and what it knows of them.
///
/// The default is that of a cluster whose configuration says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The templates that may be inherited: `container` where the configuration has no list. An empty list permits none.
    pub system_profiles: BTreeSet<String>,
    /// What no profile may name.
    pub denied: Denied,
    /// The SelinuxProfiles that there are, each with those that it inherits. `None` where nobody knows, as on a command line: what a
    /// profile inherits is then not looked for.
    pub profiles: Option<BTreeMap<ProfileName, Vec<ProfileName>>>,
    /// Whether there may be RawSelinuxProfiles.
    pub raw: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            system_profiles: BTreeSet::from([CONTAINER.to_owned()]),
            denied: Denied::default(),
            profiles: None,
            raw: true,
        }
    }
}

impl Limits {
    /// What the configuration of the operator says.
    pub(crate) fn from_configuration(selinux: Option<&Selinux>) -> Self {
        let mut limits = Self::default();
        let Some(selinux) = selinux else { return limits };
        limits.raw = selinux.enable_raw_selinux_profiles.unwrap_or(true);
        let Some(options) = &selinux.options else { return limits };
        if let Some(profiles) = &options.allowed_system_profiles {
            limits.system_profiles = profiles.iter().cloned().collect();
        }
        adjust(&mut limits.denied.types, options.allowed_types.as_deref(), options.denied_types.as_deref());
        adjust(&mut limits.denied.classes, options.allowed_classes.as_deref(), options.denied_classes.as_deref());
        adjust(
            &mut limits.denied.permissions,
            options.allowed_permissions.as_deref(),
            options.denied_permissions.as_deref(),
        );
        limits
    }
}

/// Takes out what is allowed, and adds what is denied, so that of a name in both lists the denial counts.
fn adjust(names: &mut BTreeSet<String>, allowed: Option<&[String]>, denied: Option<&[String]>) {
    for name in allowed.into_iter().flatten() {
        names.remove(name);
    }
    names.extend(denied.into_iter().flatten().cloned());
}
