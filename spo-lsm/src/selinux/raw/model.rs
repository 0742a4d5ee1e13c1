//! A RawSelinuxProfile as it is reasoned about.

use std::collections::BTreeMap;

use spo_api::{AdminState, ProfileName, Violation};

use crate::selinux::cil::Position;

/// A well-formed RawSelinuxProfile, which acts in its own block only; only [`parse`](super::parse) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(super) name: ProfileName,
    pub(super) state: Option<AdminState>,
    /// Without blanks around it.
    pub(super) text: String,
    pub(super) inherits: BTreeMap<String, Position>,
    pub(super) mentions: BTreeMap<Mention, Position>,
    pub(super) warnings: Vec<Violation>,
}

/// What a rule is about. Whether it may be is up to the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    Type(String),
    Class(String),
    Permission(String),
    /// An operator that stands for types nobody named.
    Types(String),
    /// An operator that stands for permissions nobody named.
    Permissions(String),
}

impl Profile {
    /// Its name.
    pub fn name(&self) -> &ProfileName {
        &self.name
    }

    /// Whether nodes install it.
    pub fn state(&self) -> Option<AdminState> {
        self.state
    }

    /// The inside of its block, as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The blocks that it inherits.
    pub fn inherits(&self) -> impl Iterator<Item = &str> {
        self.inherits.keys().map(String::as_str)
    }

    /// What is no reason to refuse it, but should be told to whoever wrote it.
    pub fn warnings(&self) -> &[Violation] {
        &self.warnings
    }
}
