//! `validate` against the schemas: it refuses whatever they refuse, at the field where they would, and no example of ours or
//! of the reference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spo_api::{Kind, validate_object};

#[test]
fn no_example_is_refused() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/examples");
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/examples");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let folders = [ours, examples, reference].into_iter().filter(|folder| folder.is_dir());
    let objects: Vec<Value> = folders.flat_map(|folder| objects_in(&folder)).collect();
    assert!(objects.len() >= 8);
    for object in objects {
        assert_eq!(validate_object(&object), [], "{object}");
    }
}

/// Each bound, pattern, set and list key of the schemas is broken in turn, in an object that has nearly every field.
#[test]
fn every_rule_of_the_schemas_is_held() {
    let examples = objects_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/examples"));
    let mut count = 0;
    for (crd, kind) in spo_api::crds().iter().zip(Kind::ALL) {
        let crd = spo_api::manifest(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let example = examples.iter().find(|object| object["kind"] == kind.as_str()).unwrap();
        let (mut breaks, mut wanted) = (Vec::new(), BTreeSet::new());
        collect(schema, &example["spec"], &Place::root("spec"), &mut breaks);
        ruled(schema, &Place::root("spec"), &mut wanted);
        let reached: BTreeSet<_> = breaks.iter().map(|broken| broken.place.schema.clone()).collect();
        assert_eq!(reached, wanted, "fields of {kind} that the example has, and those with rules");
        for Break { place, rule, value } in &breaks {
            let mut broken = example.clone();
            *broken.pointer_mut(&place.pointer).unwrap() = value.clone();
            let found = validate_object(&broken);
            let there = found.iter().any(|violation| violation.path.to_string().starts_with(&place.path));
            assert!(there, "{kind} {}: the {rule} of the schema is not held for {value}: {found:?}", place.path);
        }
        count += breaks.len();
    }
    assert!(count > 50, "{count}");
}

/// A field of an example: for `serde_json`, for people, and its place in the schema.
#[derive(Clone)]
struct Place {
    pointer: String,
    path: String,
    schema: String,
}

impl Place {
    fn root(field: &str) -> Self {
        Self { pointer: format!("/{field}"), path: field.to_owned(), schema: field.to_owned() }
    }

    fn child(&self, name: &str) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        Self {
            pointer: format!("{}/{escaped}", self.pointer),
            path: format!("{}.{name}", self.path),
            schema: format!("{}.{name}", self.schema),
        }
    }

    /// An item of a list or a value of a map.
    fn key(&self, name: &str) -> Self {
        Self { path: format!("{}[{name}]", self.path), schema: format!("{}[]", self.schema), ..self.child(name) }
    }
}

/// A rule of the schema, and a value of the field that breaks it.
struct Break {
    place: Place,
    rule: &'static str,
    value: Value,
}

/// The rules of one field. Where a rule wants an item of the list to repeat, that is the first of `value`.
fn rules(schema: &Value, value: &Value) -> Vec<(&'static str, Value)> {
    let number = |keyword: &str| schema[keyword].as_i64();
    let size = |max: i64| usize::try_from(max).unwrap() + 1;
    let item = schema["items"]["enum"].get(0).cloned().unwrap_or(json!("x"));
    let list = |kind: &str| (schema["x-kubernetes-list-type"] == kind).then_some(());
    let candidates = [
        ("minimum", number("minimum").map(|min| json!(min - 1))),
        ("minLength", number("minLength").map(|_| json!(""))),
        ("maxLength", number("maxLength").map(|max| json!("x".repeat(size(max))))),
        ("pattern", schema["pattern"].as_str().map(|_| json!("!"))),
        ("minItems", number("minItems").map(|_| json!([]))),
        ("maxItems", number("maxItems").map(|max| vec![value[0].clone(); size(max)].into())),
        ("set", list("set").map(|()| json!([item, item]))),
        ("map", list("map").map(|()| json!([value[0], value[0]]))),
    ];
    candidates.into_iter().filter_map(|(rule, value)| Some((rule, value?))).collect()
}

/// Every rule of the schema for what stands in `value`.
fn collect(schema: &Value, value: &Value, place: &Place, breaks: &mut Vec<Break>) {
    breaks.extend(rules(schema, value).into_iter().map(|(rule, value)| Break { place: place.clone(), rule, value }));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            collect(field, value, &place.child(name), breaks);
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        collect(&schema["items"], item, &place.key(&index.to_string()), breaks);
    }
    if schema["additionalProperties"].is_object() {
        for (key, value) in value.as_object().into_iter().flatten() {
            collect(&schema["additionalProperties"], value, &place.key(key), breaks);
        }
    }
}

/// The place of every field of the schema that has a rule.
fn ruled(schema: &Value, place: &Place, found: &mut BTreeSet<String>) {
    if !rules(schema, &json!([null])).is_empty() {
        found.insert(place.schema.clone());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        ruled(field, &place.child(name), found);
    }
    for inner in [&schema["items"], &schema["additionalProperties"]].into_iter().filter(|inner| inner.is_object()) {
        ruled(inner, &place.key("any"), found);
    }
}

/// The objects of our group, in the stored version, of all manifests in a folder.
fn objects_in(folder: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read =
        |path: PathBuf| -> Vec<Value> { serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap() };
    let stored = format!("{}/{}", spo_api::GROUP, spo_api::STORED_VERSION);
    files.into_iter().flat_map(read).filter(|object| object["apiVersion"] == stored.as_str()).collect()
}
