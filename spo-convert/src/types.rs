//! Whether a value is of the type that its table says.

use crate::error::Reason;
use crate::node::Node;
use crate::place::Place;
use crate::shape::{Field, Shape};

/// What belongs into a list of objects.
pub(crate) const ITEM: Shape = Shape::Object(&[]);

/// Checks the types of a value that stays as it is.
pub(crate) fn check(shape: &'static Shape, node: &Node<'_>, place: &Place<'_>) -> Result<(), Reason> {
    match (shape, node) {
        (Shape::List(of), Node::List(items)) => {
            items.iter().enumerate().try_for_each(|(index, item)| check(of, item, &Place::Item(place, index)))
        }
        (Shape::ListBy(_, fields), Node::List(items)) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_fields(fields, item, &Place::Item(place, index))),
        (Shape::Map(of), Node::Object(entries)) => {
            let mut given = entries.iter().filter(|(_, value)| *value != Node::Null);
            given.try_for_each(|(key, value)| check(of, value, &Place::Key(place, key)))
        }
        (Shape::Object(fields), node) => check_fields(fields, node, place),
        (shape, node) if is_scalar(shape, node) => Ok(()),
        (shape, node) => Err(wrong(shape, node, place)),
    }
}

fn check_fields(fields: &'static [Field], node: &Node<'_>, place: &Place<'_>) -> Result<(), Reason> {
    let Node::Object(entries) = node else {
        return Err(wrong(&ITEM, node, place));
    };
    let given = entries.iter().filter(|(_, value)| *value != Node::Null);
    let mut known = given.filter_map(|(name, value)| Some((fields.iter().find(|field| field.name == name)?, value)));
    known.try_for_each(|(field, value)| check(&field.shape, value, &Place::Field(place, field.name)))
}

/// Whether a value is of a type without parts.
pub(crate) fn is_scalar(shape: &Shape, node: &Node<'_>) -> bool {
    match (shape, node) {
        (Shape::Text | Shape::Time | Shape::Quantity, Node::Text(_)) | (Shape::Bool, Node::Bool(_)) => true,
        (Shape::Quantity, Node::Negative(_) | Node::Natural(_) | Node::Float(_)) => true,
        (Shape::Int32, Node::Negative(value)) => i32::try_from(*value).is_ok(),
        (Shape::Int32, Node::Natural(value)) => i32::try_from(*value).is_ok(),
        (Shape::Int64, Node::Natural(value)) => i64::try_from(*value).is_ok(),
        (Shape::Int64, Node::Negative(_)) => true,
        _ => false,
    }
}

pub(crate) fn wrong(shape: &Shape, node: &Node<'_>, place: &Place<'_>) -> Reason {
    let expected = match shape {
        Shape::Text => "text",
        Shape::Bool => "true or false",
        Shape::Int32 => "a whole number of 32 bits",
        Shape::Int64 => "a whole number of 64 bits",
        Shape::Quantity => "a quantity",
        Shape::Time => "a time",
        Shape::List(_) | Shape::ListBy(..) => "a list",
        Shape::Map(_) | Shape::Object(_) => "an object",
    };
    Reason::WrongType { path: place.path(), expected, found: node.described() }
}

/// What a reader takes for a field that was not given.
pub(crate) fn is_empty(node: &Node<'_>) -> bool {
    match node {
        Node::Null | Node::Bool(false) | Node::Natural(0) => true,
        Node::Bool(true) | Node::Negative(_) | Node::Natural(_) | Node::Float(_) => false,
        Node::Text(text) => text.is_empty(),
        Node::List(items) => items.is_empty(),
        Node::Object(entries) => entries.is_empty(),
    }
}
