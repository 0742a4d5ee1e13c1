//! Profiles for the tests of several modules.

use spo_api::{AdminState, ProfileKey, ProfileKind};

use crate::source::{Desired, ObjectRef, Want};

pub(crate) fn key(name: &str) -> ProfileKey {
    ProfileKey { kind: ProfileKind::Seccomp, name: name.parse().unwrap() }
}

/// A spec that permits one call.
pub(crate) fn spec(call: &str) -> &'static str {
    format!("{{defaultAction: SCMP_ACT_ERRNO, syscalls: [{{names: [{call}], action: SCMP_ACT_ALLOW}}]}}").leak()
}

/// A profile that is to be installed, its spec in YAML.
pub(crate) fn desired(name: &str, spec: &str) -> Desired {
    let spec = serde_saphyr::from_str(spec).unwrap();
    Desired {
        key: key(name),
        generation: 1,
        profile: spo_lsm::parse(name.parse().unwrap(), &spec),
        admin: AdminState::Enabled,
        partial: false,
        want: Want::Keep,
        object: ObjectRef::default(),
    }
}
