//! What the fields of a kind look like, as tables.
//!
//! A table says of each field its name, its type, whether the older version has it, and when it is left out of what is written.
//! The tables of the kinds are below [`crate::kinds`]; [`crate::pass`] applies them. Patterns, bounds and enumerations are
//! no part of them: conversion does not judge values.

/// The type of a value.
#[derive(Debug)]
pub(crate) enum Shape {
    Text,
    Bool,
    Int32,
    Int64,
    /// A quantity of Kubernetes: a number, or text. Passed on as it is written.
    Quantity,
    /// A point in time, written in UTC and whole seconds.
    Time,
    /// A list whose items have no identity beyond their place.
    List(&'static Shape),
    /// A list of objects that are told apart by the field of this name.
    ListBy(&'static str, &'static [Field]),
    /// An object whose keys are not fields.
    Map(&'static Shape),
    Object(&'static [Field]),
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) written: Written,
    /// Whether the older version lacks it.
    pub(crate) only_v1: bool,
}

/// When a field is written. These are the rules of the reference's types, which both versions of a kind share.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written {
    /// Unless it is empty: `""`, `0`, `false`, `[]`, `{}`.
    Filled,
    /// Wherever it was given; an empty one differs from none.
    Given,
    /// An object: if anything in it was given.
    Group,
    /// Always, as an empty one where nothing was given.
    Always,
    /// As the word that the other version has for it: pairs of the old word and that of `v1`. Without a word, the first pair
    /// counts; a word that is in no pair is left out.
    Word(&'static [(&'static str, &'static str)]),
}

impl Field {
    const fn new(name: &'static str, shape: Shape, written: Written) -> Self {
        Self { name, shape, written, only_v1: false }
    }

    /// The same field, written wherever it was given.
    pub(crate) const fn given(mut self) -> Self {
        self.written = Written::Given;
        self
    }

    /// The same field, always written.
    pub(crate) const fn always(mut self) -> Self {
        self.written = Written::Always;
        self
    }

    /// The same field, which the older version lacks.
    pub(crate) const fn only_v1(mut self) -> Self {
        self.only_v1 = true;
        self
    }
}

pub(crate) const fn text(name: &'static str) -> Field {
    Field::new(name, Shape::Text, Written::Filled)
}

/// Text whose words differ between the versions.
pub(crate) const fn word(name: &'static str, words: &'static [(&'static str, &'static str)]) -> Field {
    Field::new(name, Shape::Text, Written::Word(words))
}

/// A truth value that counts as `false` where it is not given.
pub(crate) const fn flag(name: &'static str) -> Field {
    Field::new(name, Shape::Bool, Written::Filled)
}

/// A truth value where given, not given and `false` are three things.
pub(crate) const fn choice(name: &'static str) -> Field {
    Field::new(name, Shape::Bool, Written::Given)
}

pub(crate) const fn int32(name: &'static str) -> Field {
    Field::new(name, Shape::Int32, Written::Filled)
}

pub(crate) const fn int64(name: &'static str) -> Field {
    Field::new(name, Shape::Int64, Written::Filled)
}

pub(crate) const fn time(name: &'static str) -> Field {
    Field::new(name, Shape::Time, Written::Filled)
}

/// A list of text.
pub(crate) const fn texts(name: &'static str) -> Field {
    Field::new(name, Shape::List(&Shape::Text), Written::Filled)
}

/// A list of anything else.
pub(crate) const fn list(name: &'static str, of: &'static Shape) -> Field {
    Field::new(name, Shape::List(of), Written::Filled)
}

/// A list of objects that are told apart by the field `key`.
pub(crate) const fn list_by(key: &'static str, name: &'static str, fields: &'static [Field]) -> Field {
    Field::new(name, Shape::ListBy(key, fields), Written::Filled)
}

pub(crate) const fn map(name: &'static str, of: &'static Shape) -> Field {
    Field::new(name, Shape::Map(of), Written::Filled)
}

/// An object that differs from none even when it is empty.
pub(crate) const fn object(name: &'static str, fields: &'static [Field]) -> Field {
    Field::new(name, Shape::Object(fields), Written::Given)
}

/// An object that is only a group of fields: an empty one is none.
pub(crate) const fn group(name: &'static str, fields: &'static [Field]) -> Field {
    Field::new(name, Shape::Object(fields), Written::Group)
}
