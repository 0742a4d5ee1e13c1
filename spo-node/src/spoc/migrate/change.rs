//! What is different between a manifest and what it became.

use std::fmt;

use serde::Serialize;

use super::tree::Tree;

/// A field that is not as it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Change {
    /// The field, from the root of the object. Of one that moved, where it is now.
    pub(super) field: String,
    /// Where it was, if it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    /// What it said; nothing if there was no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) was: Option<Tree>,
    /// What it says; nothing if there is no such field any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is: Option<Tree>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, from, was, is } = self;
        match (from, was, is) {
            (Some(from), ..) => write!(f, "{from}: is now {field}"),
            (None, Some(was), Some(is)) => write!(f, "{field}: was {was}, is {is}"),
            (None, None, Some(is)) => write!(f, "{field}: added, {is}"),
            (None, Some(was), None) => write!(f, "{field}: removed, was {was}"),
            (None, None, None) => write!(f, "{field}"),
        }
    }
}

/// Every field in which two objects differ, in the order of the older one. A field that was removed at one place and added at
/// another, under the same name and with the same value, moved.
pub(super) fn changes(was: &Tree, is: &Tree) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", was, is, &mut found);
    moved(found)
}

fn compare(place: &str, was: &Tree, is: &Tree, found: &mut Vec<Change>) {
    match (was, is) {
        (Tree::Object(before), Tree::Object(after)) => {
            let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            for (name, value) in before {
                match is.get(name) {
                    Some(there) => compare(&below(name), value, there, found),
                    None => leaves(&below(name), value, &mut |field, value| found.push(removed(field, value))),
                }
            }
            for (name, value) in after.iter().filter(|(name, _)| was.get(name).is_none()) {
                leaves(&below(name), value, &mut |field, value| found.push(added(field, value)));
            }
        }
        (Tree::List(before), Tree::List(after)) if before.len() == after.len() => {
            for (index, (was, is)) in before.iter().zip(after).enumerate() {
                compare(&format!("{place}[{index}]"), was, is, found);
            }
        }
        (was, is) if was == is => {}
        (was, is) => {
            found.push(Change { field: place.to_owned(), from: None, was: Some(was.clone()), is: Some(is.clone()) })
        }
    }
}

/// The fields within a field: an object that came or went is told of by what is in it.
fn leaves(place: &str, value: &Tree, tell: &mut dyn FnMut(&str, &Tree)) {
    match value {
        Tree::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| leaves(&format!("{place}.{name}"), value, tell));
        }
        value => tell(place, value),
    }
}

fn removed(field: &str, was: &Tree) -> Change {
    Change { field: field.to_owned(), from: None, was: Some(was.clone()), is: None }
}

fn added(field: &str, is: &Tree) -> Change {
    Change { field: field.to_owned(), from: None, was: None, is: Some(is.clone()) }
}

fn moved(mut changes: Vec<Change>) -> Vec<Change> {
    let last = |field: &str| field.rsplit('.').next().unwrap_or_default().to_owned();
    let mut index = 0;
    while index < changes.len() {
        let removed = &changes[index];
        let is_same = |added: &Change| {
            added.was.is_none() && added.is == removed.was && last(&added.field) == last(&removed.field)
        };
        let target = changes.iter().position(is_same).filter(|_| removed.is.is_none() && removed.was.is_some());
        if let Some(target) = target {
            let field = changes[target].field.clone();
            let from = std::mem::replace(&mut changes[index].field, field);
            changes[index].from = Some(from);
            changes[index].is = changes[index].was.take();
            changes.remove(target);
            index -= usize::from(target < index);
        }
        index += 1;
    }
    changes
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("{a: 1}", "{a: 1}", &[])]
    #[case("{a: {b: 1, c: x}}", "{a: {b: 2}}", &["a.b: was 1, is 2", "a.c: removed, was \"x\""])]
    #[case("{a: [1, 2]}", "{a: [1, 3]}", &["a[1]: was 2, is 3"])]
    #[case("{a: [1, 2]}", "{a: [1]}", &["a: was a list of 2, is [1]"])]
    #[case("{}", "{a: {b: {}, c: true}}", &["a.b: added, {}", "a.c: added, true"])]
    #[case("{flat: {x: [1, 2]}}", "{group: {x: [1, 2]}}", &["flat.x: is now group.x"])]
    #[case("{a: {x: 1}}", "{b: {x: 2}}", &["a.x: removed, was 1", "b.x: added, 2"])]
    fn changes_are_told_field_by_field(#[case] was: &str, #[case] is: &str, #[case] expected: &[&str]) {
        let [was, is]: [Tree; 2] = [was, is].map(|text| serde_saphyr::from_str(text).unwrap());
        let told: Vec<String> = changes(&was, &is).iter().map(Change::to_string).collect();
        assert_eq!(told, expected);
    }
}
