//! Patterns of paths.

use std::fmt;
use std::str::FromStr;

/// The kernel's `PATH_MAX`.
const MAX_BYTES: usize = 4096;
/// How deep braces may be nested; AppArmor's parser takes 50.
const MAX_DEPTH: usize = 16;

/// The path of a file, with AppArmor's globs: `*`, `**`, `?`, `{one,other}`, and variables, `@{HOME}`.
///
/// Holding one is the proof that it is one pattern in the text of a profile: it has no character that ends a path there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// Nothing.
    #[error("an empty path; remove it")]
    Empty,
    /// More than the kernel has paths for.
    #[error("a path of {0} bytes; at most {MAX_BYTES} are possible")]
    TooLong(usize),
    /// It does not begin with a slash.
    #[error("a path begins with '/'")]
    NotAbsolute,
    /// A character that could end the path, or means something else to AppArmor.
    #[error(
        "{0:?} cannot stand in a path; letters, digits, blanks and _ . / * ? + - @ are possible, and {{,}} for alternatives"
    )]
    Character(char),
    /// `/../`, or `/..` at the beginning.
    #[error("a path with /../ names no file, as the kernel looks at the path that it leads to; write that one")]
    Parent,
    /// A brace without its other half.
    #[error("a brace without its other half; alternatives are written {{one,other}}")]
    Unbalanced,
    /// Braces around a single alternative.
    #[error("braces around a single alternative; leave them out, or add the other")]
    Single,
    /// `@{}`.
    #[error("a variable without a name; write @{{HOME}}, say")]
    Variable,
    /// Braces in braces in braces.
    #[error("braces are nested deeper than {MAX_DEPTH}; write several paths")]
    TooDeep,
}

impl Pattern {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends with `/..`, which no path that the kernel looks at does.
    pub(super) fn ends_in_parent(&self) -> bool {
        self.0.ends_with("/..")
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() {
            return Err(InvalidPattern::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(InvalidPattern::TooLong(text.len()));
        }
        if !text.starts_with('/') {
            return Err(InvalidPattern::NotAbsolute);
        }
        braces(text)?;
        if text.contains("/../") || text.starts_with("/..") {
            return Err(InvalidPattern::Parent);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Looks at each character, and at whether braces are closed and hold what they should: a comma stands in braces only, where it does not
/// end a rule (W-X-10).
fn braces(text: &str) -> Result<(), InvalidPattern> {
    // For each open brace, whether it is that of a variable, and how many commas were in it.
    let mut open: Vec<(bool, usize)> = Vec::new();
    let mut before = '\0';
    for c in text.chars() {
        let depth = open.len();
        match (c, open.last_mut()) {
            ('{', _) if depth >= MAX_DEPTH => return Err(InvalidPattern::TooDeep),
            ('{', _) => open.push((before == '@', 0)),
            ('}', _) => match open.pop() {
                None => return Err(InvalidPattern::Unbalanced),
                Some((true, _)) if before == '{' => return Err(InvalidPattern::Variable),
                Some((false, 0)) => return Err(InvalidPattern::Single),
                Some(_) => {}
            },
            (',', Some((false, commas))) => *commas += 1,
            (c, Some((true, _))) if !(c.is_ascii_alphanumeric() || c == '_') => {
                return Err(InvalidPattern::Character(c));
            }
            (c, _) if c.is_ascii_alphanumeric() || "_./*?+@ -".contains(c) => {}
            (c, _) => return Err(InvalidPattern::Character(c)),
        }
        before = c;
    }
    if open.is_empty() { Ok(()) } else { Err(InvalidPattern::Unbalanced) }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
