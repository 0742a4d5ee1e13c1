//! What releases before 1.0 wrote differently, in versions of the same name.
//!
//! 1.0 reshaped `v1alpha1`, `v1alpha2` and `v1beta1` in place. An object that an older release stored still has the old fields, and
//! with them what was asked for: a profile that was switched off must not come to life because its switch has a new
//! name. So on the way to `v1` the old fields are understood, and become the new ones before anything else happens.
//!
//! Such an object may hold a new field beside the old one, filled in by the schema. Then the old one counts, as long as the new
//! one says no more than the schema does by itself.

use crate::error::Reason;
use crate::node::Node;
use crate::place::Place;

/// Something that was written differently.
#[derive(Debug)]
pub(crate) enum Legacy {
    /// A truth value that became a word. Where it is true, the field `word` is `on`, unless it says something unusual.
    Flag { flag: Steps, word: Steps, on: &'static str, usual: &'static str },
    /// A field that has another place.
    Moved { from: Steps, to: Steps, usual: Usual },
    /// A word that has another spelling, in objects that have the field `beside`.
    Word { at: Steps, old: &'static str, new: &'static str, beside: Steps },
    /// A text that became the field of an object in its place.
    Wrapped { at: Steps, field: &'static str },
}

impl Legacy {
    /// The field that is looked at.
    pub(crate) fn steps(&self) -> Steps {
        match self {
            Self::Flag { flag: steps, .. }
            | Self::Moved { from: steps, .. }
            | Self::Word { at: steps, .. }
            | Self::Wrapped { at: steps, .. } => steps,
        }
    }
}

/// The fields on the way to a value.
pub(crate) type Steps = &'static [&'static str];

/// What the schema fills in where nothing was said.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Usual {
    Nothing,
    No,
    Word(&'static str),
    /// A list of one word.
    OneWord(&'static str),
}

impl Usual {
    /// Whether a value says no more than the schema does.
    fn is(self, value: &Node<'_>) -> bool {
        match (self, value) {
            (_, Node::Null) | (Self::No, Node::Bool(false)) => true,
            (Self::Word(word), Node::Text(text)) => text == word || text.is_empty(),
            (Self::OneWord(word), Node::List(items)) => matches!(&items[..], [only] if only.as_text() == Some(word)),
            _ => false,
        }
    }
}

/// Makes new fields of the old ones.
///
/// # Errors
/// An old truth value is something else: whether it was meant to be true must not be guessed.
pub(crate) fn modernise(object: &mut Node<'_>, legacy: &'static [Legacy]) -> Result<(), Reason> {
    for change in legacy {
        match *change {
            Legacy::Flag { flag, word, on, usual } => {
                if read_flag(object, flag)? && object.get(word).is_none_or(|value| Usual::Word(usual).is(value)) {
                    object.put(word, Node::word(on));
                }
            }
            Legacy::Moved { from, to, usual } => {
                let Some(value) = object.take(from).filter(|value| *value != Node::Null) else { continue };
                if object.get(to).is_none_or(|there| usual.is(there)) {
                    object.put(to, value);
                }
            }
            Legacy::Word { at, old, new, beside } => {
                let is_old = object.get(at).and_then(Node::as_text) == Some(old);
                if is_old && object.get(beside).is_some_and(|value| *value != Node::Null) {
                    object.put(at, Node::word(new));
                }
            }
            Legacy::Wrapped { at, field } => {
                if object.get(at).is_some_and(|value| value.as_text().is_some())
                    && let Some(text) = object.take(at)
                {
                    object.put(at, Node::Object(vec![(field.into(), text)]));
                }
            }
        }
    }
    Ok(())
}

/// Takes out a truth value.
fn read_flag(object: &mut Node<'_>, flag: Steps) -> Result<bool, Reason> {
    match object.take(flag) {
        None | Some(Node::Null) => Ok(false),
        Some(Node::Bool(value)) => Ok(value),
        Some(other) => {
            Err(Reason::WrongType { path: place(flag), expected: "true or false", found: other.described() })
        }
    }
}

fn place(steps: Steps) -> spo_api::FieldPath {
    steps.iter().fold(Place::Root.path(), |path, step| path.child(step))
}
