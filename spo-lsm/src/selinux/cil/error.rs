//! Why a text is no CIL.

use super::{MAX_CHARACTERS, MAX_DEPTH, MAX_WORD_BYTES, Position};

/// Why a text is no CIL, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CilError {
    /// Not text.
    #[error("is not text in UTF-8; its byte {0} is where it goes wrong")]
    NotText(usize),
    /// The character that C takes for the end of a text.
    #[error("{0}: null bytes have no place in a policy; remove it")]
    Nul(Position),
    /// More than [`MAX_CHARACTERS`].
    #[error("has {0} characters; at most {MAX_CHARACTERS} fit, so split it into several profiles")]
    TooLarge(usize),
    /// A word of more than [`MAX_WORD_BYTES`].
    #[error("{0}: a word of more than {MAX_WORD_BYTES} bytes; no name is so long")]
    LongWord(Position),
    /// Parentheses deeper than [`MAX_DEPTH`].
    #[error("{0}: more than {MAX_DEPTH} parentheses are open here; no statement needs so many")]
    TooDeep(Position),
    /// A closing parenthesis too many: what follows would be outside of the profile.
    #[error("{0}: unmatched closing parenthesis, which would end the profile's own block")]
    Unopened(Position),
    /// An opening parenthesis too many.
    #[error("{0}: unbalanced parentheses, this one is never closed")]
    Unclosed(Position),
    /// A quote that is not closed in its line.
    #[error("{0}: this quote is not closed in its line")]
    OpenQuote(Position),
    /// A carriage return that ends a line for some readers, and not for others.
    #[error("{0}: a carriage return without a line feed; end lines with a line feed")]
    LoneReturn(Position),
    /// A character that no word has.
    #[error("{at}: {found:?} cannot stand here; words have letters, digits and some signs of ASCII")]
    Character {
        /// The character.
        found: char,
        /// Where.
        at: Position,
    },
}
