//! From the model back to the `spec` of the API.

use spo_api::selinux::v1::{PolicyKind, PolicyRef, SelinuxProfileSpec};

use super::{Inherit, Profile};

/// The `spec` of which [`parse`](super::parse) makes this profile. What the API has a default for is written out, so that it says the
/// same to readers that fill in nothing.
pub fn to_spec(profile: &Profile) -> SelinuxProfileSpec {
    let classes = |(label, classes): (&String, &super::model::Classes)| {
        let permissions = classes.iter().map(|(class, set)| (class.clone(), set.iter().cloned().collect()));
        (label.clone(), permissions.collect())
    };
    SelinuxProfileSpec {
        state: profile.state,
        inherit: Some(profile.inherits.iter().map(reference).collect()),
        mode: Some(profile.mode),
        allow: Some(profile.rules.iter().map(classes).collect()),
    }
}

fn reference(inherit: &Inherit) -> PolicyRef {
    let (kind, name) = match inherit {
        Inherit::System(name) => (PolicyKind::System, name.as_str()),
        Inherit::Profile(name) => (PolicyKind::SelinuxProfile, name.as_str()),
    };
    PolicyRef { kind: Some(kind), name: name.to_owned() }
}
