//! The metadata of an object: what is written there is written again, byte for byte. Only the one annotation of conversion
//! comes and goes.

use std::borrow::Cow;

use serde_json::value::RawValue;
use spo_api::{FieldPath, labels};

use crate::error::Reason;
use crate::node::{Entries, cut};
use crate::version::Version;

/// The most that the keys and values of an object's annotations may have together, as the API server counts.
const MOST: usize = 256 * 1024;

/// The metadata of an object. Values are pieces of JSON.
#[derive(Debug, Default)]
pub(crate) struct Metadata<'a> {
    fields: Vec<(Cow<'a, str>, &'a str)>,
    annotations: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Metadata<'a> {
    /// Reads it. Labels and annotations must be maps of text; nothing else is looked at.
    pub(crate) fn read(raw: &'a str) -> Result<Self, Reason> {
        let path = FieldPath::new("metadata");
        let mut metadata = Self::default();
        for (name, value) in entries(raw, &path)? {
            match name.as_ref() {
                "labels" if texts(value, &path.child("labels"))?.is_empty() => {}
                "annotations" => {
                    let texts = texts(value, &path.child("annotations"))?;
                    metadata.annotations = texts.into_iter().map(|(key, text)| (key, text.into())).collect();
                }
                _ => metadata.fields.push((name, value)),
            }
        }
        Ok(metadata)
    }

    /// The text of the annotation of conversion.
    pub(crate) fn stash(&self) -> Option<String> {
        let (_, raw) = self.annotations.iter().find(|(key, _)| key == labels::CONVERSION)?;
        serde_json::from_str(raw).ok()
    }

    /// Removes the annotation of conversion.
    pub(crate) fn remove_stash(&mut self) {
        self.annotations.retain(|(key, _)| key != labels::CONVERSION);
    }

    /// Adds the annotation of conversion, of which there must be none.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn add_stash(&mut self, text: &str, version: Version) -> Result<(), Reason> {
        let others: usize = self.annotations.iter().map(|(key, raw)| key.len() + text_len(raw)).sum();
        let needed = others + labels::CONVERSION.len() + text.len();
        if needed > MOST {
            return Err(Reason::NoRoom { version, needed, most: MOST });
        }
        self.annotations.push((Cow::Borrowed(labels::CONVERSION), serde_json::to_string(text)?.into()));
        Ok(())
    }

    /// Writes it as JSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.push(b'{');
        for (name, raw) in &self.fields {
            write_field(out, name, raw)?;
        }
        if !self.annotations.is_empty() {
            write_field(out, "annotations", "{")?;
            for (key, raw) in &self.annotations {
                write_field(out, key, raw)?;
            }
            out.push(b'}');
        }
        out.push(b'}');
        Ok(())
    }
}

/// The name in some metadata, if there is one, whatever else is in there.
pub(crate) fn name(raw: &str) -> Option<String> {
    let fields = entries(raw, &FieldPath::new("metadata")).ok()?;
    fields.iter().find(|(name, _)| name == "name").and_then(|(_, raw)| serde_json::from_str(raw).ok())
}

/// Writes a field of an object, behind others or as the first.
pub(crate) fn write_field(out: &mut Vec<u8>, name: &str, raw: &str) -> serde_json::Result<()> {
    write_name(out, name)?;
    out.extend_from_slice(raw.as_bytes());
    Ok(())
}

/// Writes the name of a field, and what stands around it.
pub(crate) fn write_name(out: &mut Vec<u8>, name: &str) -> serde_json::Result<()> {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    serde_json::to_writer(&mut *out, name)?;
    out.push(b':');
    Ok(())
}

/// The fields of an object as pieces of JSON, those that are `null` left out.
pub(crate) fn entries<'a>(raw: &'a str, path: &FieldPath) -> Result<Vec<(Cow<'a, str>, &'a str)>, Reason> {
    let field = (*path != FieldPath::default()).then(|| path.clone());
    let entries: Option<Entries<'a, &'a RawValue>> =
        serde_json::from_str(raw).map_err(|error| Reason::Unreadable { field, error })?;
    let entries = entries.into_iter().flat_map(|Entries(entries)| entries);
    Ok(entries.map(|(name, raw)| (name, raw.get())).filter(|(_, raw)| *raw != "null").collect())
}

/// The entries of a map of text, as pieces of JSON.
fn texts<'a>(raw: &'a str, path: &FieldPath) -> Result<Vec<(Cow<'a, str>, &'a str)>, Reason> {
    let entries = entries(raw, path)?;
    match entries.iter().find(|(_, raw)| !raw.starts_with('"')) {
        None => Ok(entries),
        Some((key, raw)) => {
            Err(Reason::WrongType { path: path.key(cut(key)), expected: "text", found: cut(raw).to_owned() })
        }
    }
}

/// The length of a text, from the JSON that it is written in.
fn text_len(raw: &str) -> usize {
    serde_json::from_str::<Cow<'_, str>>(raw).map_or(raw.len(), |text| text.len())
}
