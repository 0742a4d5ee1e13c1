//! What the statements of a policy do, one by one.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::{AdminState, FieldPath, ProfileName, Violation};

use super::Profile;
use super::declared::Declared;
use super::model::Mention;
use super::statement::{Statement, refusal};
use crate::findings::Findings;
use crate::selinux::cil::{List, Node, Position, Word};
use crate::selinux::name::{PROCESS, plain};

/// Looks at a policy, statement by statement.
pub(super) struct Judge<'a> {
    name: &'a ProfileName,
    field: &'a FieldPath,
    policy: &'a [Node<'a>],
    pub(super) declared: Declared<'a>,
    found: Findings,
    inherits: BTreeMap<String, Position>,
    mentions: BTreeMap<Mention, Position>,
    /// Types of others that rules give something to.
    foreign: BTreeSet<&'a str>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(name: &'a ProfileName, field: &'a FieldPath, policy: &'a [Node<'a>], found: Findings) -> Self {
        Self {
            name,
            field,
            policy,
            declared: Declared::of(name, policy),
            found,
            inherits: BTreeMap::new(),
            mentions: BTreeMap::new(),
            foreign: BTreeSet::new(),
        }
    }

    /// The profile, or everything that is wrong with it.
    pub(super) fn profile(mut self, state: Option<AdminState>, text: &str) -> Result<Profile, Vec<Violation>> {
        for node in self.policy {
            self.node(node);
        }
        if self.inherits.is_empty() && !self.declared.has_type(PROCESS) {
            self.found.warn(
                self.field.clone(),
                format!("neither declares the type {PROCESS} nor inherits it, so that no pod can run with {}.{PROCESS}; begin with (blockinherit container)", self.name),
            );
        }
        let warnings = self.found.finish()?;
        let (inherits, mentions) = (self.inherits, self.mentions);
        Ok(Profile { name: self.name.clone(), state, text: text.to_owned(), inherits, mentions, warnings })
    }

    /// A node where a statement belongs. What is in a list without a word at its head counts as statements too: libsepol takes no such
    /// list, but this is not the place to rely on it. The reader bounds how deep they are.
    fn node(&mut self, node: &'a Node<'a>) {
        let list = match node {
            Node::List(list) => list,
            Node::Word(word) => {
                return self.refuse(word.at, format!("{word} stands outside of all statements; remove it"));
            }
        };
        match list.items.first() {
            None => self.warn(list.at, "() is no statement, and libsepol will not take it; remove it"),
            Some(Node::List(_)) => list.items.iter().for_each(|item| self.node(item)),
            Some(Node::Word(head)) => match Statement::of(head.text) {
                Some(statement) => self.statement(statement, head, list),
                None => self.refuse(head.at, refusal(head.text)),
            },
        }
    }

    fn statement(&mut self, statement: Statement, head: &Word<'a>, list: &'a List<'a>) {
        let fits = match (statement, &list.items[1..]) {
            (Statement::Rule, [Node::Word(source), Node::Word(target), permissions]) => {
                self.rule(head, source, target);
                self.permissions(permissions)
            }
            (Statement::ExtendedRule, [Node::Word(source), Node::Word(target), permissions]) => {
                self.rule(head, source, target);
                self.extended(permissions)
            }
            (Statement::Assertion, [Node::Word(source), Node::Word(_), _]) => {
                self.own(source, "would forbid something to", "");
                true
            }
            (
                Statement::Transition,
                [Node::Word(source), Node::Word(target), Node::Word(class), Node::Word(result)],
            )
            | (
                Statement::Transition,
                [Node::Word(source), Node::Word(target), Node::Word(class), Node::Word(_), Node::Word(result)],
            ) => {
                self.rule(head, source, target);
                self.mention(Mention::Class(class.text.to_owned()), class.at);
                self.mention(Mention::Type(result.text.to_owned()), result.at);
                true
            }
            (Statement::RangeTransition, [Node::Word(source), Node::Word(target), Node::Word(class), _]) => {
                self.own(source, "would change the level of", "");
                self.mention(Mention::Type(target.text.to_owned()), target.at);
                self.mention(Mention::Class(class.text.to_owned()), class.at);
                true
            }
            (Statement::Inherit, [Node::Word(template)]) => self.inherit(template),
            (statement, rest) => self.definition(statement, rest),
        };
        if !fits {
            self.refuse(list.at, format!("expected ({} {})", head.text, statement.form()));
        }
    }

    /// A statement about names that the policy has to declare itself.
    fn definition(&mut self, statement: Statement, rest: &'a [Node<'a>]) -> bool {
        match (statement, rest) {
            (Statement::Declaration | Statement::Alias, [Node::Word(_)]) => {}
            // As the reference's own tests have it; libsepol knows it no more.
            (Statement::Alias, [Node::Word(_), Node::List(types)]) => {
                for node in &types.items {
                    let Node::Word(word) = node else { return false };
                    self.own(word, "gives another name to", "");
                }
            }
            (Statement::AliasActual, [Node::Word(alias), Node::Word(actual)]) => {
                self.own(alias, "gives another name to", "");
                self.own(actual, "gives another name to", "");
            }
            (Statement::AttributeSet, [Node::Word(attribute), types]) => {
                self.own(attribute, "puts types into", ", and with that gives them all that it may do");
                self.types(types);
            }
            (Statement::Bounds, [Node::Word(_), Node::Word(child)]) => self.own(child, "sets bounds to", ""),
            (Statement::Expand, [attributes, Node::Word(_)]) => {
                for word in words(attributes) {
                    self.own(word, "changes", "");
                }
            }
            (Statement::PermissionSet, [Node::Word(set), permissions @ Node::List(_)]) => {
                if !self.declared.has_permissions(set.text) {
                    self.refuse(set.at, format!("adds to {}, which the profile does not declare", set.text));
                }
                return self.permissions(permissions);
            }
            (Statement::ExtendedPermission, [Node::Word(_), permissions @ Node::List(_)]) => {
                return self.extended(permissions);
            }
            _ => return false,
        }
        true
    }

    fn inherit(&mut self, template: &Word<'a>) -> bool {
        let name = plain(template.text);
        if name == self.name.as_str() {
            self.refuse(template.at, "a profile cannot inherit itself");
        } else if self.inherits.insert(name.to_owned(), template.at).is_some() {
            self.warn(
                template.at,
                format!("{name} is inherited twice, which libsepol will not take; remove one of them"),
            );
        }
        true
    }

    /// Refuses what is done to a type that the profile does not declare.
    fn own(&mut self, word: &Word<'a>, what: &str, why: &str) {
        if !self.declared.is_own(word.text) {
            self.refuse(word.at, format!("{what} {}, which the profile does not declare{why}", word.text));
        }
    }

    /// Notes the two types of a rule.
    fn rule(&mut self, head: &Word<'a>, source: &Word<'a>, target: &Word<'a>) {
        for word in [source, target].into_iter().filter(|word| word.text != "self") {
            self.mention(Mention::Type(word.text.to_owned()), word.at);
        }
        if !self.declared.is_own(source.text) && self.foreign.insert(source.text) {
            self.warn(
                source.at,
                format!("{} is about what {} does, which is no type of this profile", head.text, source.text),
            );
        }
    }

    /// Notes what a rule is about, and where first.
    pub(super) fn mention(&mut self, mention: Mention, at: Position) {
        self.mentions.entry(mention).or_insert(at);
    }

    pub(super) fn refuse(&mut self, at: Position, reason: impl AsRef<str>) {
        self.found.refuse(self.field.clone(), format!("{at}: {}", reason.as_ref()));
    }

    fn warn(&mut self, at: Position, reason: impl AsRef<str>) {
        self.found.warn(self.field.clone(), format!("{at}: {}", reason.as_ref()));
    }
}

/// All words of a node, in order. The reader bounds how deep they are.
pub(super) fn words<'a>(node: &'a Node<'a>) -> Vec<&'a Word<'a>> {
    match node {
        Node::Word(word) => vec![word],
        Node::List(list) => list.items.iter().flat_map(words).collect(),
    }
}
