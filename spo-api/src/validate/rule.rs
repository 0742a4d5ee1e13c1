//! Rules that many fields share. Each takes a field as it stands in its type, and its path.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;

use crate::{FieldPath, Violation};

/// No item stands in the list twice.
pub(super) fn distinct<T: Eq + Hash + Display>(items: Option<&Vec<T>>, path: &FieldPath) -> Vec<Violation> {
    let mut seen = HashSet::new();
    let repeated = items.into_iter().flatten().enumerate().filter(|(_, item)| !seen.insert(*item));
    repeated.map(|(index, item)| twice(path.index(index), &item.to_string())).collect()
}

/// No two items have one `name`, the key of the list.
pub(super) fn distinct_names<'a>(names: impl Iterator<Item = &'a str>, path: &FieldPath) -> Vec<Violation> {
    let mut seen = HashSet::new();
    let repeated = names.enumerate().filter(|(_, name)| !seen.insert(*name));
    repeated.map(|(index, name)| twice(path.index(index).child("name"), name)).collect()
}

fn twice(path: FieldPath, item: &str) -> Violation {
    Violation::new(path, format!("{item:?} stands in the list twice; remove one"))
}

/// The number is not too small.
pub(super) fn at_least(value: Option<impl Into<i64>>, min: i64, path: FieldPath) -> Option<Violation> {
    let value = value?.into();
    (value < min).then(|| Violation::new(path, format!("is {value}, at least {min} is needed")))
}

/// The list has enough items.
pub(super) fn enough<T>(items: &[T], min: usize, path: &FieldPath) -> Option<Violation> {
    let length = items.len();
    (length < min).then(|| Violation::new(path.clone(), format!("has {length} items, at least {min} is needed")))
}

/// The list has not too many items.
pub(super) fn not_more<T>(items: &[T], max: usize, path: &FieldPath) -> Option<Violation> {
    let length = items.len();
    (length > max).then(|| Violation::new(path.clone(), format!("has {length} items, at most {max} are possible")))
}

/// The text is there.
pub(super) fn not_empty(text: &str, path: FieldPath) -> Option<Violation> {
    text.is_empty().then(|| Violation::new(path, "is empty; at least one character is needed"))
}

/// The text is one that a type can be made of.
pub(super) fn parses<T: FromStr<Err: Display>>(text: Option<&str>, path: FieldPath) -> Option<Violation> {
    text?.parse::<T>().err().map(|error| Violation::new(path, error.to_string()))
}
