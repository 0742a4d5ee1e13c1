//! From text back to the model: what of a profile an AppArmorProfile can say.

mod body;
mod denial;
mod file;
mod head;
mod items;
mod network;

use std::collections::BTreeSet;
use std::fmt;

use spo_api::Violation;

use super::Profile;
use body::Body;
use head::Head;
use items::{Item, Items, Statement};

/// Our own texts are smaller: the paths of a profile have 1 MiB, and each stands in two rules at most.
const MAX_BYTES: usize = 4 << 20;
/// So much that was not understood is written out.
const MAX_UNREAD: usize = 256;
/// So much of a rule is repeated in what is said about it.
const MAX_RULE_CHARS: usize = 120;
/// So long is a reason, which may repeat a word of the text.
const MAX_REASON_CHARS: usize = 1000;

/// What was read of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The profile. Its name is made of that in the text, which may be no name of an object.
    pub profile: Profile,
    /// The name in the text.
    pub name: String,
    /// How the profile differs from the text, in the order of the text. At most 256 are told, and then how many more there are.
    pub unread: Vec<Unread>,
}

/// Something in a text that the profile read of it does not say, or says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// In which line it begins, counted from one.
    pub line: usize,
    /// The rule, in one line and cut where it is long.
    pub rule: String,
    /// What about it.
    pub reason: String,
}

/// Why no profile was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// More than any profile has.
    #[error("the text has {0} bytes, and at most {MAX_BYTES} are read; write ** for whole folders")]
    TooLong(usize),
    /// Bytes that are no text.
    #[error("it is no text in UTF-8 ({0}); the text of a profile is wanted, not what was compiled of it")]
    NotText(#[source] std::str::Utf8Error),
    /// The text breaks AppArmor's grammar, so that nobody knows where its rules end.
    #[error("line {line}: {what}")]
    Syntax {
        /// Where.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no profile in it.
    #[error("there is no profile in it; one begins with `profile NAME {{`")]
    NoProfile,
    /// There is more than one.
    #[error("line {line}: another profile begins; give each a file of its own")]
    Several {
        /// Where the second begins.
        line: usize,
    },
    /// No object can be called so, and nothing like it.
    #[error("line {line}: no name of an object can be made of {name:?}; give the profile another, in small letters")]
    Name {
        /// The name.
        name: String,
        /// Where it stands.
        line: usize,
    },
    /// What was read is more than a profile can be.
    #[error("profile {name}: {violation}")]
    Profile {
        /// The name.
        name: String,
        /// What is wrong.
        violation: Violation,
    },
}

/// Reads the text of one profile: of what [`to_text`](super::to_text) made all, and of what others wrote as much as an AppArmorProfile
/// can say.
///
/// # Errors
/// See [`ImportError`].
pub fn parse_text(text: &[u8]) -> Result<Imported, ImportError> {
    if text.len() > MAX_BYTES {
        return Err(ImportError::TooLong(text.len()));
    }
    let text = std::str::from_utf8(text).map_err(ImportError::NotText)?;
    let mut notes = Notes::default();
    let mut variables = BTreeSet::new();
    let mut read = None;
    let mut items = Items::new(text);
    while let Some(item) = items.next()? {
        match item {
            Item::Line(line) => outside(&line, &mut variables, &mut notes),
            Item::Rule(rule) => {
                notes.add(&rule, "stands outside of the profile, where an AppArmorProfile says nothing")
            }
            Item::Close(line) => return Err(ImportError::Syntax { line, what: "a brace closes what was not opened" }),
            Item::Open(open) if read.is_some() => return Err(ImportError::Several { line: open.line }),
            Item::Open(open) => {
                let head = Head::read(&open, &mut notes)?;
                let body = inside(&open, &mut items, std::mem::take(&mut variables), &mut notes)?;
                read = Some((head, body, open));
            }
        }
    }
    let (head, body, open) = read.ok_or(ImportError::NoProfile)?;
    let name = head.name.clone();
    let profile = body.finish(head, &open, &mut notes)?;
    Ok(Imported { profile, name, unread: notes.finish() })
}

/// A line in front of the profile, or behind it.
fn outside<'a>(line: &Statement<'a>, variables: &mut BTreeSet<&'a str>, notes: &mut Notes) {
    match line.variable() {
        Some(name) => {
            variables.insert(name);
            notes.add(line, "defines a variable, which an AppArmorProfile cannot; write what it stands for");
        }
        None if line.includes("tunables/global") => {}
        None => notes.add(line, "is not looked into; what it defines is not known here"),
    }
}

/// What is between the braces of a profile.
fn inside<'a>(
    open: &Statement<'a>,
    items: &mut Items<'a>,
    variables: BTreeSet<&'a str>,
    notes: &mut Notes,
) -> Result<Body<'a>, ImportError> {
    let mut body = Body::new(variables);
    // How many braces are open of a block that is passed over.
    let mut skipped = 0_usize;
    while let Some(item) = items.next()? {
        match item {
            Item::Close(_) if skipped == 0 => return Ok(body),
            Item::Close(_) => skipped -= 1,
            Item::Open(block) => {
                if skipped == 0 {
                    notes.add(&block, "is a block of its own, and an AppArmorProfile has none; all in it is left out");
                }
                skipped += 1;
            }
            Item::Rule(rule) if skipped == 0 => body.rule(rule, notes),
            Item::Line(line) if skipped == 0 => body.line(&line, notes),
            Item::Rule(_) | Item::Line(_) => {}
        }
    }
    Err(ImportError::Syntax { line: open.line, what: "the profile that begins here is not closed" })
}

/// What is to be said about a text.
#[derive(Debug, Default)]
struct Notes {
    told: Vec<Unread>,
    more: usize,
}

impl Notes {
    fn add(&mut self, statement: &Statement<'_>, reason: impl Into<String>) {
        if self.told.len() < MAX_UNREAD {
            self.push(Unread::of(statement, reason));
        } else {
            self.more += 1;
        }
    }

    fn push(&mut self, unread: Unread) {
        if self.told.len() < MAX_UNREAD { self.told.push(unread) } else { self.more += 1 }
    }

    fn finish(mut self) -> Vec<Unread> {
        // What is found last, as denials are, need not stand last.
        self.told.sort();
        if let Some(last) = self.told.last_mut().filter(|_| self.more > 0) {
            last.reason.push_str(&format!("; and {} more are not told", self.more));
        }
        self.told
    }
}

/// A rule in one line.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_ascii_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(word);
        if shown.len() > 4 * MAX_RULE_CHARS {
            break;
        }
    }
    cut(shown, MAX_RULE_CHARS)
}

/// At most so many characters, and a mark where there were more.
fn cut(mut text: String, chars: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl Unread {
    fn of(statement: &Statement<'_>, reason: impl Into<String>) -> Self {
        Self { line: statement.line, rule: shown(statement.text), reason: cut(reason.into(), MAX_REASON_CHARS) }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.rule, self.reason)
    }
}
