//! The tables against the CRDs: every field of a schema is in its table with the right type, and every field of a table in its schema.

use std::collections::BTreeSet;

use serde_json::Value;
use spo_api::Kind;

use super::{Table, table};
use crate::shape::{Field, Shape, Written};
use crate::version::Version;

#[test]
fn the_tables_are_those_of_the_schemas() {
    let mut found = Vec::new();
    for (kind, version, schema) in schemas() {
        let mut walk = Walk { table: table(kind), version, found: &mut found };
        walk.fields(&format!("{kind} {version}: "), &[], table(kind).fields, &schema);
    }
    assert!(found.is_empty(), "the tables of spo-convert and the schemas differ:\n{}", found.join("\n"));
}

/// A field that the older schema does not declare never arrives here from a cluster: the API server takes it away.
#[test]
fn what_earlier_releases_wrote_is_declared_by_the_older_schema() {
    // Read from manifests only: 0.8 had other definitions.
    let manifests_only = ["allowTCP", "allowUDP"];
    for (kind, version, schema) in schemas() {
        let steps = table(kind).legacy.iter().map(|legacy| legacy.steps());
        for steps in steps.filter(|steps| version != Version::V1 && !manifests_only.contains(&steps[steps.len() - 1])) {
            let field = steps.iter().fold(&schema, |schema, step| &schema["properties"][step]);
            assert!(field.is_object(), "{kind} {version}: {steps:?}");
        }
    }
}

#[test]
fn a_mask_of_64_bits_is_wide_enough_for_every_object() {
    fn most(fields: &[Field]) -> usize {
        let inner = fields.iter().filter_map(|field| match &field.shape {
            Shape::Object(fields) | Shape::ListBy(_, fields) | Shape::List(Shape::Object(fields)) => Some(most(fields)),
            Shape::Text | Shape::Bool | Shape::Int32 | Shape::Int64 | Shape::Quantity | Shape::Time => None,
            Shape::List(_) | Shape::Map(_) => None,
        });
        inner.max().unwrap_or_default().max(fields.len())
    }
    assert!(Kind::ALL.into_iter().all(|kind| most(table(kind).fields) <= 64));
}

/// The schemas of both versions of every kind.
fn schemas() -> Vec<(Kind, Version, Value)> {
    let mut schemas = Vec::new();
    for crd in spo_api::crds().iter().map(|crd| spo_api::manifest(crd).unwrap()) {
        let kind: Kind = crd["spec"]["names"]["kind"].as_str().unwrap().parse().unwrap();
        assert_eq!(table(kind).kind, kind);
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let name = version["name"].as_str().unwrap().parse().unwrap();
            schemas.push((kind, name, version["schema"]["openAPIV3Schema"].clone()));
        }
    }
    assert_eq!(schemas.len(), 2 * Kind::ALL.len());
    schemas
}

/// A schema and its table, side by side.
struct Walk<'f> {
    table: &'static Table,
    version: Version,
    found: &'f mut Vec<String>,
}

impl Walk<'_> {
    fn fields(&mut self, place: &str, steps: &[&str], fields: &'static [Field], schema: &Value) {
        let properties = schema["properties"].as_object().unwrap();
        let is_here = |field: &&Field| self.version == Version::V1 || !field.only_v1;
        let here: Vec<&'static Field> = fields.iter().filter(is_here).collect();
        for (name, schema) in properties {
            let (inner, steps) = (format!("{place}.{name}"), [steps, &[name.as_str()]].concat());
            match here.iter().find(|field| field.name == name) {
                Some(field) => {
                    self.value(&inner, &steps, &field.shape, schema);
                    self.words(&inner, field, schema);
                }
                None if steps.len() == 1 && ["apiVersion", "kind", "metadata"].contains(&steps[0]) => {}
                None if self.is_legacy(&steps) => {}
                None => self.found.push(format!("{inner}: in the schema, not in the table")),
            }
        }
        let gone = here.iter().filter(|field| !properties.contains_key(field.name));
        self.found.extend(gone.map(|field| format!("{place}.{}: in the table, not in the schema", field.name)));
    }

    /// Every word of the schema has one in the other version.
    fn words(&mut self, place: &str, field: &Field, schema: &Value) {
        let Written::Word(words) = field.written else { return };
        let here = words.iter().map(|(old, new)| if self.version == Version::V1 { *new } else { *old });
        let declared = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if here.collect::<BTreeSet<_>>() != declared.collect() {
            self.found.push(format!("{place}: {words:?} in the table, {} in the schema", schema["enum"]));
        }
    }

    /// Whether this is a field of earlier releases, or on the way to one.
    fn is_legacy(&self, steps: &[&str]) -> bool {
        self.version != Version::V1 && self.table.legacy.iter().any(|legacy| legacy.steps().starts_with(steps))
    }

    fn value(&mut self, place: &str, steps: &[&str], shape: &'static Shape, schema: &Value) {
        let (items, values) = (&schema["items"], &schema["additionalProperties"]);
        match (schema["type"].as_str(), shape) {
            (Some("string"), Shape::Text) if schema["format"] != "date-time" => {}
            (Some("string"), Shape::Time) if schema["format"] == "date-time" => {}
            (Some("boolean"), Shape::Bool) => {}
            (Some("integer"), Shape::Int32) if schema["format"] == "int32" => {}
            (Some("integer"), Shape::Int64) if schema["format"] == "int64" => {}
            (None, Shape::Quantity) if schema["x-kubernetes-int-or-string"] == true => {}
            (Some("array"), Shape::List(of)) if schema["x-kubernetes-list-type"] != "map" => {
                self.value(&format!("{place}[]"), steps, of, items);
            }
            (Some("array"), Shape::ListBy(key, fields))
                if schema["x-kubernetes-list-map-keys"] == serde_json::json!([key]) =>
            {
                self.fields(&format!("{place}[]"), steps, fields, items);
            }
            (Some("object"), Shape::Map(of)) if values.is_object() => {
                self.value(&format!("{place}{{}}"), steps, of, values)
            }
            (Some("object"), Shape::Object(fields)) if schema["properties"].is_object() => {
                self.fields(place, steps, fields, schema)
            }
            _ => self.found.push(format!("{place}: {shape:?} in the table, {schema} in the schema")),
        }
    }
}
