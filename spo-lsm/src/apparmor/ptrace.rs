//! The rule about tracing that may stand among paths.

use std::fmt;
use std::str::FromStr;

/// The words that AppArmor has for it.
const ACCESSES: [&str; 7] = ["r", "w", "rw", "read", "trace", "readby", "tracedby"];

/// What a `ptrace` rule permits.
///
/// The reference takes `ptrace (read),` where a path belongs, so that its own profiles can have it (`spec/limits.md` 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ptrace(&'static str);

/// A text that is no rule of this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no rule of the form ptrace (ACCESS), with one of {} for ACCESS", ACCESSES.join(", "))]
pub struct InvalidPtrace;

impl Ptrace {
    /// The access, as AppArmor writes it.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether a text is meant to be one.
    pub(super) fn is_meant(text: &str) -> bool {
        text.starts_with("ptrace")
    }
}

/// Reads `ptrace (read),`, with a comment or without, in one line.
impl FromStr for Ptrace {
    type Err = InvalidPtrace;

    fn from_str(text: &str) -> Result<Self, InvalidPtrace> {
        let rest = text.strip_prefix("ptrace").map(str::trim_start).and_then(|rest| rest.strip_prefix('('));
        let (access, rest) = rest.and_then(|rest| rest.split_once("),")).ok_or(InvalidPtrace)?;
        let comment = rest.trim_start();
        let is_rest_fine = (comment.is_empty() && rest.is_empty()) || comment.starts_with('#');
        let known = ACCESSES.iter().find(|known| **known == access);
        known.filter(|_| is_rest_fine && !text.contains('\n')).map(|known| Self(known)).ok_or(InvalidPtrace)
    }
}

impl fmt::Display for Ptrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ptrace ({})", self.0)
    }
}
