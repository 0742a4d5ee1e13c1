//! The language of AppArmor's globs, read as its own parser does (`convert_aaregex_to_pcre`).

use super::InvalidGlob;
use super::bytes::Bytes;

/// How deep braces may be nested; AppArmor's parser takes 50.
const MAX_DEPTH: usize = 50;

/// A part of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// One byte of these.
    One(Bytes),
    /// Any number of bytes of these. With `true`, of anything: a variable fits in too.
    Many(Bytes, bool),
    /// One of these.
    Either(Vec<Vec<Node>>),
    /// A variable whose values are not known.
    Variable(String),
}

/// Reads a glob. Variables that every distribution defines alike are replaced by their values.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, InvalidGlob> {
    let text = single_slashes(text);
    let mut reader = Reader { rest: &text, last: None, depth: 0 };
    let (nodes, end) = reader.alternative()?;
    match end {
        End::Text => Ok(nodes),
        End::Comma | End::Brace => Err(InvalidGlob::Brace),
    }
}

/// What ended an alternative.
#[derive(PartialEq, Eq)]
enum End {
    Text,
    Comma,
    Brace,
}

struct Reader<'a> {
    rest: &'a str,
    /// What was written last, where it is a plain character: a star behind a slash stands for at least one.
    last: Option<char>,
    depth: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn alternative(&mut self) -> Result<(Vec<Node>, End), InvalidGlob> {
        let mut nodes = Vec::new();
        loop {
            let Some(c) = self.next() else { return Ok((nodes, End::Text)) };
            let before = self.last.take();
            match c {
                '\\' => literal(&mut nodes, self.escaped()?),
                '*' => self.stars(before, &mut nodes),
                '?' => nodes.push(Node::One(Bytes::NAME)),
                '[' => nodes.push(Node::One(self.class()?)),
                ']' => return Err(InvalidGlob::Class),
                '{' => nodes.push(self.braces()?),
                '}' if self.depth > 0 => return Ok((nodes, End::Brace)),
                '}' => return Err(InvalidGlob::Brace),
                ',' if self.depth > 0 => return Ok((nodes, End::Comma)),
                '@' if self.rest.starts_with('{') => {
                    let variable = self.variable()?;
                    self.expand(&variable, before, &mut nodes)?;
                }
                c => {
                    self.last = Some(c);
                    literal(&mut nodes, c);
                }
            }
        }
    }

    fn stars(&mut self, before: Option<char>, nodes: &mut Vec<Node>) {
        let after = self.rest.trim_start_matches('*');
        if before == Some('/') && (after.is_empty() || after.starts_with('/')) {
            nodes.push(Node::One(Bytes::NAME));
        }
        match self.rest.strip_prefix('*') {
            Some(rest) => {
                self.rest = rest;
                nodes.push(Node::Many(Bytes::ANY, true));
            }
            None => nodes.push(Node::Many(Bytes::NAME, false)),
        }
    }

    fn escaped(&mut self) -> Result<char, InvalidGlob> {
        self.next().ok_or(InvalidGlob::Escape)
    }

    /// `[abc]`, `[a-z]`, `[^/]`, behind the first bracket.
    fn class(&mut self) -> Result<Bytes, InvalidGlob> {
        let inverted = self.rest.strip_prefix('^').map(|rest| self.rest = rest).is_some();
        let mut bytes = Bytes::NONE;
        let mut from: Option<u8> = None;
        loop {
            let (c, escaped) = match self.next().ok_or(InvalidGlob::Class)? {
                '\\' => (self.escaped()?, true),
                ']' => break,
                c => (c, false),
            };
            match from {
                Some(first) if c == '-' && !escaped && !self.rest.starts_with(']') => {
                    let last = match self.next().ok_or(InvalidGlob::Class)? {
                        '\\' => self.escaped()?,
                        c => c,
                    };
                    let last = u8::try_from(last).map_err(|_wide| InvalidGlob::Class)?;
                    (first..=last).for_each(|byte| bytes.insert(byte));
                    from = None;
                }
                _ => {
                    let byte = u8::try_from(c).ok().filter(u8::is_ascii).ok_or(InvalidGlob::Class)?;
                    bytes.insert(byte);
                    from = Some(byte);
                }
            }
        }
        if bytes == Bytes::NONE {
            return Err(InvalidGlob::Class);
        }
        Ok(if inverted { bytes.inverse() } else { bytes })
    }

    fn braces(&mut self) -> Result<Node, InvalidGlob> {
        self.depth += 1;
        if self.depth >= MAX_DEPTH {
            return Err(InvalidGlob::TooDeep);
        }
        let mut alternatives = Vec::new();
        loop {
            self.last = None;
            let (nodes, end) = self.alternative()?;
            alternatives.push(nodes);
            match end {
                End::Comma => {}
                End::Brace if alternatives.len() > 1 => break,
                End::Brace | End::Text => return Err(InvalidGlob::Brace),
            }
        }
        self.depth -= 1;
        Ok(Node::Either(alternatives))
    }

    fn variable(&mut self) -> Result<String, InvalidGlob> {
        let (name, rest) = self.rest[1..].split_once('}').ok_or(InvalidGlob::Brace)?;
        let name = name.to_owned();
        self.rest = rest;
        if name.is_empty() { Err(InvalidGlob::Brace) } else { Ok(name) }
    }

    /// A variable: its value, without the slashes that stand around it already.
    fn expand(&mut self, name: &str, before: Option<char>, nodes: &mut Vec<Node>) -> Result<(), InvalidGlob> {
        let Some(values) = values(name) else {
            nodes.push(Node::Variable(name.to_owned()));
            return Ok(());
        };
        let follows = self.rest.starts_with('/');
        // A slash at the beginning stays beside that of the value, unless the values are alternatives: two slashes are another name space.
        let another_space = nodes.len() == 1 && values.len() == 1;
        let mut alternatives = Vec::new();
        for value in values {
            let value = if before == Some('/') && !another_space { value.trim_start_matches('/') } else { value };
            let value = if follows { value.trim_end_matches('/') } else { value };
            alternatives.push(parse(value)?);
        }
        match alternatives.len() {
            1 => nodes.extend(alternatives.into_iter().flatten()),
            _ => nodes.push(Node::Either(alternatives)),
        }
        self.last = (values.len() == 1 && !follows && values[0].ends_with('/')).then_some('/');
        Ok(())
    }
}

/// Variables that `tunables/global` gives the same values everywhere, as they are facts of the kernel and of the file system's layout.
fn values(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "PROC" => Some(&["/proc/"]),
        "sys" => Some(&["/sys/"]),
        "run" => Some(&["/run/", "/var/run/"]),
        "pid" | "pids" | "tid" => Some(&["[1-9]{[0-9],}{[0-9],}{[0-9],}{[0-9],}{[0-9],}{[0-9],}"]),
        _ => None,
    }
}

fn literal(nodes: &mut Vec<Node>, c: char) {
    let mut buffer = [0; 4];
    nodes.extend(c.encode_utf8(&mut buffer).bytes().map(|byte| Node::One(Bytes::one(byte))));
}

/// Without slashes behind slashes, as no path has them. Two at the beginning are another name space, and stay.
fn single_slashes(text: &str) -> String {
    let (kept, rest) = match text.strip_prefix("//") {
        Some(rest) if !rest.starts_with('/') => ("//", rest),
        _ => ("", text),
    };
    let mut single = String::with_capacity(text.len());
    single.push_str(kept);
    for c in rest.chars() {
        if c != '/' || !single.ends_with('/') || (single.len() == kept.len() && !kept.is_empty()) {
            single.push(c);
        }
    }
    single
}
