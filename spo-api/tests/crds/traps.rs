//! What goes wrong on the way from Rust types to a schema of Kubernetes (`spec/api.md` 3.2), one test each. Two more, which
//! show when objects are read, are in `tests/wire.rs`.

use serde_json::{Value, json};

#[test]
fn trap_an_optional_enumeration_is_a_plain_string() {
    let state = field("SeccompProfile", "spec.state");
    assert_eq!(state, json!({"type": "string", "default": "Enabled", "enum": ["Enabled", "Disabled"]}));
    for_each_schema(|place, schema| {
        assert_eq!(schema.get("nullable"), None, "{place}");
        for keyword in ["oneOf", "allOf", "not"] {
            assert_eq!(schema.get(keyword), None, "{place}");
        }
        assert!(!schema["type"].is_array(), "{place}: {}", schema["type"]);
        assert!(schema.get("anyOf").is_none() || schema["x-kubernetes-int-or-string"] == true, "{place}");
        let values = schema.get("enum").and_then(Value::as_array);
        assert!(values.is_none_or(|values| values.iter().all(Value::is_string)), "{place}: {values:?}");
    });
}

#[test]
fn trap_numbers_have_no_unsigned_format() {
    for_each_schema(|place, schema| {
        let format = schema.get("format").and_then(Value::as_str);
        assert!(format.is_none_or(|format| ["int32", "int64", "date-time"].contains(&format)), "{place}: {format:?}");
    });
    let index = field("SeccompProfile", "spec.syscalls[].args[].index");
    assert_eq!(index, json!({"type": "integer", "format": "int32", "minimum": 0}));
}

#[test]
fn trap_borrowed_types_keep_patterns_list_types_and_defaults() {
    let spod = "SecurityProfilesOperatorDaemon";
    let condition = field("SeccompProfile", "status.conditions");
    assert_eq!(condition["x-kubernetes-list-map-keys"], json!(["type"]));
    assert_eq!(condition["items"]["properties"]["message"], json!({"type": "string", "maxLength": 32768}));
    assert!(condition["items"]["properties"]["type"]["pattern"].is_string());
    assert_eq!(field("ProfileRecording", "spec.podSelector")["x-kubernetes-map-type"], "atomic");
    assert_eq!(field(spod, "spec.imagePullSecrets[].name"), json!({"type": "string", "default": ""}));
    assert!(field(spod, "spec.daemonResourceRequirements.limits{}")["pattern"].is_string());
    let affinity = "spec.scheduling.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution";
    assert_eq!(field(spod, affinity)["x-kubernetes-list-type"], "atomic");
    assert_eq!(field(spod, &format!("{affinity}[].labelSelector"))["x-kubernetes-map-type"], "atomic");
}

/// The schema of a field of a kind, without descriptions.
fn field(kind: &str, path: &str) -> Value {
    let crd = super::generated().into_iter().find(|crd| super::kind_of(crd) == kind).unwrap();
    let mut schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    for step in path.replace("[]", ".[]").replace("{}", ".{}").split('.') {
        schema = match step {
            "[]" => schema["items"].clone(),
            "{}" => schema["additionalProperties"].clone(),
            name => schema["properties"][name].clone(),
        };
        assert!(schema.is_object(), "{kind} has no {path}");
    }
    schema
}

/// Calls `check` with each schema at every depth of every version of every kind.
fn for_each_schema(check: impl Fn(&str, &Value)) {
    fn walk(place: &str, schema: &Value, check: &dyn Fn(&str, &Value)) {
        check(place, schema);
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{place}.{name}"), inner, check);
        }
        for keyword in ["items", "additionalProperties"] {
            if schema[keyword].is_object() {
                walk(&format!("{place}.{keyword}"), &schema[keyword], check);
            }
        }
    }
    for crd in super::generated() {
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let place = format!("{} {}", super::kind_of(&crd), version["name"]);
            walk(&place, &version["schema"]["openAPIV3Schema"], &check);
        }
    }
}
