//! One object of a manifest to `v1`.

use serde_json::Value;
use spo_api::{GROUP, Kind, STORED_VERSION};
use spo_convert::Version;

use super::change::{Change, changes};
use super::tree::Tree;

/// What became of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// It belongs to another API.
    Foreign,
    /// It is as it should be, or was made so.
    Migrated(Migrated),
    /// It cannot be migrated: which one, and what to do about it.
    Refused(String),
}

/// An object in `v1`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Migrated {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The namespace that the manifest named.
    pub(super) namespace: Option<String>,
    /// The version that it was in.
    pub(super) from: String,
    /// What is different; nothing if it was in `v1` already.
    pub(super) changes: Vec<Change>,
}

/// What an API server or a client writes into the metadata of an object that it hands out, and takes from nobody.
const OF_SERVER: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The annotation in which kubectl keeps the manifest that was applied last: the old one.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Brings an object to `v1`.
pub(super) fn migrate(object: &mut Tree) -> Outcome {
    let api_version = object.text("apiVersion").unwrap_or_default();
    let Some((GROUP, version)) = api_version.split_once('/') else { return Outcome::Foreign };
    let kind = object.text("kind").unwrap_or_default();
    let (version, called) = (version.to_owned(), called(object));
    let Ok(kind) = kind.parse::<Kind>() else {
        return Outcome::Refused(format!("{called}: there is no such kind in v1; {}", instead_of(kind)));
    };
    let migrated = match version.as_str() {
        STORED_VERSION => Ok(object.clone()),
        old if old == kind.old_version() => converted(object, kind),
        _ => Err(format!(
            "{called}: {version} is older than what can be converted, which is {}; write it anew as v1",
            kind.old_version()
        )),
    };
    match migrated {
        Ok(migrated) => Outcome::Migrated(replace(object, migrated, kind, version)),
        Err(reason) => Outcome::Refused(reason),
    }
}

/// What the object is called in messages.
fn called(object: &Tree) -> String {
    let kind = object.text("kind").unwrap_or("an object without a kind");
    match object.get("metadata").and_then(|metadata| metadata.text("name")) {
        Some(name) => format!("{kind} {name:?}"),
        None => format!("{kind} without a name"),
    }
}

/// What to write instead of a kind that is gone.
fn instead_of(kind: &str) -> &'static str {
    match kind {
        "SelinuxPolicy" => "write a RawSelinuxProfile, or a SelinuxProfile for what it can say",
        _ => "look for a misspelt word, or remove the object",
    }
}

/// The same object in `v1`, as a person would write it: without a status, and without what conversion adds that says nothing.
fn converted(object: &Tree, kind: Kind) -> Result<Tree, String> {
    if let Some(field) = unspeakable(object, kind) {
        return Err(format!(
            "{}: {field} holds text for AppArmor itself, which v1 has no field for; say the same by spec.abstract, or load \
             it without this operator",
            called(object)
        ));
    }
    let text = serde_json::to_vec(object).map_err(|error| format!("{}: {error}", called(object)))?;
    let converted = spo_convert::convert(&text, Version::V1).map_err(|error| error.to_string())?;
    let converted: Tree = serde_json::from_slice(&converted).map_err(|error| format!("{}: {error}", called(object)))?;
    let mut tidy = in_order(object, without_additions(object, converted));
    tidy.remove(&["status"]);
    if let Some(metadata) = tidy.get_mut("metadata") {
        for_a_person(metadata);
    }
    Ok(tidy)
}

/// Leaves out of the metadata what nobody writes into a manifest.
fn for_a_person(metadata: &mut Tree) {
    metadata.remove(&OF_SERVER);
    if let Some(annotations) = metadata.get_mut("annotations") {
        annotations.remove(&[LAST_APPLIED]);
    }
    if let Some(Tree::List(finalizers)) = metadata.get_mut("finalizers") {
        finalizers.retain(|finalizer| !matches!(finalizer, Tree::Text(text) if is_of_operator(text)));
    }
    let is_empty = |value: Option<&Tree>| matches!(value, Some(Tree::Object(fields)) if fields.is_empty());
    if is_empty(metadata.get("annotations")) {
        metadata.remove(&["annotations"]);
    }
    if metadata.get("finalizers") == Some(&Tree::List(Vec::new())) {
        metadata.remove(&["finalizers"]);
    }
}

/// Whether a finalizer is one that an operator puts on objects and takes off again, this one or the reference.
fn is_of_operator(finalizer: &str) -> bool {
    use spo_api::finalizers::{BOUND, IN_USE, RECORDING, UNMERGED, is_legacy};
    [BOUND, IN_USE, RECORDING, UNMERGED].contains(&finalizer) || is_legacy(finalizer)
}

/// A field of earlier releases that means something and that no field of `v1` can say.
fn unspeakable(object: &Tree, kind: Kind) -> Option<&'static str> {
    let spec = object.get("spec").filter(|_| kind == Kind::AppArmorProfile)?;
    let is_text = |value: Option<&Tree>| {
        value.is_some_and(|value| !matches!(value, Tree::Null) && *value != Tree::Text(String::new()))
    };
    if is_text(spec.get("policy")) {
        return Some("spec.policy");
    }
    is_text(spec.get("abstract").and_then(|rules| rules.get("extra"))).then_some("spec.abstract.extra")
}

/// Leaves out empty objects that nobody wrote.
fn without_additions(was: &Tree, is: Tree) -> Tree {
    let Tree::Object(fields) = is else { return is };
    let mut kept = Vec::new();
    for (name, value) in fields {
        let before = was.get(&name);
        let value = without_additions(before.unwrap_or(&Tree::Null), value);
        if before.is_some() || value != Tree::Object(Vec::new()) {
            kept.push((name, value));
        }
    }
    Tree::Object(kept)
}

/// The fields of an object in the order in which they were before.
fn in_order(was: &Tree, mut is: Tree) -> Tree {
    if let (Tree::Object(before), Tree::Object(fields)) = (was, &mut is) {
        let place = |name: &str| before.iter().position(|(known, _)| known == name).unwrap_or(before.len());
        fields.sort_by_key(|(name, _)| place(name));
    }
    is
}

/// Puts the migrated object in the place of the old one. A profile belongs to the cluster, whatever namespace its manifest names.
fn replace(object: &mut Tree, mut migrated: Tree, kind: Kind, from: String) -> Migrated {
    let metadata = |object: &Tree, field: &str| Some(object.get("metadata")?.text(field)?.to_owned());
    let (name, namespace) = (metadata(object, "name").unwrap_or_default(), metadata(object, "namespace"));
    if let Some(metadata) = migrated.get_mut("metadata").filter(|_| !kind.is_namespaced()) {
        metadata.remove(&["namespace"]);
    }
    let mut changes = changes(object, &migrated);
    changes.retain(|change| change.field != "apiVersion");
    *object = migrated;
    Migrated { kind, name, namespace, from, changes }
}

impl Migrated {
    /// Whether it is not as it was.
    pub(super) fn is_changed(&self) -> bool {
        self.from != STORED_VERSION || !self.changes.is_empty()
    }

    /// For a line of a report.
    pub(super) fn title(&self) -> String {
        let Self { kind, name, from, .. } = self;
        let name = if name.is_empty() { "without a name" } else { name };
        if from == STORED_VERSION {
            format!("{kind} {name}, in v1 already")
        } else {
            format!("{kind} {name}, from {from} to v1")
        }
    }

    /// For a program.
    pub(super) fn report(&self) -> Value {
        serde_json::json!({
            "kind": self.kind.as_str(), "name": self.name, "namespace": self.namespace, "from": self.from, "to": STORED_VERSION,
            "changes": self.changes,
        })
    }
}
