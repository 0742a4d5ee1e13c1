//! A tree goes through the table of its kind: types are checked, words are translated, what is empty is left out, and what the
//! older version cannot hold is set aside.

use std::borrow::Cow;
use std::mem;

use crate::error::Reason;
use crate::node::{Entry, Node};
use crate::place::Place;
use crate::shape::{Field, Shape, Written};
use crate::types::{ITEM, check, is_empty, is_scalar, wrong};
use crate::{stash, time};

/// Which version is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    /// From the older version. Fields that `v1` does not know come from nowhere that could be trusted, and are dropped.
    V1,
    /// From `v1`. Fields that the table does not know are those of a later `v1`, and are set aside.
    Old,
}

/// What became of a value.
#[derive(Debug)]
pub(crate) struct Passed<'a> {
    pub(crate) node: Node<'a>,
    /// What was set aside, with the nesting of the value; see [`stash`].
    pub(crate) aside: Option<Node<'a>>,
    /// Whether anything in it was given, were it an empty list.
    given: bool,
}

impl<'a> Passed<'a> {
    fn plain(node: Node<'a>) -> Self {
        Self { given: !is_empty(&node) || matches!(node, Node::List(_) | Node::Object(_)), node, aside: None }
    }
}

/// Passes the fields of a whole object.
pub(crate) fn object<'a>(
    fields: &'static [Field],
    entries: Vec<Entry<'a>>,
    toward: Toward,
) -> Result<Passed<'a>, Reason> {
    toward.fields(fields, entries, &Place::Root)
}

impl Toward {
    fn value<'a>(self, shape: &'static Shape, node: Node<'a>, place: &Place<'_>) -> Result<Passed<'a>, Reason> {
        match (shape, node) {
            (Shape::Time, Node::Text(text)) => Ok(Passed::plain(Node::Text(time::canonical(text)))),
            (Shape::List(of), Node::List(items)) => self.list(of, items, place),
            (Shape::ListBy(key, fields), Node::List(items)) => self.list_by(key, fields, items, place),
            (Shape::Map(of), Node::Object(entries)) => self.map(of, entries, place),
            (Shape::Object(fields), Node::Object(entries)) => self.fields(fields, entries, place),
            (shape, node) if is_scalar(shape, &node) => Ok(Passed::plain(node)),
            (shape, node) => Err(wrong(shape, &node, place)),
        }
    }

    fn list<'a>(self, of: &'static Shape, mut items: Vec<Node<'a>>, place: &Place<'_>) -> Result<Passed<'a>, Reason> {
        let mut aside = Vec::new();
        for (index, item) in items.iter_mut().enumerate() {
            if matches!((of, &*item), (Shape::Text, Node::Text(_))) {
                continue;
            }
            let passed = self.value(of, mem::replace(item, Node::Null), &Place::Item(place, index))?;
            *item = passed.node;
            aside.extend(passed.aside.map(|aside| stash::of_item(index, item, aside)));
        }
        Ok(Passed { node: Node::List(items), aside: some_list(aside), given: true })
    }

    fn list_by<'a>(
        self,
        key: &'static str,
        fields: &'static [Field],
        mut items: Vec<Node<'a>>,
        place: &Place<'_>,
    ) -> Result<Passed<'a>, Reason> {
        let mut aside = Vec::new();
        for (index, item) in items.iter_mut().enumerate() {
            let place = Place::Item(place, index);
            let Node::Object(entries) = item else { return Err(wrong(&ITEM, item, &place)) };
            let entries = mem::take(entries);
            let passed = self.fields(fields, entries, &place)?;
            *item = passed.node;
            aside.extend(passed.aside.map(|aside| stash::of_item_by(key, item, aside)));
        }
        Ok(Passed { node: Node::List(items), aside: some_list(aside), given: true })
    }

    /// `null` in place of an inner map is an empty one; in place of anything else it stays.
    fn map<'a>(self, of: &'static Shape, mut entries: Vec<Entry<'a>>, place: &Place<'_>) -> Result<Passed<'a>, Reason> {
        for (key, value) in &mut entries {
            *value = match (of, mem::replace(value, Node::Null)) {
                (Shape::Map(_), Node::Null) => Node::Object(Vec::new()),
                (_, Node::Null) => Node::Null,
                (of, value) => self.value(of, value, &Place::Key(place, key))?.node,
            };
        }
        Ok(Passed { node: Node::Object(entries), aside: None, given: true })
    }

    fn fields<'a>(
        self,
        fields: &'static [Field],
        entries: Vec<Entry<'a>>,
        place: &Place<'_>,
    ) -> Result<Passed<'a>, Reason> {
        let mut done =
            Fields { toward: self, written: Vec::with_capacity(entries.len()), aside: Vec::new(), given: false };
        let mut seen = 0_u64;
        for (name, node) in entries {
            if node == Node::Null {
                continue;
            }
            match fields.iter().position(|field| field.name == name) {
                Some(at) if self == Self::Old || !fields[at].only_v1 => {
                    seen |= 1 << at;
                    done.add(&fields[at], name, node, place)?;
                }
                None if self == Self::Old => done.aside.push((name, node)),
                _ => {}
            }
        }
        for (at, field) in fields.iter().enumerate() {
            if seen & (1 << at) == 0 && !field.only_v1 {
                done.fill(field, place)?;
            }
        }
        Ok(Passed { node: Node::Object(done.written), aside: some_object(done.aside), given: done.given })
    }
}

/// The fields of an object, while they pass.
struct Fields<'a> {
    toward: Toward,
    written: Vec<Entry<'a>>,
    aside: Vec<Entry<'a>>,
    given: bool,
}

impl<'a> Fields<'a> {
    /// A field that was given.
    fn add(
        &mut self,
        field: &'static Field,
        name: Cow<'a, str>,
        node: Node<'a>,
        place: &Place<'_>,
    ) -> Result<(), Reason> {
        let here = Place::Field(place, field.name);
        if field.only_v1 {
            check(&field.shape, &node, &here)?;
            if !is_empty(&node) || matches!(field.written, Written::Given) {
                self.aside.push((name, node));
            }
            return Ok(());
        }
        let mut passed = self.toward.value(&field.shape, node, &here)?;
        let is_written = match field.written {
            Written::Filled => !is_empty(&passed.node),
            Written::Group => passed.given,
            Written::Always => true,
            Written::Given => {
                passed.given = true;
                true
            }
            Written::Word(words) => {
                let word = passed.node.as_text().and_then(|text| self.toward.word(words, text));
                passed.given = word.is_some();
                passed.node = word.map_or(Node::Null, Node::word);
                word.is_some()
            }
        };
        self.given |= passed.given;
        self.aside.extend(passed.aside.map(|aside| (Cow::Borrowed(field.name), aside)));
        if is_written {
            self.written.push((name, passed.node));
        }
        Ok(())
    }

    /// A field that was not given, and may be written all the same.
    fn fill(&mut self, field: &'static Field, place: &Place<'_>) -> Result<(), Reason> {
        let empty = match (&field.shape, field.written) {
            (Shape::Object(_), Written::Group | Written::Always) => Node::Object(Vec::new()),
            (Shape::Text, Written::Word(_) | Written::Always) => Node::word(""),
            (Shape::Time, Written::Always) => {
                self.written.push((Cow::Borrowed(field.name), Node::Null));
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.add(field, Cow::Borrowed(field.name), empty, place)
    }
}

impl Toward {
    /// The word of the wanted version.
    fn word(self, words: &'static [(&'static str, &'static str)], text: &str) -> Option<&'static str> {
        let turned = |(old, new): &(&'static str, &'static str)| match self {
            Self::V1 => (*old, *new),
            Self::Old => (*new, *old),
        };
        let mut words = words.iter().map(turned);
        if text.is_empty() { words.next() } else { words.find(|(from, _)| *from == text) }.map(|(_, to)| to)
    }
}

fn some_object(entries: Vec<Entry<'_>>) -> Option<Node<'_>> {
    (!entries.is_empty()).then_some(Node::Object(entries))
}

fn some_list(items: Vec<Node<'_>>) -> Option<Node<'_>> {
    (!items.is_empty()).then_some(Node::List(items))
}
