//! Names of AppArmor profiles.

use std::fmt;
use std::str::FromStr;

use spo_api::ProfileName;

/// The kernel's `NAME_MAX`: a name becomes the name of a file.
const MAX_BYTES: usize = 255;

/// A name that an AppArmor profile can have without quotes: letters, digits, `_`, `.`, `/` and `-`.
///
/// The name of every profile object is one; a profile that is loaded may have others, as `/usr/bin/man`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// A name that would be something else in the text of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing, or too much.
    #[error("the name of an AppArmor profile has 1 to {MAX_BYTES} bytes, this one has {0}")]
    Length(usize),
    /// Another character.
    #[error("{0:?} is no name of an AppArmor profile: letters, digits, '_', '.', '/' and '-' are possible")]
    Characters(String),
    /// The name of what is not confined.
    #[error("unconfined is what AppArmor calls a program without profile; choose another name")]
    Unconfined,
}

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its file below `/etc/apparmor.d`: slashes are dots there, without those at the ends.
    pub fn file_name(&self) -> String {
        self.0.replace('/', ".").trim_matches('.').to_owned()
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(InvalidName::Length(text.len()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte)) {
            return Err(InvalidName::Characters(text.to_owned()));
        }
        if text == "unconfined" {
            return Err(InvalidName::Unconfined);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<&ProfileName> for Name {
    type Error = InvalidName;

    fn try_from(name: &ProfileName) -> Result<Self, InvalidName> {
        name.as_str().parse()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
