//! Objects of any kind, from the schemas of their definitions.
#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::HashSet;
use std::sync::LazyLock;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use spo_api::{GROUP, Kind};
use spo_convert::Version;

/// What the values are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// None is empty.
    Full,
    /// None is empty, and every object may have a field that no schema knows.
    Later,
    /// Some are empty.
    Any,
}

/// Objects of a kind in a version.
pub fn objects(kind: Kind, version: Version, make: Make) -> BoxedStrategy<Value> {
    static CRDS: LazyLock<Vec<Value>> =
        LazyLock::new(|| spo_api::crds().iter().map(|crd| spo_api::manifest(crd).unwrap()).collect());
    let crd = CRDS.iter().find(|crd| crd["spec"]["names"]["kind"] == kind.as_str()).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let schema = &versions.iter().find(|served| served["name"] == version.as_str()).unwrap()["schema"];
    let properties = &schema["openAPIV3Schema"]["properties"];
    let api_version = format!("{GROUP}/{version}");
    let spec = values(&properties["spec"], make);
    let status = option::of(values(&properties["status"], make));
    (metadata(), spec, status)
        .prop_map(move |(metadata, spec, status)| {
            let mut object = json!({"apiVersion": api_version, "kind": kind.as_str(), "metadata": metadata});
            object["spec"] = spec;
            if let Some(status) = status {
                object["status"] = status;
            }
            object
        })
        .boxed()
}

fn metadata() -> impl Strategy<Value = Value> {
    let texts = || option::of(btree_map("[a-z./]{1,6}", ".{0,6}", 1..3));
    let parts = (texts(), texts(), option::of(vec("[a-z-]{1,9}", 1..3)), option::of(any::<i64>()));
    parts.prop_map(|(labels, annotations, finalizers, generation)| {
        let fields = json!({"name": "x", "labels": labels, "annotations": annotations, "finalizers": finalizers, "generation": generation});
        fields.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
    })
}

/// Values of a schema.
fn values(schema: &Value, make: Make) -> BoxedStrategy<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return select(words.clone()).boxed();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return select(vec![json!("100m"), json!("1.5Gi"), json!(2), json!("1e3")]).boxed();
    }
    let full = match schema["type"].as_str().unwrap() {
        "string" if schema["format"] == "date-time" => {
            return select(vec![json!("2026-01-02T03:04:05Z"), json!("1999-12-31T23:59:59Z")]).boxed();
        }
        "string" => "[a-zA-Z/é\"]{1,8}".prop_map(Value::from).boxed(),
        "boolean" => Just(json!(true)).boxed(),
        "integer" if schema["format"] == "int64" => (1..=i64::MAX).prop_map(Value::from).boxed(),
        "integer" => (1..=i32::MAX).prop_map(Value::from).boxed(),
        "array" => list(schema, make),
        "object" if schema["additionalProperties"].is_object() => {
            let values = values(&schema["additionalProperties"], make);
            btree_map("[a-z]{1,4}", values, 1..3).prop_map(|map| json!(map)).boxed()
        }
        "object" => object(schema, make),
        other => panic!("no values of the type {other}"),
    };
    match (make, empty(schema)) {
        (Make::Any, Some(empty)) => prop_oneof![3 => full, 1 => Just(empty)].boxed(),
        _ => full,
    }
}

fn empty(schema: &Value) -> Option<Value> {
    match schema["type"].as_str().unwrap() {
        "string" => Some(json!("")),
        "boolean" => Some(json!(false)),
        "integer" => Some(json!(0)),
        "array" => Some(json!([])),
        _ => None,
    }
}

/// Items that have a key have different ones.
fn list(schema: &Value, make: Make) -> BoxedStrategy<Value> {
    let key = schema["x-kubernetes-list-map-keys"][0].as_str().map(str::to_owned);
    let items = vec(values(&schema["items"], make), 1..4);
    let different = move |mut items: Vec<Value>| {
        if let Some(key) = &key {
            let mut seen = HashSet::new();
            items.retain(|item| seen.insert(item[key].to_string()));
        }
        Value::from(items)
    };
    items.prop_map(different).boxed()
}

/// What releases before 1.0 wrote is left out: it does not come back.
fn object(schema: &Value, make: Make) -> BoxedStrategy<Value> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields: BoxedStrategy<Map<String, Value>> = Just(Map::new()).boxed();
    for (name, schema) in schema["properties"].as_object().unwrap().clone() {
        let is_legacy = schema["description"].as_str().is_some_and(|text| text.contains("before 1.0"));
        if is_legacy {
            continue;
        }
        let values = values(&schema, make);
        let value =
            if required.contains(&name.as_str()) { values.prop_map(Some).boxed() } else { option::of(values).boxed() };
        fields = with(fields, name, value);
    }
    if make == Make::Later {
        let later = select(vec![json!(1), json!("x"), json!([1.5, {"a": []}]), json!({"deep": {"er": false}})]);
        fields = with(fields, "inALaterVersion".to_owned(), option::weighted(0.2, later).boxed());
    }
    fields.prop_map(Value::from).boxed()
}

fn with(
    fields: BoxedStrategy<Map<String, Value>>,
    name: String,
    value: BoxedStrategy<Option<Value>>,
) -> BoxedStrategy<Map<String, Value>> {
    let insert = move |(mut fields, value): (Map<String, Value>, Option<Value>)| {
        // An object that is empty is none in most places; the vectors tell of the others.
        if let Some(value) = value.filter(|value| *value != json!({})) {
            fields.insert(name.clone(), value);
        }
        fields
    };
    (fields, value).prop_map(insert).boxed()
}
