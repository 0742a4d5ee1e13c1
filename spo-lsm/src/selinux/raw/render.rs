//! The module of a RawSelinuxProfile (`spec/node.md` 5.5).

use super::Profile;

/// The policy, indented, in a block of the profile's name, which is the one that pods are told (W-ND-14).
///
/// Lines are indented so that none begins with `;;*`: there, and only there, libsepol takes it for a mark of the line it was made from.
pub fn to_cil(profile: &Profile) -> String {
    let mut text = format!("(block {}\n", profile.name);
    for line in profile.text.lines() {
        if !line.trim_end().is_empty() {
            text.push_str("    ");
            text.push_str(line.trim_end());
        }
        text.push('\n');
    }
    // On a line of its own: the last one may end with a comment.
    text.push_str(")\n");
    text
}
