//! What tells two policies that are written out apart: their statements, as they are written.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::Profile;
use crate::selinux::cil;

/// How two profiles differ in their statements. Order, white space, comments and repetitions make no difference; what a statement
/// means is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// What only the first says.
    pub only_first: Vec<String>,
    /// What only the second says.
    pub only_second: Vec<String>,
}

/// Compares the statements of two profiles.
pub fn diff(first: &Profile, second: &Profile) -> Diff {
    let (one, other) = (statements(first), statements(second));
    let beyond = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
    Diff { only_first: beyond(&one, &other), only_second: beyond(&other, &one) }
}

/// The statements of a profile, each in one line.
fn statements(profile: &Profile) -> BTreeSet<String> {
    // A profile was parsed before, and what could not be read is no profile.
    let nodes = cil::parse(profile.text().as_bytes()).unwrap_or_default();
    nodes.iter().map(ToString::to_string).collect()
}

impl Diff {
    /// Whether both say the same.
    pub fn is_empty(&self) -> bool {
        self.only_first.is_empty() && self.only_second.is_empty()
    }
}

/// For people: what only the first has, with `-`, and what only the second has, with `+`.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.only_first.iter().try_for_each(|statement| writeln!(f, "- {statement}"))?;
        self.only_second.iter().try_for_each(|statement| writeln!(f, "+ {statement}"))
    }
}
