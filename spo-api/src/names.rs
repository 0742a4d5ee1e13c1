//! Names that become file names, labels and module names, parsed once.

use std::fmt;
use std::str::FromStr;

/// The name of a profile object: a DNS-1123 subdomain, as the API server demands of it.
///
/// Holding one is the proof that it is a single path element that cannot leave its folder: lower-case letters, digits,
/// `-` and `.`, at most 253 bytes, each part between dots starting and ending with a letter or digit.
/// See <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileName(String);

/// A name that the API server would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing, or more than 253 bytes.
    #[error("a name has 1 to 253 characters, this one has {0}")]
    Length(usize),
    /// A part between dots that is empty, starts or ends with `-`, or holds another character.
    #[error(
        "{0:?} is not a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', each part starting and ending with a letter or digit"
    )]
    Characters(String),
}

impl ProfileName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > 253 {
            return Err(InvalidName::Length(text.len()));
        }
        let fits = text.split('.').all(|label| {
            let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            let bytes = label.as_bytes();
            edge(bytes.first())
                && edge(bytes.last())
                && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        });
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName::Characters(text.to_owned())) }
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_accepts_is_accepted() {
        for name in ["a", "profile1", "web-nginx", "a.b-c.d", "profile.json", &"x".repeat(253)] {
            assert!(name.parse::<ProfileName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_that_would_leave_its_folder_is_refused() {
        for name in ["", "..", ".", "../x", "a/b", "a\0", "/etc", "a..b", "-a", "a-", "A", "a_b", "ä", &"x".repeat(254)]
        {
            assert!(name.parse::<ProfileName>().is_err(), "{name:?}");
        }
    }
}
