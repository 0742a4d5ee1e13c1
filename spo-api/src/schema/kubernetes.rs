//! Schemas of the types that Kubernetes lends: what its own generator writes for them, without the prose.
//!
//! `k8s-openapi` gives their fields and types, but no patterns, no list and map types, no defaults and `nullable`
//! quantities, so they are written out here. For `#[schemars(schema_with = "…")]`.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A number with a unit, as text or as a bare number.
pub(crate) const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// `metav1.LabelSelector`
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    selector()
}

/// `corev1.ResourceRequirements`
pub(crate) fn resource_requirements(_: &mut SchemaGenerator) -> Schema {
    let quantities = map_of(json_schema!({ "x-kubernetes-int-or-string": true, "pattern": QUANTITY }));
    let claim = object(json!({ "name": string(), "request": string() }), &["name"]);
    let properties = json!({
        "claims": map_by_name(claim),
        "limits": quantities,
        "requests": quantities,
    });
    object(properties, &[])
}

/// A list of `corev1.LocalObjectReference`
pub(crate) fn local_object_references(_: &mut SchemaGenerator) -> Schema {
    map_by_name(atomic_map(object(json!({ "name": { "type": "string", "default": "" } }), &[])))
}

/// A list of `corev1.Toleration`
pub(crate) fn tolerations(_: &mut SchemaGenerator) -> Schema {
    let properties = json!({
        "effect": string(),
        "key": string(),
        "operator": string(),
        "tolerationSeconds": { "type": "integer", "format": "int64" },
        "value": string(),
    });
    list_of(object(properties, &[]))
}

/// `corev1.Affinity`
pub(crate) fn affinity(_: &mut SchemaGenerator) -> Schema {
    let properties = json!({
        "nodeAffinity": node_affinity(),
        "podAffinity": pod_affinity(),
        "podAntiAffinity": pod_affinity(),
    });
    object(properties, &[])
}

fn node_affinity() -> Schema {
    let terms = || list_of(requirement());
    let term = atomic_map(object(json!({ "matchExpressions": terms(), "matchFields": terms() }), &[]));
    let preferred = object(json!({ "preference": term, "weight": weight() }), &["preference", "weight"]);
    let required = atomic_map(object(json!({ "nodeSelectorTerms": list_of(term) }), &["nodeSelectorTerms"]));
    scheduling(list_of(preferred), required)
}

fn pod_affinity() -> Schema {
    let properties = json!({
        "labelSelector": selector(),
        "matchLabelKeys": list_of(string()),
        "mismatchLabelKeys": list_of(string()),
        "namespaceSelector": selector(),
        "namespaces": list_of(string()),
        "topologyKey": string(),
    });
    let term = object(properties, &["topologyKey"]);
    let preferred = object(json!({ "podAffinityTerm": term, "weight": weight() }), &["podAffinityTerm", "weight"]);
    scheduling(list_of(preferred), list_of(term))
}

fn scheduling(preferred: Schema, required: Schema) -> Schema {
    let properties = json!({
        "preferredDuringSchedulingIgnoredDuringExecution": preferred,
        "requiredDuringSchedulingIgnoredDuringExecution": required,
    });
    object(properties, &[])
}

fn selector() -> Schema {
    let properties = json!({ "matchExpressions": list_of(requirement()), "matchLabels": map_of(string()) });
    atomic_map(object(properties, &[]))
}

/// `key` is related to `values` by `operator`: the same in label and in node selectors.
fn requirement() -> Schema {
    object(json!({ "key": string(), "operator": string(), "values": list_of(string()) }), &["key", "operator"])
}

fn weight() -> Schema {
    json_schema!({ "type": "integer", "format": "int32" })
}

fn string() -> Schema {
    json_schema!({ "type": "string" })
}

fn list_of(items: Schema) -> Schema {
    json_schema!({ "type": "array", "items": items, "x-kubernetes-list-type": "atomic" })
}

fn map_by_name(items: Schema) -> Schema {
    json_schema!({
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    })
}

fn map_of(values: Schema) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": values })
}

fn object(properties: Value, required: &[&str]) -> Schema {
    let mut object = json_schema!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object.insert("required".into(), required.into());
    }
    object
}

fn atomic_map(mut object: Schema) -> Schema {
    object.insert("x-kubernetes-map-type".into(), "atomic".into());
    object
}
