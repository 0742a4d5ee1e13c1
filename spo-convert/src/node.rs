//! A JSON value as a tree that borrows from the text it was read from.
//!
//! It differs from `serde_json::Value` in what conversion needs: text without escapes is not copied, the order of fields is
//! kept, and a field that is written twice is refused, because readers disagree about which of the two counts.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    /// A whole number below 0.
    Negative(i64),
    /// A whole number from 0 on.
    Natural(u64),
    /// Any other number, `1.0` too.
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<Entry<'a>>),
}

/// A field of an object, or an entry of a map.
pub(crate) type Entry<'a> = (Cow<'a, str>, Node<'a>);

impl<'a> Node<'a> {
    /// Text that is known in advance.
    pub(crate) const fn word(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The value at the end of a path of fields.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(name, _)| name == first)?.1.get(rest)
    }

    /// Takes out the value at the end of a path of fields.
    pub(crate) fn take(&mut self, path: &[&str]) -> Option<Self> {
        let (first, rest) = path.split_first()?;
        let Self::Object(entries) = self else { return None };
        let at = entries.iter().position(|(name, _)| name == first)?;
        if rest.is_empty() { Some(entries.remove(at).1) } else { entries[at].1.take(rest) }
    }

    /// Puts a value at the end of a path of fields, in place of what is there. Objects on the way are made where nothing is;
    /// where something else stands in the way, nothing happens, and the type check will say so.
    pub(crate) fn put(&mut self, path: &[&'static str], value: Self) {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        if *self == Self::Null {
            *self = Self::Object(Vec::new());
        }
        if let Self::Object(entries) = self {
            field(entries, first).put(rest, value);
        }
    }

    /// What it is, for a message: short, whatever it is.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Negative(value) => value.to_string(),
            Self::Natural(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => format!("{:?}", cut(text)),
            Self::List(_) => "a list".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }
}

/// The value of a field, which is made if it is not there.
pub(crate) fn field<'n, 'a>(entries: &'n mut Vec<Entry<'a>>, name: &'static str) -> &'n mut Node<'a> {
    let at = entries.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        entries.push((Cow::Borrowed(name), Node::Null));
        entries.len() - 1
    });
    &mut entries[at].1
}

/// As much of a text as a message can bear.
pub(crate) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(100)]
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Negative(value) => serializer.serialize_i64(*value),
            Self::Natural(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(entries) => serializer.collect_map(entries.iter().map(|(name, value)| (name, value))),
        }
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(u64::try_from(value).map_or(Node::Negative(value), Node::Natural))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Natural(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Node<'de>, A::Error> {
        EachOnce(PhantomData).visit_map(map).map(Node::Object)
    }
}

/// Text that borrows where it can, which `Cow` by itself does not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The fields of an object, or the entries of a map, in their order and each once.
#[derive(Debug, Clone)]
pub(crate) struct Entries<'a, V>(pub(crate) Vec<(Cow<'a, str>, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Entries<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EachOnce(PhantomData)).map(Self)
    }
}

struct EachOnce<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EachOnce<V> {
    type Value = Vec<(Cow<'de, str>, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            entries.push((name, map.next_value()?));
        }
        match repeated(&entries) {
            Some(name) => Err(A::Error::custom(format_args!("field {:?} is written twice", cut(name)))),
            None => Ok(entries),
        }
    }
}

/// A name that occurs twice, if there is one. Few names are compared with each other; many, which only a map has, are hashed.
fn repeated<'n, V>(entries: &'n [(Cow<'_, str>, V)]) -> Option<&'n str> {
    let mut names = entries.iter().map(|(name, _)| name.as_ref());
    if entries.len() <= 16 {
        let before = |index: usize| entries[..index].iter().map(|(name, _)| name.as_ref());
        return names
            .enumerate()
            .find(|(index, name)| before(*index).any(|other| other == *name))
            .map(|(_, name)| name);
    }
    let mut seen = HashSet::with_capacity(entries.len());
    names.find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node<'_>, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn what_was_read_is_written_in_the_same_order() {
        let text = r#"{"b":[1,-2,1.5,true,null,"\u00e9\n"],"a":{"c":"d"}}"#;
        let written = serde_json::to_string(&read(text).unwrap()).unwrap();
        assert_eq!(written, "{\"b\":[1,-2,1.5,true,null,\"é\\n\"],\"a\":{\"c\":\"d\"}}");
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let Node::List(items) = read(r#"["plain", "esc\taped"]"#).unwrap() else { panic!("no list") };
        let borrowed = items.iter().map(|item| matches!(item, Node::Text(Cow::Borrowed(_)))).collect::<Vec<_>>();
        assert_eq!(borrowed, [true, false]);
    }

    #[test]
    fn a_field_that_is_written_twice_is_named_however_it_is_spelt_and_however_many_there_are() {
        let many: String = (0..100).map(|number| format!("\"f{number}\":0,")).collect();
        for text in [r#"{"a":1,"b":2,"\u0061":3}"#.to_owned(), format!("{{{many}\"a\":1,\"a\":2}}")] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.starts_with("field \"a\" is written twice"), "{error}");
        }
    }

    #[test]
    fn ten_thousand_levels_are_an_error_and_no_overflow() {
        let text = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(read(&text).unwrap_err().to_string().starts_with("recursion limit exceeded"));
    }

    #[test]
    fn values_are_put_where_a_path_leads_and_taken_from_there() {
        let mut node = read(r#"{"a":null,"text":"x"}"#).unwrap();
        node.put(&["a", "b"], Node::Bool(true));
        node.put(&["text", "b"], Node::Bool(true));
        assert_eq!(serde_json::to_string(&node).unwrap(), r#"{"a":{"b":true},"text":"x"}"#);
        assert_eq!(node.take(&["a", "b"]), Some(Node::Bool(true)));
        assert_eq!(node.take(&["text", "b"]), None);
        assert_eq!(node.get(&["a"]), Some(&Node::Object(Vec::new())));
    }
}
