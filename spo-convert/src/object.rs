//! One object from one version to the other.

use serde::de::Error as _;
use spo_api::{FieldPath, GROUP, Kind, UnknownWord};

use crate::error::{Error, Reason};
use crate::kinds::{self, Table};
use crate::legacy;
use crate::metadata::{self, Metadata, entries, write_field, write_name};
use crate::node::{Entry, Node, cut};
use crate::pass::{self, Toward};
use crate::stash;
use crate::version::Version;

/// Converts one object, JSON to JSON.
///
/// # Errors
/// It is no object of this API, there is no such version of its kind, it is in that version already, or a field has a value of
/// another type. See [`Reason`].
///
/// ```
/// use spo_convert::{Version, convert};
///
/// let old = br#"{
///     "apiVersion": "security-profiles-operator.x-k8s.io/v1alpha1",
///     "kind": "ProfileRecording",
///     "metadata": {"name": "web", "namespace": "shop"},
///     "spec": {"kind": "SeccompProfile", "recorder": "bpf", "podSelector": {}}
/// }"#;
/// let new: serde_json::Value = serde_json::from_slice(&convert(old, Version::V1)?)?;
/// assert_eq!(new["spec"]["recorder"], "Bpf");
/// assert_eq!(new["spec"]["mergeStrategy"], "None");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn convert(object: &[u8], to: Version) -> Result<Vec<u8>, Error> {
    let unreadable = |error| Error { object: UNNAMED.to_owned(), reason: Reason::from(error) };
    let text = std::str::from_utf8(object).map_err(|error| unreadable(serde_json::Error::custom(error)))?;
    let mut out = Vec::with_capacity(object.len() + 128);
    convert_into(&mut out, text, Some(to), to.as_str())?;
    Ok(out)
}

/// An object of which not even the kind is known.
pub(crate) const UNNAMED: &str = "the object";

/// Converts one object, and writes it behind what is there. `wanted` is what `to` was read from.
pub(crate) fn convert_into(out: &mut Vec<u8>, raw: &str, to: Option<Version>, wanted: &str) -> Result<(), Error> {
    let mut named = UNNAMED.to_owned();
    read(raw, to, wanted, &mut named)
        .and_then(|object| object.write(out))
        .map_err(|reason| Error { object: named, reason })
}

/// An object on its way.
struct Object<'a> {
    table: &'static Table,
    to: Version,
    metadata: Metadata<'a>,
    body: Vec<Entry<'a>>,
}

/// Reads an object, and says in `named` which one it is as soon as that is known.
fn read<'a>(raw: &'a str, to: Option<Version>, wanted: &str, named: &mut String) -> Result<Object<'a>, Reason> {
    let fields = entries(raw, &FieldPath::default())?;
    let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, raw)| *raw);
    let kind = text(field("kind"), "kind")?;
    let api_version = text(field("apiVersion"), "apiVersion")?;
    let metadata = field("metadata").unwrap_or("{}");
    if let Some(name) = metadata::name(metadata) {
        *named = format!("{} {:?}", cut(&kind), cut(&name));
    } else if !kind.is_empty() {
        *named = format!("{} without a name", cut(&kind));
    }
    let from = Version::of(&api_version).ok_or_else(|| Reason::other_api("apiVersion", &api_version))?;
    let table = kinds::table(kind.parse().map_err(unknown_kind)?);
    let to = to.ok_or_else(|| Reason::other_api("the wanted version", wanted))?;
    table.check_pair(from, to)?;
    let mut body = Vec::with_capacity(2);
    for (name, raw) in &fields {
        if table.reads(name) {
            let field = || Some(FieldPath::new(name));
            let node = serde_json::from_str(raw).map_err(|error| Reason::Unreadable { field: field(), error })?;
            body.push((name.clone(), node));
        }
    }
    Ok(Object { table, to, metadata: Metadata::read(metadata)?, body })
}

fn unknown_kind(unknown: UnknownWord) -> Reason {
    Reason::UnknownKind(cut(&unknown.text).to_owned())
}

/// A text at the root of an object; one that is missing is empty.
fn text(raw: Option<&str>, name: &str) -> Result<String, Reason> {
    raw.map_or_else(|| Ok(String::new()), serde_json::from_str)
        .map_err(|error| Reason::Unreadable { field: Some(FieldPath::new(name)), error })
}

impl Object<'_> {
    fn write(self, out: &mut Vec<u8>) -> Result<(), Reason> {
        if self.to == Version::V1 { self.write_v1(out) } else { self.write_old(out) }
    }

    fn write_v1(self, out: &mut Vec<u8>) -> Result<(), Reason> {
        let Self { table, mut metadata, body, .. } = self;
        let kept = metadata.stash();
        let mut body = Node::Object(body);
        legacy::modernise(&mut body, table.legacy)?;
        let mut body = fields_of(pass::object(table.fields, fields_of(body), Toward::V1)?.node);
        // What cannot be read stays where somebody can look at it. It must not keep an object, and with it a whole list,
        // from being read.
        if let Some(aside) = kept.as_deref().and_then(|text| stash::read(table.fields, text)) {
            stash::restore(table.fields, &mut body, aside);
            metadata.remove_stash();
        }
        write(out, table.kind, Version::V1, &metadata, &body)
    }

    fn write_old(self, out: &mut Vec<u8>) -> Result<(), Reason> {
        let Self { table, to, mut metadata, body } = self;
        let passed = pass::object(table.fields, body, Toward::Old)?;
        match passed.aside {
            Some(aside) => {
                metadata.remove_stash();
                metadata.add_stash(&serde_json::to_string(&aside)?, to)?;
            }
            // Whoever wrote one into v1 did not mean the older version to say it.
            None if metadata.stash().is_some_and(|text| stash::read(table.fields, &text).is_some()) => {
                metadata.remove_stash();
            }
            None => {}
        }
        write(out, table.kind, to, &metadata, &fields_of(passed.node))
    }
}

fn fields_of(node: Node<'_>) -> Vec<Entry<'_>> {
    if let Node::Object(entries) = node { entries } else { Vec::new() }
}

fn write(
    out: &mut Vec<u8>,
    kind: Kind,
    version: Version,
    metadata: &Metadata<'_>,
    body: &[Entry<'_>],
) -> Result<(), Reason> {
    out.push(b'{');
    write_field(out, "kind", &format!("\"{kind}\""))?;
    write_field(out, "apiVersion", &format!("\"{GROUP}/{version}\""))?;
    write_name(out, "metadata")?;
    metadata.write(out)?;
    for (name, value) in body {
        write_name(out, name)?;
        serde_json::to_writer(&mut *out, value)?;
    }
    out.push(b'}');
    Ok(())
}
