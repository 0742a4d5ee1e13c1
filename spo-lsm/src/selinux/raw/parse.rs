//! From a RawSelinuxProfile to the model: every rule that can be told from the text of one profile.

use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::{FieldPath, ProfileName, Violation};

use super::Profile;
use super::judge::Judge;
use crate::findings::Findings;
use crate::selinux::cil::{Position, parse_from};
use crate::selinux::parse::block_name;

/// Makes the model of a RawSelinuxProfile.
///
/// # Errors
/// Everything that is wrong with it, by field of the object, with line and column in its text. A text that is no CIL is not read further
/// than to where it goes wrong.
pub fn parse(name: ProfileName, spec: &RawSelinuxProfileSpec) -> Result<Profile, Vec<Violation>> {
    let mut found = Findings::default();
    let field = FieldPath::new("spec").child("policy");
    block_name(&name, &mut found);
    let written = spec.policy.as_deref().unwrap_or_default();
    let text = written.trim();
    if text.is_empty() {
        found.refuse(field, "the policy must not be empty; a RawSelinuxProfile has the statements of its block there");
        return Err(found.finish().err().unwrap_or_default());
    }
    // Places are told as the author sees them, with the blanks in front.
    let blank = written.len() - written.trim_start().len();
    match parse_from(text, Position::START.after(&written[..blank])) {
        Ok(nodes) => Judge::new(&name, &field, &nodes, found).profile(spec.state, text),
        Err(error) => {
            found.refuse(field, error.to_string());
            Err(found.finish().err().unwrap_or_default())
        }
    }
}
