//! From text to parentheses and words.

use super::{CilError, Position};

/// What a text is made of, comments and blanks aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    Word(&'a str),
    /// A word in quotes, without them.
    Quoted(&'a str),
}

/// Takes a text apart, token by token.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str, at: Position) -> Self {
        Self { rest: text, at }
    }

    /// The next token, and where it begins. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(Position, Token<'a>)>, CilError> {
        loop {
            let Some(first) = self.rest.chars().next() else { return Ok(None) };
            let at = self.at;
            let token = match first {
                '(' => self.one(Token::Open),
                ')' => self.one(Token::Close),
                '"' => self.quoted()?,
                ' ' | '\t' | '\n' => {
                    self.take(1);
                    continue;
                }
                '\r' => {
                    self.line_end(0)?;
                    self.take(1);
                    continue;
                }
                ';' => {
                    self.comment()?;
                    continue;
                }
                _ if is_word(first) => {
                    let length = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
                    Token::Word(self.take(length))
                }
                found => return Err(CilError::Character { found, at }),
            };
            return Ok(Some((at, token)));
        }
    }

    fn one(&mut self, token: Token<'a>) -> Token<'a> {
        self.take(1);
        token
    }

    fn quoted(&mut self) -> Result<Token<'a>, CilError> {
        let inner = &self.rest[1..];
        let end = inner.find(['"', '\n', '\r']).filter(|end| inner.as_bytes()[*end] == b'"');
        let length = end.ok_or(CilError::OpenQuote(self.at))?;
        let text = &inner[..length];
        self.take(length + 2);
        Ok(Token::Quoted(text))
    }

    /// Passes over a comment, up to the end of its line.
    fn comment(&mut self) -> Result<(), CilError> {
        let length = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        if self.rest.as_bytes().get(length) == Some(&b'\r') {
            self.line_end(length)?;
        }
        self.take(length);
        Ok(())
    }

    /// Whether the carriage return `ahead` of here belongs to the end of a line.
    fn line_end(&self, ahead: usize) -> Result<(), CilError> {
        match self.rest.as_bytes().get(ahead + 1) {
            Some(b'\n') => Ok(()),
            _ => Err(CilError::LoneReturn(self.at.after(&self.rest[..ahead]))),
        }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.at = self.at.after(taken);
        self.rest = rest;
        taken
    }
}

/// The characters of words, as libsepol's lexer has them.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "[].@=/*-_$%+!|&^:~`#{}'<>?,".contains(c)
}
