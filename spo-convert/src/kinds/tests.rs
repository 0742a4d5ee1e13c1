//! The tables against the CRDs: every field of a schema is in its table with the right type, and every field of a table in its schema.

use serde_json::Value;

use super::{TABLES, Table};
use crate::shape::{Field, Shape};
use crate::version::Version;

#[test]
fn the_tables_are_those_of_the_schemas() {
    let crds: Vec<Value> = spo_api::crds().iter().map(|crd| spo_api::manifest(crd).unwrap()).collect();
    assert_eq!(crds.len(), TABLES.len());
    let mut found = Vec::new();
    for crd in &crds {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        let table = super::table(kind).unwrap_or_else(|| panic!("{kind} has no table"));
        let versions = crd["spec"]["versions"].as_array().unwrap();
        let names: Vec<&str> = versions.iter().map(|version| version["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["v1", table.old.as_str()], "{kind}");
        for version in versions {
            let version_name: Version = version["name"].as_str().unwrap().parse().unwrap();
            let mut walk = Walk { table, version: version_name, found: &mut found };
            let schema = &version["schema"]["openAPIV3Schema"];
            walk.fields(&format!("{kind} {version_name}: "), &[], table.fields, schema);
        }
    }
    assert!(found.is_empty(), "the tables of spo-convert and the schemas differ:\n{}", found.join("\n"));
}

#[test]
fn what_a_mask_of_64_bits_counts_is_no_more_than_that() {
    fn most(fields: &[Field]) -> usize {
        let inner = fields.iter().map(|field| match &field.shape {
            Shape::Object(fields) | Shape::ListBy(_, fields) | Shape::List(Shape::Object(fields)) => most(fields),
            _ => 0,
        });
        inner.max().unwrap_or_default().max(fields.len())
    }
    assert!(TABLES.iter().all(|table| most(table.fields) <= 64));
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
                Some(field) => self.value(&inner, &steps, &field.shape, schema),
                None if steps.len() == 1 && ["apiVersion", "kind", "metadata"].contains(&steps[0]) => {}
                None if self.is_legacy(&steps) => {}
                None => self.found.push(format!("{inner}: in the schema, not in the table")),
            }
        }
        let gone = here.iter().filter(|field| !properties.contains_key(field.name));
        self.found.extend(gone.map(|field| format!("{place}.{}: in the table, not in the schema", field.name)));
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
            (Some("array"), Shape::ListBy(key, fields)) if schema["x-kubernetes-list-map-keys"] == serde_json::json!([key]) => {
                self.fields(&format!("{place}[]"), steps, fields, items);
            }
            (Some("object"), Shape::Map(of)) if values.is_object() => self.value(&format!("{place}{{}}"), steps, of, values),
            (Some("object"), Shape::Object(fields)) if schema["properties"].is_object() => self.fields(place, steps, fields, schema),
            _ => self.found.push(format!("{place}: {shape:?} in the table, {schema} in the schema")),
        }
    }
}
