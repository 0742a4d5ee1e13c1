//! What rules are about: types, classes and permissions, as sets and expressions have them.

use super::judge::{Judge, words};
use super::model::Mention;
use crate::selinux::cil::Node;

impl<'a> Judge<'a> {
    /// Notes `(CLASS (PERMISSION ...))`, or looks for a set of permissions by its name. Whether it has this form.
    ///
    /// A class without permissions permits nothing; the reference takes it.
    pub(super) fn permissions(&mut self, node: &'a Node<'a>) -> bool {
        let list = match node {
            Node::List(list) => list,
            Node::Word(set) => {
                if !self.declared.has_permissions(set.text) {
                    self.refuse(
                        set.at,
                        format!("{} is a set of permissions that the profile does not declare, so nobody can tell what is in it; name the class and its permissions", set.text),
                    );
                }
                return true;
            }
        };
        let [Node::Word(class), permissions @ ..] = list.items.as_slice() else { return false };
        self.mention(Mention::Class(class.text.to_owned()), class.at);
        for word in permissions.iter().flat_map(words) {
            let mention = match word.text {
                // Parts of what is named, whatever they are applied to.
                "and" | "or" | "xor" => continue,
                "all" | "not" => Mention::Permissions(word.text.to_owned()),
                name => Mention::Permission(name.to_owned()),
            };
            self.mention(mention, word.at);
        }
        true
    }

    /// Notes `(ioctl CLASS (NUMBER ...))`, or looks for such a set by its name. Whether it has this form.
    pub(super) fn extended(&mut self, node: &'a Node<'a>) -> bool {
        let list = match node {
            Node::List(list) => list,
            Node::Word(_) => return self.permissions(node),
        };
        let [Node::Word(kind), Node::Word(class), _] = list.items.as_slice() else { return false };
        self.mention(Mention::Permission(kind.text.to_owned()), kind.at);
        self.mention(Mention::Class(class.text.to_owned()), class.at);
        true
    }

    /// Notes the types of an expression.
    pub(super) fn types(&mut self, node: &'a Node<'a>) {
        for word in words(node) {
            let mention = match word.text {
                "and" | "or" | "xor" => continue,
                "all" | "not" => Mention::Types(word.text.to_owned()),
                name => Mention::Type(name.to_owned()),
            };
            self.mention(mention, word.at);
        }
    }
}
