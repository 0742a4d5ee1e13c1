//! Whether a RawSelinuxProfile may be installed: what depends on more than its own text.

use spo_api::{FieldPath, ProfileName, Violation};

use super::Profile;
use super::model::Mention;
use crate::findings::Findings;
use crate::selinux::check::template_name;
use crate::selinux::name::CONTAINER;
use crate::selinux::{Denied, Inherit, Limits};

/// Everything that keeps `profile` from being installed within `limits`.
pub(crate) fn check(profile: &Profile, limits: &Limits) -> Vec<Violation> {
    let mut found = Findings::default();
    let field = FieldPath::new("spec").child("policy");
    if !limits.raw {
        found.refuse(
            FieldPath::new("kind"),
            "RawSelinuxProfiles are switched off by selinux.enableRawSelinuxProfiles of the cluster's configuration; write a SelinuxProfile",
        );
    }
    template_name(&profile.name, limits, &mut found);
    for (name, at) in &profile.inherits {
        if let Some(reason) = inherit(&profile.name, name, limits) {
            found.refuse(field.clone(), format!("{at}: {reason}"));
        }
    }
    let mentions = profile.mentions.iter().filter_map(|(mention, at)| Some((at, denied(mention, &limits.denied)?)));
    // By place, as an author reads.
    let mut mentions: Vec<_> = mentions.collect();
    mentions.sort();
    for (at, reason) in mentions {
        found.refuse(field.clone(), format!("{at}: {reason}"));
    }
    found.finish().err().unwrap_or_default()
}

/// Why `name` may not be inherited, if so (W-OP-25).
fn inherit(own: &ProfileName, name: &str, limits: &Limits) -> Option<String> {
    let system = limits.inherit_reason(own, &Inherit::System(name.to_owned()))?;
    match name.parse::<ProfileName>() {
        Ok(profile)
            if name != CONTAINER && limits.profiles.as_ref().is_none_or(|profiles| profiles.contains_key(&profile)) =>
        {
            None
        }
        Ok(_) | Err(_) => Some(format!("{system}, nor a SelinuxProfile that exists")),
    }
}

fn denied(mention: &Mention, denied: &Denied) -> Option<String> {
    match mention {
        Mention::Type(name) => denied.type_reason(name),
        Mention::Class(name) => denied.class_reason(name),
        Mention::Permission(name) => denied.permission_reason(name),
        Mention::Types(operator) => denied.every_type_reason(operator),
        Mention::Permissions(operator) => denied.every_permission_reason(operator),
    }
}
