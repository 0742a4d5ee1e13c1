//! The text of a profile, as AppArmor's parser reads it.

use std::fmt::Write;

use spo_api::apparmor::v1::Mode;

use super::rules::rules;
use super::{Name, Profile};

/// The first line of every text, by which ours are known on a host.
pub(crate) const HEADER: &str =
    "# Made by the Security Profiles Operator from an AppArmorProfile, which is what to change.";

/// The first line of a profile that somebody loads by hand: no node takes it for one of its own, which it would remove.
#[cfg(feature = "host")]
pub(crate) const HEADER_BY_HAND: &str = "# Made by spoc from an AppArmorProfile; `spoc remove` takes it away.";

/// Whether a text begins with this line.
#[cfg(feature = "host")]
pub(crate) fn is_marked(text: &[u8], header: &str) -> bool {
    text.strip_prefix(header.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'\n'))
}

/// Under which name and in which mode a text of ours is loaded.
#[cfg(feature = "host")]
pub(crate) fn loaded_as(text: &[u8]) -> Option<(&str, Mode)> {
    let text = std::str::from_utf8(text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("profile "))?;
    let (name, flags) = line.split_once(" flags=(")?;
    let mode = match flags.split([',', ')']).next()? {
        "enforce" => Mode::Enforce,
        "complain" => Mode::Complain,
        _ => return None,
    };
    Some((name, mode))
}

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
