//! Paths as they stand in the text of a profile.

use std::fmt;

use super::Pattern;

/// A path, in quotes where it needs them. Neither a [`Pattern`] nor the fixed paths have a quote or a backslash, so these suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quoted<'a>(&'a str);

impl Quoted<'static> {
    /// A path of our own.
    pub(super) const fn fixed(path: &'static str) -> Self {
        Self(path)
    }
}

impl<'a> From<&'a Pattern> for Quoted<'a> {
    fn from(pattern: &'a Pattern) -> Self {
        Self(pattern.as_str())
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A blank ends a path, and a comma in front of it ends a rule.
        if self.0.contains(' ') { write!(f, "\"{}\"", self.0) } else { f.write_str(self.0) }
    }
}
