//! The conversion vectors: what the reference operator gives for inputs of every kind, in both directions.
//!
//! We give the same for each of them, except where tests/data/differences.json says otherwise and why.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Map, Value, json};
use support::{answer, data, readable, shared};

#[test]
fn every_vector_gives_what_was_observed_or_what_the_specification_wants_instead() {
    let vectors = data("vectors.json")["vectors"].as_array().unwrap().clone();
    assert_eq!(vectors.len(), 79);
    let mut differences = differences();
    for vector in &vectors {
        let name = vector["name"].as_str().unwrap();
        let difference = differences.remove(name);
        let wanted =
            difference.as_ref().map_or_else(|| vector["convertedObjects"].clone(), |d| d["convertedObjects"].clone());
        let answer = answer(vector["desiredAPIVersion"].as_str().unwrap(), &vector["objects"]);
        let result = if wanted.is_null() { "Failure" } else { "Success" };
        assert_eq!(answer["response"]["result"]["status"], result, "{name}: {answer}");
        assert_eq!(
            plain(&readable_all(&answer["response"]["convertedObjects"])),
            plain(&readable_all(&wanted)),
            "{name}"
        );
    }
    assert!(differences.is_empty(), "no such vectors: {:?}", differences.keys());
}

#[test]
fn every_difference_is_one_and_has_its_reason() {
    let vectors = data("vectors.json")["vectors"].as_array().unwrap().clone();
    for (name, difference) in differences() {
        let vector = vectors.iter().find(|vector| vector["name"] == *name).unwrap();
        assert_ne!(difference["convertedObjects"], vector["convertedObjects"], "{name}");
        assert!(difference["why"].as_str().unwrap().starts_with("spec/api.md "), "{name}");
    }
}

#[test]
fn the_stored_vectors_are_those_of_the_specification() {
    let Some(specification) = shared("spec/api-conversion-vectors.json") else { return };
    assert_eq!(data("vectors.json"), specification);
}

fn differences() -> Map<String, Value> {
    data("differences.json")["differences"].as_object().unwrap().clone()
}

fn readable_all(objects: &Value) -> Value {
    objects.as_array().map_or(Value::Null, |objects| objects.iter().cloned().map(readable).collect())
}

/// The same value with every quantity as a number: `1000m` and `1` are one.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => {
            let inner = |(name, value): (&String, &Value)| {
                let is_quantities = ["limits", "requests"].contains(&name.as_str());
                (name.clone(), if is_quantities { quantities(value) } else { plain(value) })
            };
            Value::Object(fields.iter().map(inner).collect())
        }
        other => other.clone(),
    }
}

fn quantities(map: &Value) -> Value {
    let map = map.as_object().unwrap();
    Value::Object(map.iter().map(|(name, value)| (name.clone(), json!(quantity(value)))).collect())
}

fn quantity(value: &Value) -> f64 {
    const UNITS: [(&str, f64); 3] = [("Mi", 1048576.0), ("Gi", 1073741824.0), ("m", 0.001)];
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (number, unit) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor))).unwrap_or((&text, 1.0));
    number.parse::<f64>().unwrap() * unit
}
