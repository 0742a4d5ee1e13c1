//! Whether a SelinuxProfile may be installed: what depends on more than its own text.

use spo_api::{FieldPath, ProfileName, Violation};

use super::name::CONTAINER;
use super::{Limits, Profile, SELF};
use crate::findings::Findings;

/// Everything that keeps `profile` from being installed within `limits`.
pub(crate) fn check(profile: &Profile, limits: &Limits) -> Vec<Violation> {
    let mut found = Findings::default();
    template_name(&profile.name, limits, &mut found);
    let spec = FieldPath::new("spec");
    for (index, inherit) in profile.inherits.iter().enumerate() {
        if let Some(reason) = limits.inherit_reason(&profile.name, inherit) {
            found.refuse(spec.child("inherit").index(index), reason);
        }
    }
    denied(profile, limits, &spec.child("allow"), &mut found);
    found.finish().err().unwrap_or_default()
}

/// Refuses the name of a template: the profile would take its place in the policy.
pub(super) fn template_name(name: &ProfileName, limits: &Limits, found: &mut Findings) {
    if name.as_str() == CONTAINER || limits.system_profiles.contains(name.as_str()) {
        let reason = format!("{name} is the name of a template that profiles inherit; choose another name");
        found.refuse(FieldPath::new("metadata").child("name"), reason);
    }
}

fn denied(profile: &Profile, limits: &Limits, path: &FieldPath, found: &mut Findings) {
    for (label, classes) in &profile.rules {
        let path = path.key(label);
        if label != SELF
            && let Some(reason) = limits.denied.type_reason(label)
        {
            found.refuse(path.clone(), reason);
        }
        for (class, permissions) in classes {
            let path = path.key(class);
            if let Some(reason) = limits.denied.class_reason(class) {
                found.refuse(path.clone(), reason);
            }
            for reason in permissions.iter().filter_map(|permission| limits.denied.permission_reason(permission)) {
                found.refuse(path.clone(), reason);
            }
        }
    }
}
