//! Names that become file names, labels and module names, parsed once.
//!
//! The fields of objects are plain text, so that whatever an API server has let through can be read. These types are for
//! whoever uses such a text.

use crate::parsed::parsed;

/// The name of a profile object: a DNS-1123 subdomain, as the API server demands of it.
///
/// Holding one is the proof that it is a single path element that cannot leave its folder: lower-case letters, digits,
/// `-` and `.`, at most 253 bytes, each part between dots starting and ending with a letter or digit.
/// See <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileName(String);

/// The name of a ConfigMap: a DNS-1123 subdomain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigMapName(String);

/// The name of a container, a namespace or a recording: a DNS-1123 label, which has no dots and at most 63 bytes.
///
/// Kubernetes permits dots and more bytes in the name of a recording. Such a recording cannot work, because its name
/// becomes the value of a label and a part of a [recording id](crate::recording::RecordingId).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsLabel(String);

/// The name of a system call: 1 to 64 letters, digits and `_`. Whether a kernel has it is for
/// [`syscalls::is_known`](crate::syscalls::is_known) to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SyscallName(String);

/// A text that cannot be the name of what it is to name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing, or too much.
    #[error("a name has 1 to {max} characters, this one has {length}")]
    Length {
        /// How many there are.
        length: usize,
        /// How many are possible.
        max: usize,
    },
    /// A part between dots that is empty, starts or ends with `-`, or holds another character.
    #[error(
        "{0:?} is not a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', each part starting and ending with a letter or digit"
    )]
    Subdomain(String),
    /// The same, or a dot.
    #[error(
        "{0:?} is not a DNS-1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit"
    )]
    Label(String),
    /// Another character.
    #[error("{0:?} is not the name of a system call: letters, digits and '_'")]
    Syscall(String),
}

parsed!(ProfileName, InvalidName);
parsed!(ConfigMapName, InvalidName);
parsed!(DnsLabel, InvalidName);
parsed!(SyscallName, InvalidName);

impl ProfileName {
    fn check(text: &str) -> Result<(), InvalidName> {
        subdomain(text)
    }
}

impl ConfigMapName {
    fn check(text: &str) -> Result<(), InvalidName> {
        subdomain(text)
    }
}

impl DnsLabel {
    fn check(text: &str) -> Result<(), InvalidName> {
        label(text)
    }
}

impl SyscallName {
    fn check(text: &str) -> Result<(), InvalidName> {
        length(text, 64)?;
        let fits = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fits { Ok(()) } else { Err(InvalidName::Syscall(text.to_owned())) }
    }
}

fn length(text: &str, max: usize) -> Result<(), InvalidName> {
    if (1..=max).contains(&text.len()) { Ok(()) } else { Err(InvalidName::Length { length: text.len(), max }) }
}

/// What a DNS-1123 subdomain is.
pub(crate) fn subdomain(text: &str) -> Result<(), InvalidName> {
    length(text, 253)?;
    if text.split('.').all(is_label) { Ok(()) } else { Err(InvalidName::Subdomain(text.to_owned())) }
}

/// What a DNS-1123 label is.
pub(crate) fn label(text: &str) -> Result<(), InvalidName> {
    length(text, 63)?;
    if is_label(text) { Ok(()) } else { Err(InvalidName::Label(text.to_owned())) }
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_accepts_is_accepted() {
        for name in ["a", "profile1", "web-nginx", "a.b-c.d", "profile.json", &"x".repeat(253)] {
            assert!(name.parse::<ProfileName>().is_ok(), "{name}");
            assert!(name.parse::<ConfigMapName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_that_would_leave_its_folder_is_refused() {
        for name in ["", "..", ".", "../x", "a/b", "a\0", "/etc", "a..b", "-a", "a-", "A", "a_b", "ä", &"x".repeat(254)]
        {
            assert!(name.parse::<ProfileName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_label_has_no_dots_and_fits_a_label_of_kubernetes() {
        for name in ["a", "0", "web-nginx", &"x".repeat(63)] {
            assert_eq!(DnsLabel::try_from(name).unwrap().as_str(), name);
        }
        for name in ["", "a.b", "a_b", "-a", "a-", "A", &"x".repeat(64)] {
            assert!(DnsLabel::try_from(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn every_call_of_the_tables_has_a_name() {
        for abi in crate::syscalls::Abi::ALL {
            for (_, name) in abi.calls() {
                assert!(SyscallName::try_from(name).is_ok(), "{name}");
            }
        }
        for name in ["", "read ", "re-ad", "read\n", &"x".repeat(65)] {
            assert!(SyscallName::try_from(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_error_says_what_would_be_right() {
        let error = "Web".parse::<DnsLabel>().unwrap_err().to_string();
        assert!(error.starts_with("\"Web\" is not a DNS-1123 label: lower-case letters"), "{error}");
        let error = "".parse::<ProfileName>().unwrap_err().to_string();
        assert_eq!(error, "a name has 1 to 253 characters, this one has 0");
    }
}
