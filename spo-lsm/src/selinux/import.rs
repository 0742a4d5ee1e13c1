//! From CIL back to the model: what of a module a SelinuxProfile can say.

use std::collections::BTreeSet;
use std::fmt;

use spo_api::selinux::v1::{Allow, Mode, PolicyKind, PolicyRef, SelinuxProfileSpec};
use spo_api::{ProfileName, Violation};

use super::cil::{self, CilError, List, Node, Position, Word};
use super::name::{CONTAINER, PROCESS, is_process, is_word, plain};
use super::{Profile, SELF};

/// So much that was not understood is written out.
const MAX_UNREAD: usize = 256;

/// What was read of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The profiles, one for each block.
    pub profiles: Vec<Profile>,
    /// What a SelinuxProfile cannot say, in the order of the text: without it, the profiles permit less than the module, or differ from
    /// it otherwise. At most 256 are told.
    pub unread: Vec<Unread>,
}

/// Something in a module that is not in the profiles read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where it begins.
    pub at: Position,
    /// Why.
    pub reason: String,
}

/// Why no profile was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no CIL.
    #[error(transparent)]
    Cil(#[from] CilError),
    /// There is no block in it.
    #[error(
        "there is no (block NAME ...) at the top of the text; a module in the policy language is converted by its own tools first"
    )]
    NoBlock,
    /// The name of a block can be that of no profile.
    #[error("{at}: a profile cannot be called {name:?}; give the block another name, in small letters")]
    Name {
        /// The name.
        name: String,
        /// Where it stands.
        at: Position,
    },
    /// What was read is more than a profile can be.
    #[error("block {block}: {violation}")]
    Profile {
        /// The block.
        block: String,
        /// What is wrong.
        violation: Violation,
    },
}

/// Reads the profiles of a module: of what [`render`](crate::render) made all, and of what others wrote as much as a SelinuxProfile can
/// say.
///
/// A block inherits templates and profiles alike. Those in `templates` (see [`Limits::system_profiles`](super::Limits::system_profiles))
/// are templates; another is taken for a profile where one has to bring the type that the container runs with.
///
/// # Errors
/// See [`ImportError`].
pub fn from_cil(text: &[u8], templates: &BTreeSet<String>) -> Result<Imported, ImportError> {
    let nodes = cil::parse(text)?;
    let mut import = Import { templates, unread: Vec::new() };
    let mut profiles = Vec::new();
    for node in &nodes {
        match statement(node) {
            Some(("block", [Node::Word(name), body @ ..])) => profiles.push(import.block(name, body)?),
            _ => import.skip(node, "stands outside of all blocks"),
        }
    }
    if profiles.is_empty() { Err(ImportError::NoBlock) } else { Ok(Imported { profiles, unread: import.unread }) }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)
    }
}

/// A statement: its first word, and what follows.
fn statement<'n, 'a>(node: &'n Node<'a>) -> Option<(&'a str, &'n [Node<'a>])> {
    let Node::List(List { items, .. }) = node else { return None };
    let [Node::Word(head), rest @ ..] = items.as_slice() else { return None };
    Some((head.text, rest))
}

struct Import<'a> {
    templates: &'a BTreeSet<String>,
    unread: Vec<Unread>,
}

/// What was read of a block.
#[derive(Default)]
struct Block<'a> {
    inherits: Vec<&'a str>,
    permissive: bool,
    allow: Allow,
}

impl Import<'_> {
    fn block(&mut self, name: &Word<'_>, body: &[Node<'_>]) -> Result<Profile, ImportError> {
        let own = self.name(name)?;
        let mut block = Block::default();
        for node in body {
            if let Err(reason) = block.statement(node, name.text) {
                self.skip(node, &reason);
            }
        }
        let inherit: Vec<_> = block.inherits.iter().map(|name| self.reference(name, &block)).collect();
        if !brings_process(&inherit) {
            self.tell(name.at, format!("{} inherits nothing that brings the type {PROCESS}; the profile inherits {CONTAINER}, and permits what that permits", short(name.text)));
        }
        let spec = SelinuxProfileSpec {
            state: None,
            inherit: Some(inherit),
            mode: Some(if block.permissive { Mode::Permissive } else { Mode::Enforcing }),
            allow: Some(block.allow),
        };
        let first = |violations: Vec<Violation>| violations.into_iter().next();
        super::parse(own, &spec).map_err(|violations| {
            let block = name.text.to_owned();
            first(violations).map_or(ImportError::NoBlock, |violation| ImportError::Profile { block, violation })
        })
    }

    /// The name of a block as that of a profile, which has no underscores and no capitals.
    fn name(&mut self, block: &Word<'_>) -> Result<ProfileName, ImportError> {
        let name = block.text.replace('_', "-").to_ascii_lowercase();
        if name != block.text {
            self.tell(
                block.at,
                format!("the block {} becomes the profile {name}, whose type is {name}.{PROCESS}", block.text),
            );
        }
        name.parse().map_err(|_not_a_name| ImportError::Name { name: block.text.to_owned(), at: block.at })
    }

    fn reference(&self, name: &str, block: &Block<'_>) -> PolicyRef {
        let is_template = name == CONTAINER || self.templates.contains(name);
        let brings_process = !block.inherits.contains(&CONTAINER) && name.parse::<ProfileName>().is_ok();
        let kind = if !is_template && brings_process { PolicyKind::SelinuxProfile } else { PolicyKind::System };
        PolicyRef { kind: Some(kind), name: name.to_owned() }
    }

    fn skip(&mut self, node: &Node<'_>, reason: &str) {
        let what = match node {
            Node::Word(word) => word.text,
            Node::List(_) => statement(node).map_or("", |(head, _)| head),
        };
        self.tell(node.at(), format!("({}) is left out: it {reason}", short(what)));
    }

    fn tell(&mut self, at: Position, reason: String) {
        if self.unread.len() < MAX_UNREAD {
            self.unread.push(Unread { at, reason });
        }
    }
}

impl<'a> Block<'a> {
    /// Takes a statement in, or says why it cannot.
    fn statement(&mut self, node: &Node<'a>, own: &str) -> Result<(), String> {
        match statement(node) {
            Some(("blockinherit", [Node::Word(name)])) => self.inherit(plain(name.text)),
            Some(("typepermissive", [Node::Word(word)])) if is_process(own, word.text) => {
                self.permissive = true;
                Ok(())
            }
            Some(("allow", [Node::Word(source), Node::Word(target), permissions])) => {
                if !is_process(own, source.text) {
                    return Err(format!(
                        "is about what {} may do, and a profile is about its own type",
                        short(source.text)
                    ));
                }
                let label = if is_process(own, target.text) {
                    Some(SELF)
                } else {
                    Some(target.text).filter(|name| is_word(name))
                };
                let Some(label) = label else {
                    return Err(format!("has the type {}, which no profile can name", short(target.text)));
                };
                self.allow(label, permissions)
            }
            _ => Err("is nothing that a SelinuxProfile can say; a RawSelinuxProfile may".to_owned()),
        }
    }

    fn inherit(&mut self, name: &'a str) -> Result<(), String> {
        if !is_word(name) {
            return Err(format!("inherits {}, which is no name of a policy", short(name)));
        }
        if !self.inherits.contains(&name) {
            self.inherits.push(name);
        }
        Ok(())
    }

    fn allow(&mut self, label: &str, permissions: &Node<'_>) -> Result<(), String> {
        let Some((class, [Node::List(list)])) = statement(permissions) else {
            return Err("names a set of permissions, and a profile names the permissions".to_owned());
        };
        let names = list.items.iter().map(|item| permission(item).ok_or_else(|| unlisted(item)));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        if !is_word(class) {
            return Err(format!("has the class {}, which no profile can name", short(class)));
        }
        if !names.is_empty() {
            let classes = self.allow.entry(label.to_owned()).or_default();
            classes.entry(class.to_owned()).or_default().extend(names);
        }
        Ok(())
    }
}

/// What stands for permissions before others, in a list of them.
const OPERATORS: [&str; 5] = ["and", "not", "or", "range", "xor"];

/// The permission, if it is one and no operator over some.
fn permission(node: &Node<'_>) -> Option<String> {
    let Node::Word(word) = node else { return None };
    (is_word(word.text) && !OPERATORS.contains(&word.text)).then(|| word.text.to_owned())
}

fn unlisted(node: &Node<'_>) -> String {
    format!("has {}, and a profile lists permissions one by one", short(&node.to_string()))
}

fn brings_process(inherit: &[PolicyRef]) -> bool {
    inherit.iter().any(|entry| entry.name == CONTAINER || entry.kind == Some(PolicyKind::SelinuxProfile))
}

/// As much of a text as fits into a message.
fn short(text: &str) -> &str {
    text.char_indices().nth(64).map_or(text, |(end, _)| &text[..end])
}
