//! From parentheses and words to a tree.

use std::fmt;

use super::token::{Token, Tokens};
use super::{CilError, MAX_CHARACTERS, MAX_DEPTH, MAX_WORD_BYTES, Position};

/// A word, or a list of nodes in parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<'a> {
    /// A word.
    Word(Word<'a>),
    /// A list.
    List(List<'a>),
}

/// A word, quoted or not: that makes no difference to what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word, without quotes.
    pub text: &'a str,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Where it begins.
    pub at: Position,
}

/// A list in parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<'a> {
    /// What is in it.
    pub items: Vec<Node<'a>>,
    /// Where it begins.
    pub at: Position,
}

impl Node<'_> {
    /// Where it begins.
    pub fn at(&self) -> Position {
        match self {
            Self::Word(word) => word.at,
            Self::List(list) => list.at,
        }
    }
}

/// Reads a policy: the nodes outside of all parentheses, with what is in them.
///
/// # Errors
/// See [`CilError`].
pub fn parse(bytes: &[u8]) -> Result<Vec<Node<'_>>, CilError> {
    let text = std::str::from_utf8(bytes).map_err(|error| CilError::NotText(error.valid_up_to()))?;
    parse_from(text, Position::START)
}

/// As [`parse`], for a text that begins at `start` of another.
pub(in crate::selinux) fn parse_from(text: &str, start: Position) -> Result<Vec<Node<'_>>, CilError> {
    // Counted only where it can be too much: a character has at least one byte.
    if text.len() > MAX_CHARACTERS && text.chars().count() > MAX_CHARACTERS {
        return Err(CilError::TooLarge(text.chars().count()));
    }
    if let Some(place) = text.find('\0') {
        return Err(CilError::Nul(start.after(&text[..place])));
    }
    let mut tokens = Tokens::new(text, start);
    let mut done = Vec::new();
    let mut open: Vec<List<'_>> = Vec::new();
    while let Some((at, token)) = tokens.next()? {
        let node = match token {
            Token::Open if open.len() >= MAX_DEPTH => return Err(CilError::TooDeep(at)),
            Token::Open => {
                open.push(List { items: Vec::new(), at });
                continue;
            }
            Token::Close => {
                let mut list = open.pop().ok_or(CilError::Unopened(at))?;
                // Half a million characters hold many small lists.
                list.items.shrink_to_fit();
                Node::List(list)
            }
            Token::Word(text) | Token::Quoted(text) if text.len() > MAX_WORD_BYTES => {
                return Err(CilError::LongWord(at));
            }
            Token::Word(text) => Node::Word(Word { text, quoted: false, at }),
            Token::Quoted(text) => Node::Word(Word { text, quoted: true, at }),
        };
        open.last_mut().map_or(&mut done, |list| &mut list.items).push(node);
    }
    open.pop().map_or(Ok(done), |list| Err(CilError::Unclosed(list.at)))
}

/// As CIL, in one line.
impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => word.fmt(f),
            Self::List(list) => list.fmt(f),
        }
    }
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quoted { write!(f, "\"{}\"", self.text) } else { f.write_str(self.text) }
    }
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (index, item) in self.items.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{item}")?;
        }
        f.write_str(")")
    }
}
