//! Closed sets of words: enumerations whose values are texts.
//!
//! [`words!`] declares one, and is the only place where a text is written: what goes over the wire, into the schema, to a
//! user and back from one is the same.

/// A text that is none of the words of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}; expected {}", .known.join(", "))]
pub struct UnknownWord {
    /// What was read.
    pub text: String,
    /// What was wanted, as words with an article: `a seccomp action`.
    pub what: &'static str,
    /// Every word that would have been right.
    pub known: &'static [&'static str],
}

/// Declares an enumeration of words: `pub enum Name("what a value is") { Variant = "text", }`.
///
/// Gives it serde, a schema, `ALL`, `as_str`, `Display` and `FromStr`. Attributes and documentation stay where they stand.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident($what:literal) {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize, ::schemars::JsonSchema)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownWord> {
                let found = Self::ALL.into_iter().find(|word| word.as_str() == text);
                found.ok_or_else(|| $crate::UnknownWord { text: text.to_owned(), what: $what, known: &[$($text),+] })
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::Serialize;

    use super::*;
    use crate::{Kind, ProfileKind, ProfileState, recording, seccomp};

    fn check<T: Copy + Display + Serialize + PartialEq + std::fmt::Debug + FromStr<Err = UnknownWord>>(words: &[T]) {
        for word in words {
            let text = word.to_string();
            assert_eq!(serde_json::to_value(word).unwrap(), text.as_str());
            assert_eq!(text.parse::<T>().as_ref(), Ok(word));
        }
    }

    #[test]
    fn what_is_printed_parsed_and_sent_is_one_text() {
        check(&seccomp::Action::ALL);
        check(&seccomp::Arch::ALL);
        check(&ProfileState::ALL);
        check(&recording::v1alpha1::Recorder::ALL);
        check(&Kind::ALL);
        check(&ProfileKind::ALL);
        assert_eq!(seccomp::Arch::ALL.len(), 20);
    }

    #[test]
    fn an_unknown_word_is_told_with_the_known_ones() {
        let error = "logs".parse::<recording::v1::Recorder>().unwrap_err();
        assert_eq!(error.to_string(), "\"logs\" is not a recorder; expected Bpf, Logs");
    }
}
