//! The value of a recording annotation: one container of one pod, in one recording.

use std::fmt;
use std::str::FromStr;

use crate::DnsLabel;
use crate::names::InvalidName;

/// What a container is recorded as: `<recording>_<container>_<nonce>_<unix seconds>`.
///
/// ```
/// use spo_api::recording::{Nonce, RecordingId};
///
/// let id: RecordingId = "web_nginx_b2c4d_1700000000".parse()?;
/// assert_eq!((id.recording.as_str(), id.container.as_str(), id.unix_seconds), ("web", "nginx", 1_700_000_000));
/// let later = RecordingId { nonce: Nonce::from_random(42), unix_seconds: 1_700_000_060, ..id };
/// assert!(later.to_string().starts_with("web_nginx_"));
/// # Ok::<(), spo_api::recording::InvalidRecordingId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordingId {
    /// The name of the ProfileRecording.
    pub recording: DnsLabel,
    /// The name of the container.
    pub container: DnsLabel,
    /// What tells this pod from its replicas.
    pub nonce: Nonce,
    /// When the pod was admitted.
    pub unix_seconds: u64,
}

/// Five characters that nobody can foretell, of an alphabet in which none looks like another and which spells no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; Nonce::LENGTH]);

impl Nonce {
    const LENGTH: usize = 5;
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

    /// The nonce that a random number stands for.
    pub fn from_random(mut number: u64) -> Self {
        let base = Self::ALPHABET.len() as u64;
        Self([(); Self::LENGTH].map(|()| {
            let index = usize::try_from(number % base).unwrap_or_default();
            number /= base;
            Self::ALPHABET[index]
        }))
    }

    fn parse(text: &str) -> Option<Self> {
        let nonce = Self(text.as_bytes().try_into().ok()?);
        nonce.0.iter().all(|byte| Self::ALPHABET.contains(byte)).then_some(nonce)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}_{}", self.recording, self.container, self.nonce, self.unix_seconds)
    }
}

/// A value of a recording annotation that nobody can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecordingId {
    /// The annotation has no value.
    #[error("the recording annotation is empty")]
    Empty,
    /// Not four parts.
    #[error("{text:?} has {found} parts; a recording id has four, <recording>_<container>_<nonce>_<unix seconds>")]
    Parts {
        /// The whole.
        text: String,
        /// How many parts there are.
        found: usize,
    },
    /// A recording or container of that name cannot exist.
    #[error("the {part} of a recording id cannot have this name")]
    Name {
        /// `recording` or `container`.
        part: &'static str,
        /// What is wrong with the name.
        #[source]
        source: InvalidName,
    },
    /// The third part.
    #[error("{0:?} is no nonce of a recording id")]
    Nonce(String),
    /// The fourth part.
    #[error("{0:?} is no time in seconds")]
    Time(String),
}

impl FromStr for RecordingId {
    type Err = InvalidRecordingId;

    fn from_str(text: &str) -> Result<Self, InvalidRecordingId> {
        if text.is_empty() {
            return Err(InvalidRecordingId::Empty);
        }
        let parts: Vec<&str> = text.splitn(5, '_').collect();
        let &[recording, container, nonce, seconds] = parts.as_slice() else {
            return Err(InvalidRecordingId::Parts { text: text.to_owned(), found: text.split('_').count() });
        };
        let name = |part, text: &str| text.parse().map_err(|source| InvalidRecordingId::Name { part, source });
        Ok(Self {
            recording: name("recording", recording)?,
            container: name("container", container)?,
            nonce: Nonce::parse(nonce).ok_or_else(|| InvalidRecordingId::Nonce(nonce.to_owned()))?,
            unix_seconds: time(seconds).ok_or_else(|| InvalidRecordingId::Time(seconds.to_owned()))?,
        })
    }
}

/// Digits only: a sign is none.
fn time(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    proptest! {
        #[test]
        fn any_id_is_read_back_and_any_text_is_read_or_refused(
            recording in "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", container in "[a-z]", random: u64, unix_seconds: u64, text in ".*",
        ) {
            let name = |text: String| text.parse().unwrap();
            let nonce = Nonce::from_random(random);
            let id = RecordingId { recording: name(recording), container: name(container), nonce, unix_seconds };
            prop_assert_eq!(id.to_string().parse::<RecordingId>(), Ok(id));
            if let Ok(id) = text.parse::<RecordingId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_is_written_as_it_is_read() {
        let text = "web-1_nginx_b2c4d_1700000000";
        assert_eq!(text.parse::<RecordingId>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("", "the recording annotation is empty")]
    #[case("web", "\"web\" has 1 parts; a recording id has four, <recording>_<container>_<nonce>_<unix seconds>")]
    #[case(
        "a_b_bbbbb_1_2",
        "\"a_b_bbbbb_1_2\" has 5 parts; a recording id has four, <recording>_<container>_<nonce>_<unix seconds>"
    )]
    #[case("_b_bbbbb_1", "the recording of a recording id cannot have this name")]
    #[case("a_../x_bbbbb_1", "the container of a recording id cannot have this name")]
    #[case("a_b_bbbb_1", "\"bbbb\" is no nonce of a recording id")]
    #[case("a_b_bbbb0_1", "\"bbbb0\" is no nonce of a recording id")]
    #[case("a_b_bbbbb_soon", "\"soon\" is no time in seconds")]
    #[case("a_b_bbbbb_+1", "\"+1\" is no time in seconds")]
    fn what_is_no_id_is_told(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(text.parse::<RecordingId>().unwrap_err().to_string(), expected);
    }

    #[test]
    fn every_random_number_gives_a_nonce_that_is_read_back() {
        for number in (0..u64::MAX).step_by(usize::MAX / 1000) {
            let nonce = Nonce::from_random(number);
            assert_eq!(Nonce::parse(&nonce.to_string()), Some(nonce));
        }
        assert_eq!(Nonce::from_random(0).to_string(), "bbbbb");
        assert_ne!(Nonce::from_random(1), Nonce::from_random(27));
    }
}
