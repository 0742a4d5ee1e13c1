//! The text of a profile, as AppArmor's parser reads it.

use std::fmt::Write;

use spo_api::apparmor::v1::Mode;

use super::rules::rules;
use super::{Name, Profile};

/// The first line of every text, by which ours are known on a host.
const HEADER: &str = "# Made by the Security Profiles Operator from an AppArmorProfile, which is what to change.";

/// The profile as text, under `name`, which is [`Profile::loaded_as`] on a node. Equal profiles give equal text.
pub fn to_text(profile: &Profile, name: &Name) -> String {
    let mode = match profile.mode {
        Mode::Enforce => "enforce",
        Mode::Complain => "complain",
    };
    let mut text = format!(
        "{HEADER}\n#include <tunables/global>\n\nprofile {name} flags=({mode},attach_disconnected,mediate_deleted) {{\n  #include <abstractions/base>\n\n"
    );
    for rule in rules(profile) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {rule},");
    }
    text.push_str("}\n");
    text
}
