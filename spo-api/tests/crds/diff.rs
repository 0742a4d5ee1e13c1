//! Where two definitions differ.
//!
//! The notation of a place: outside the schemas, keys with dots, versions by name (`spec.versions[v1].served`); inside the
//! schema of a version, its name and a colon, the field, `[]` for the items of a list and `{}` for the values of a map, and
//! `#` before a keyword (`v1:spec.syscalls[]names#minItems`).

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

/// One place where two definitions differ.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) place: String,
    reference: Option<Value>,
    ours: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |side: &Option<Value>| side.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{}\n  reference: {}\n  ours:      {}", self.place, text(&self.reference), text(&self.ours))
    }
}

/// All places where `ours` is not as `reference`.
pub(crate) fn differences(reference: &Value, ours: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    plain("", Some(reference), Some(ours), &mut found);
    found
}

/// Outside of schemas.
fn plain(place: &str, reference: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    match (reference, ours) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for key in keys(a, b) {
                let inner = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                match version_of(place).filter(|_| key == "schema") {
                    Some(version) => {
                        let root = |side: &Map<String, Value>| side["schema"]["openAPIV3Schema"].clone();
                        schema(&format!("{version}:"), Some(&root(a)), Some(&root(b)), found);
                    }
                    None => plain(&inner, a.get(&key), b.get(&key), found),
                }
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if place == "spec.versions" => {
            let name = |version: &Value| version["name"].as_str().unwrap_or_default().to_owned();
            for wanted in a.iter().chain(b).map(name).collect::<BTreeSet<_>>() {
                let find = |side: &[Value]| side.iter().find(|version| name(version) == wanted).cloned();
                plain(&format!("{place}[{wanted}]"), find(a).as_ref(), find(b).as_ref(), found);
            }
        }
        (a, b) => leaf(place.to_owned(), a, b, found),
    }
}

/// `v1` of `spec.versions[v1]`.
fn version_of(place: &str) -> Option<&str> {
    place.strip_prefix("spec.versions[")?.strip_suffix(']')
}

/// Inside of a schema. `place` is that of the field which the two describe.
fn schema(place: &str, reference: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    let (Some(Value::Object(a)), Some(Value::Object(b))) = (reference, ours) else {
        return leaf(place.to_owned(), reference, ours, found);
    };
    for key in keys(a, b) {
        let (a, b) = (a.get(&key), b.get(&key));
        match key.as_str() {
            "properties" => fields(place, a, b, found),
            "items" => schema(&format!("{place}[]"), a, b, found),
            "additionalProperties" => schema(&format!("{place}{{}}"), a, b, found),
            "required" => leaf(format!("{place}#required"), sorted(a).as_ref(), sorted(b).as_ref(), found),
            keyword => leaf(format!("{place}#{keyword}"), a, b, found),
        }
    }
}

fn fields(place: &str, reference: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    let none = Map::new();
    let side = |side: Option<&Value>| side.and_then(Value::as_object).unwrap_or(&none).clone();
    let (a, b) = (side(reference), side(ours));
    for name in keys(&a, &b) {
        let dot = if place.ends_with(':') { "" } else { "." };
        schema(&format!("{place}{dot}{name}"), a.get(&name), b.get(&name), found);
    }
}

fn leaf(place: String, reference: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    if reference != ours {
        found.push(Difference { place, reference: reference.cloned(), ours: ours.cloned() });
    }
}

/// The order of `required` says nothing; that of an enumeration or of the columns does.
fn sorted(list: Option<&Value>) -> Option<Value> {
    let mut names: Vec<_> = list?.as_array()?.iter().map(ToString::to_string).collect();
    names.sort();
    Some(names.into())
}

fn keys(a: &Map<String, Value>, b: &Map<String, Value>) -> BTreeSet<String> {
    a.keys().chain(b.keys()).cloned().collect()
}

#[test]
fn each_kind_of_difference_is_found_at_its_place() {
    let crd = |schema: Value, scope: &str| serde_json::json!({"spec": {"scope": scope, "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
    let list =
        |min: i64| serde_json::json!({"properties": {"a": {"items": {"minLength": min}, "required": ["x", "y"]}}});
    let mut other = list(2);
    other["properties"]["a"]["required"] = serde_json::json!(["y", "x"]);
    other["properties"]["b"] = serde_json::json!({"type": "string"});
    let places: Vec<_> =
        differences(&crd(list(1), "Cluster"), &crd(other, "Namespaced")).into_iter().map(|d| d.place).collect();
    assert_eq!(places, ["spec.scope", "v1:a[]#minLength", "v1:b"]);
}
