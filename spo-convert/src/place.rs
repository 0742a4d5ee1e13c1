//! Where in an object a value stands: a chain of borrowed steps, so that nothing is allocated until something is wrong.

use spo_api::FieldPath;

/// The place of a value, seen from the root of its object.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
    Key(&'p Place<'p>, &'p str),
}

impl Place<'_> {
    /// The place in the notation of the API server.
    pub(crate) fn path(&self) -> FieldPath {
        match self {
            Self::Root => FieldPath::default(),
            Self::Field(parent, name) => parent.path().child(name),
            Self::Item(parent, index) => parent.path().index(*index),
            Self::Key(parent, key) => parent.path().key(key),
        }
    }
}
