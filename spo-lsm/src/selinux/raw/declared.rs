//! What a policy declares itself, so that it may do with it what it likes.

use std::collections::BTreeSet;

use spo_api::ProfileName;

use crate::selinux::cil::Node;
use crate::selinux::name::{PROCESS, plain};

/// The names that a policy declares.
pub(super) struct Declared<'a> {
    block: &'a str,
    /// Types, attributes and aliases.
    types: BTreeSet<&'a str>,
    /// Named sets of permissions.
    permissions: BTreeSet<&'a str>,
}

impl<'a> Declared<'a> {
    pub(super) fn of(block: &'a ProfileName, policy: &'a [Node<'a>]) -> Self {
        let mut declared = Self { block: block.as_str(), types: BTreeSet::new(), permissions: BTreeSet::new() };
        for node in policy {
            let Node::List(list) = node else { continue };
            let [Node::Word(head), Node::Word(name), ..] = list.items.as_slice() else { continue };
            match head.text {
                "type" | "typeattribute" | "typealias" => declared.types.insert(name.text),
                "classpermission" | "permissionx" => declared.permissions.insert(name.text),
                _ => continue,
            };
        }
        declared
    }

    /// Whether a type, attribute or alias of this name is declared here.
    pub(super) fn has_type(&self, name: &str) -> bool {
        self.local(name).is_some_and(|name| self.types.contains(name))
    }

    /// Whether it is the type that containers run with, or another that is declared here.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.local(name) == Some(PROCESS) || self.has_type(name)
    }

    /// Whether a set of permissions of this name is declared here.
    pub(super) fn has_permissions(&self, name: &str) -> bool {
        self.local(name).is_some_and(|name| self.permissions.contains(name))
    }

    /// A name as it is declared in the block, if that is where libsepol looks first: `process` for `web.process`, but nothing for
    /// `.process`, which is a name at the top.
    fn local<'n>(&self, name: &'n str) -> Option<&'n str> {
        let inside = plain(name).strip_prefix(self.block).and_then(|rest| rest.strip_prefix('.'));
        inside.or_else(|| (!name.starts_with('.')).then_some(name))
    }
}
