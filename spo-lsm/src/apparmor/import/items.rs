//! The text of a profile as rules, blocks and lines.

use super::ImportError;

/// A part of a text.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// What a comma ends.
    Rule(Statement<'a>),
    /// What stands in front of a brace that opens a block.
    Open(Statement<'a>),
    /// A brace that closes a block, with its line.
    Close(usize),
    /// What the end of the line ends: an inclusion, or the value of a variable.
    Line(Statement<'a>),
}

/// Some words.
#[derive(Debug, Clone)]
pub(super) struct Statement<'a> {
    /// In which line it begins.
    pub(super) line: usize,
    /// The words, without quotes around them. What is in parentheses is one word.
    pub(super) words: Vec<&'a str>,
    /// All of it.
    pub(super) text: &'a str,
}

impl<'a> Statement<'a> {
    /// The variable that is given a value here.
    pub(super) fn variable(&self) -> Option<&'a str> {
        let first = self.text.strip_prefix("@{").and_then(|rest| rest.split_once('}'));
        first.map(|(name, _)| name).or_else(|| self.text.strip_prefix('$').map(|_| self.text))
    }

    /// Whether it includes this file of AppArmor's own.
    pub(super) fn includes(&self, file: &str) -> bool {
        let path = self.words.get(1).filter(|_| self.words.len() == 2);
        path.and_then(|path| path.strip_prefix('<')?.strip_suffix('>')) == Some(file)
    }
}

/// Reads a text from its beginning to its end.
#[derive(Debug)]
pub(super) struct Items<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Items<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The next part; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>, ImportError> {
        self.blanks();
        let (start, line) = (self.at, self.line);
        if is_line(self.rest()) {
            self.advance(self.rest().find('\n').unwrap_or(self.rest().len()));
            let text = self.text[start..self.at].trim_end();
            // A line may begin with this mark, too.
            let is_comment = |(at, word): &(usize, &str)| *at > 0 && word.starts_with('#');
            let words = text.split_ascii_whitespace().enumerate().take_while(|word| !is_comment(word));
            let words = words.map(|(_, word)| word).collect();
            return Ok(Some(Item::Line(Statement { line, words, text })));
        }
        let mut words = Vec::new();
        loop {
            self.blanks();
            let end = self.at;
            let Some(first) = self.rest().bytes().next() else {
                return if words.is_empty() { Ok(None) } else { syntax(line, "a rule without the comma that ends it") };
            };
            let statement = |words| Statement { line, words, text: self.text[start..end].trim_end() };
            match first {
                b',' => {
                    let rule = statement(words);
                    self.advance(1);
                    return Ok(Some(Item::Rule(rule)));
                }
                b'{' => {
                    let open = statement(words);
                    self.advance(1);
                    return Ok(Some(Item::Open(open)));
                }
                b'}' if words.is_empty() => {
                    self.advance(1);
                    return Ok(Some(Item::Close(line)));
                }
                b'}' => return syntax(line, "a rule without the comma that ends it"),
                _ => words.push(self.word(first)?),
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes on by so many bytes.
    fn advance(&mut self, bytes: usize) {
        let end = self.at + bytes;
        self.line += self.text.as_bytes()[self.at..end].iter().filter(|byte| **byte == b'\n').count();
        self.at = end;
    }

    /// Passes over blanks and comments.
    fn blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_ascii_start().len();
            let rest = &rest[blank..];
            let comment =
                if rest.starts_with('#') && !is_line(rest) { rest.find('\n').unwrap_or(rest.len()) } else { 0 };
            if blank + comment == 0 {
                return;
            }
            self.advance(blank + comment);
        }
    }

    /// A word, and none of the marks around it.
    fn word(&mut self, first: u8) -> Result<&'a str, ImportError> {
        let rest = self.rest();
        let Some(length) = length(rest.as_bytes()) else {
            return syntax(self.line, "a quote or a parenthesis that is not closed");
        };
        self.advance(length);
        let word = &rest[..length];
        Ok(if first == b'"' {
            word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word)
        } else {
            word
        })
    }
}

fn syntax<T>(line: usize, what: &'static str) -> Result<T, ImportError> {
    Err(ImportError::Syntax { line, what })
}

/// Whether something begins here that the end of the line ends.
fn is_line(text: &str) -> bool {
    let bare = text.strip_prefix('#').unwrap_or(text);
    if bare.strip_prefix("include").is_some_and(|rest| rest.starts_with([' ', '\t', '<', '"'])) {
        return true;
    }
    let after = match text.strip_prefix("@{") {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').strip_prefix('}'),
        None => text
            .strip_prefix('$')
            .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_{}".contains(c))),
    };
    let after = after.map(|after| after.trim_start_matches([' ', '\t']));
    after.is_some_and(|after| after.starts_with('=') || after.starts_with("+="))
}

/// How long the word is that begins here; none if it does not end. Whatever ends one is ASCII, so it ends between characters.
fn length(text: &[u8]) -> Option<usize> {
    match text.first() {
        Some(b'"') => return closed(text, b'"'),
        Some(b'(') => return closed(text, b')'),
        _ => {}
    }
    let (mut at, mut depth, mut plain) = (0, 0_usize, true);
    // Other words have no commas of their own.
    let is_path = matches!(text.first(), Some(b'/' | b'@'));
    while let Some(byte) = text.get(at) {
        match byte {
            byte if byte.is_ascii_whitespace() => break,
            b',' if (depth == 0 && !is_path) || ends_rule(text.get(at + 1), depth) => break,
            b'}' if depth == 0 => break,
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'"' => at += closed(&text[at..], b'"')? - 1,
            // As in `flags=(complain)`.
            b'(' if text[..at].ends_with(b"=") => at += closed(&text[at..], b')')? - 1,
            // As in `ptrace(read)`.
            b'(' if plain => break,
            // What is behind a backslash may be a character of several bytes, whose others mean nothing here.
            b'\\' => at += usize::from(text.get(at + 1).is_some_and(u8::is_ascii)),
            _ => {}
        }
        plain = plain && byte.is_ascii_lowercase();
        at += 1;
    }
    Some(at)
}

/// A comma is a part of a path, unless a rule can end there.
fn ends_rule(next: Option<&u8>, depth: usize) -> bool {
    next.is_none_or(|next| next.is_ascii_whitespace() || *next == b'#' || (*next == b'}' && depth == 0))
}

/// How long a word is that begins with one mark and ends with this one.
fn closed(text: &[u8], end: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            byte if *byte == end => return Some(at + 1),
            _ => at += 1,
        }
    }
}
