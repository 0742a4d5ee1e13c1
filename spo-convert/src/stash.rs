//! What the older version cannot hold, and how it comes back.
//!
//! It travels in one annotation, as JSON with the nesting of the object: `{"spec":{"selinux":{"options":{"deniedTypes":["x"]}}}}`.
//! An item of a list is found again
//!
//! * by its key, where the items have one: the entry has the key, and beside it what was set aside;
//! * else by what else is in it: the entry is `{"index":…,"digest":…,"fields":{…}}`, with the place of the item and a digest of
//!   what remained of it. An item that was changed in between is another one, and gets nothing.
//!
//! Anybody who may write the object may write the annotation, so it is read as data from outside. It can add what the older
//! version cannot say, and nothing else. One that is not well formed does nothing at all.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::node::{Entry, Node, field};
use crate::place::Place;
use crate::shape::{Field, Shape};
use crate::types::check;

/// What was set aside of an item without a key. `rest` is what remained of it.
pub(crate) fn of_item<'a>(index: usize, rest: &Node<'_>, aside: Node<'a>) -> Node<'a> {
    Node::Object(vec![
        (Cow::Borrowed("index"), Node::Natural(index as u64)),
        (Cow::Borrowed("digest"), Node::Text(hex::encode(digest(rest).to_be_bytes()).into())),
        (Cow::Borrowed("fields"), aside),
    ])
}

/// What was set aside of an item that has a key.
pub(crate) fn of_item_by<'a>(key: &'static str, rest: &Node<'a>, aside: Node<'a>) -> Node<'a> {
    let mut entries = vec![(Cow::Borrowed(key), Node::Text(key_of(key, rest).to_owned().into()))];
    if let Node::Object(aside) = aside {
        entries.extend(aside);
    }
    Node::Object(entries)
}

/// Reads the annotation. `None` means that it is not well formed.
pub(crate) fn read<'a>(fields: &'static [Field], text: &'a str) -> Option<Vec<Entry<'a>>> {
    let Ok(Node::Object(entries)) = serde_json::from_str(text) else { return None };
    is_well_formed(fields, &entries).then_some(entries)
}

/// Whether it holds only what the older version cannot say, with the right types where they are known.
fn is_well_formed(fields: &'static [Field], entries: &[Entry<'_>]) -> bool {
    entries.iter().all(|(name, value)| match fields.iter().find(|field| field.name == name) {
        None => *value != Node::Null,
        Some(field) if field.only_v1 => check(&field.shape, value, &Place::Root).is_ok(),
        Some(field) => match (&field.shape, value) {
            (Shape::Object(fields), Node::Object(entries)) => is_well_formed(fields, entries),
            (Shape::ListBy(key, fields), Node::List(items)) => items.iter().all(|item| is_item_by(key, fields, item)),
            (Shape::List(Shape::Object(fields)), Node::List(items)) => items.iter().all(|item| is_item(fields, item)),
            _ => false,
        },
    })
}

fn is_item_by(key: &str, fields: &'static [Field], item: &Node<'_>) -> bool {
    let Node::Object(entries) = item else { return false };
    let (keys, rest): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(|(name, _)| name == key);
    matches!(&keys[..], [(_, Node::Text(_))]) && is_well_formed(fields, &rest)
}

fn is_item(fields: &'static [Field], item: &Node<'_>) -> bool {
    let (index, digest, inner) = (item.get(&["index"]), item.get(&["digest"]), item.get(&["fields"]));
    matches!(item, Node::Object(entries) if entries.len() == 3)
        && matches!((index, digest), (Some(Node::Natural(_)), Some(Node::Text(_))))
        && matches!(inner, Some(Node::Object(entries)) if is_well_formed(fields, entries))
}

/// Puts back what was set aside. What the object says by itself stays.
pub(crate) fn restore<'a>(fields: &'static [Field], object: &mut Vec<Entry<'a>>, aside: Vec<Entry<'a>>) {
    for (name, value) in aside {
        match (fields.iter().find(|field| field.name == name && !field.only_v1), value) {
            (Some(Field { name, shape: Shape::Object(fields), .. }), Node::Object(aside)) => {
                restore_group(name, fields, object, aside);
            }
            (Some(Field { name, shape: Shape::ListBy(key, fields), .. }), Node::List(aside)) => {
                restore_items_by(key, fields, items_of(object, name), aside);
            }
            (Some(Field { name, shape: Shape::List(Shape::Object(fields)), .. }), Node::List(aside)) => {
                restore_items(fields, items_of(object, name), aside);
            }
            (_, value) => {
                if !object.iter().any(|(known, _)| *known == name) {
                    object.push((name, value));
                }
            }
        }
    }
}

/// A group that the older version left out, because nothing else was in it, or that an older client removed, is made again.
fn restore_group<'a>(name: &'static str, fields: &'static [Field], object: &mut Vec<Entry<'a>>, aside: Vec<Entry<'a>>) {
    if let Some((_, Node::Object(there))) = object.iter_mut().find(|(known, _)| known == name) {
        return restore(fields, there, aside);
    }
    let mut made = Vec::new();
    restore(fields, &mut made, aside);
    if !made.is_empty() {
        *field(object, name) = Node::Object(made);
    }
}

/// The items of a list, none where there is no list.
fn items_of<'n, 'a>(object: &'n mut [Entry<'a>], name: &str) -> &'n mut [Node<'a>] {
    match object.iter_mut().find(|(known, _)| known == name) {
        Some((_, Node::List(items))) => items,
        _ => &mut [],
    }
}

fn restore_items_by<'a>(key: &'static str, fields: &'static [Field], items: &mut [Node<'a>], aside: Vec<Node<'a>>) {
    for entry in aside {
        let found = items.iter_mut().find(|item| key_of(key, item) == key_of(key, &entry));
        if let (Some(Node::Object(item)), Node::Object(mut aside)) = (found, entry) {
            aside.retain(|(name, _)| name != key);
            restore(fields, item, aside);
        }
    }
}

/// First what stayed at its place, then what moved.
fn restore_items<'a>(fields: &'static [Field], items: &mut [Node<'a>], aside: Vec<Node<'a>>) {
    let mut digests: Vec<Option<u64>> = items.iter().map(|item| Some(digest(item))).collect();
    let mut moved = Vec::new();
    for entry in aside.into_iter().filter_map(Item::read) {
        let stays = digests.get(entry.index).is_some_and(|digest| *digest == Some(entry.digest));
        if stays { entry.restore(fields, items, &mut digests) } else { moved.push(entry) }
    }
    for mut entry in moved {
        if let Some(index) = digests.iter().position(|digest| *digest == Some(entry.digest)) {
            entry.index = index;
            entry.restore(fields, items, &mut digests);
        }
    }
}

/// What was set aside of an item without a key.
struct Item<'a> {
    index: usize,
    digest: u64,
    fields: Vec<Entry<'a>>,
}

impl<'a> Item<'a> {
    /// A digest that nobody computed, or a place that no list has, belongs to no item.
    fn read(mut node: Node<'a>) -> Option<Self> {
        let Some(Node::Natural(index)) = node.take(&["index"]) else { return None };
        let Some(Node::Object(fields)) = node.take(&["fields"]) else { return None };
        let digest = u64::from_str_radix(node.get(&["digest"])?.as_text()?, 16).ok()?;
        Some(Self { index: usize::try_from(index).ok()?, digest, fields })
    }

    /// Gives it back to the item at its place, which gets nothing more.
    fn restore(self, fields: &'static [Field], items: &mut [Node<'a>], digests: &mut [Option<u64>]) {
        digests[self.index] = None;
        if let Node::Object(item) = &mut items[self.index] {
            restore(fields, item, self.fields);
        }
    }
}

fn key_of<'n>(key: &str, item: &'n Node<'_>) -> &'n str {
    item.get(&[key]).and_then(Node::as_text).unwrap_or_default()
}

/// The first 64 bits of SHA-256 over an item, whatever the order of its fields.
fn digest(item: &Node<'_>) -> u64 {
    let text = serde_json::to_vec(&sorted(item)).unwrap_or_default();
    Sha256::digest(text).iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte))
}

fn sorted<'n>(node: &'n Node<'_>) -> Node<'n> {
    match node {
        Node::Null => Node::Null,
        Node::Bool(value) => Node::Bool(*value),
        Node::Negative(value) => Node::Negative(*value),
        Node::Natural(value) => Node::Natural(*value),
        Node::Float(value) => Node::Float(*value),
        Node::Text(text) => Node::Text(Cow::Borrowed(text)),
        Node::List(items) => Node::List(items.iter().map(sorted).collect()),
        Node::Object(entries) => {
            let mut entries: Vec<_> =
                entries.iter().map(|(name, value)| (Cow::Borrowed(&**name), sorted(value))).collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Node::Object(entries)
        }
    }
}
