//! From Rust types to the structural schemas that Kubernetes wants.
//!
//! `schemars` describes whatever serde would read, `null` included. The API server knows better: a field is there or it is
//! not, and each list says how server-side apply merges it. [`root`] makes the schema of a whole kind, so that
//! `Kind::crd()` is right by itself; the small functions annotate single fields
//! (`#[schemars(transform = set)]`); [`kubernetes`] has the types of Kubernetes that `k8s-openapi` describes too loosely.

use kube::core::object::{HasSpec, HasStatus};
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

pub(crate) mod kubernetes;

/// Whether an object without `spec` is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spec {
    /// It is not.
    Required,
    /// It is, and no default inside the spec applies to it.
    Optional,
}

/// The schema of a kind. What the documentation of its spec type says becomes the description of the kind.
pub(crate) fn root<K>(generator: &mut SchemaGenerator, spec_is: Spec) -> Schema
where
    K: HasSpec + HasStatus,
    K::Spec: JsonSchema,
    K::Status: JsonSchema,
{
    let mut spec = generator.subschema_for::<K::Spec>();
    let description = spec.insert("description".into(), "What is wanted.".into());
    let status = generator.subschema_for::<K::Status>();
    let mut schema = json_schema!({
        "type": "object",
        "properties": {
            "apiVersion": { "type": "string", "description": "Group and version of the API that this object is written in." },
            "kind": { "type": "string", "description": "The kind of this object." },
            "metadata": { "type": "object" },
            "spec": spec,
            "status": status,
        },
    });
    if let Some(description) = description {
        schema.insert("description".into(), description);
    }
    if spec_is == Spec::Required {
        schema.insert("required".into(), vec!["spec"].into());
    }
    without_null(&mut schema);
    schema
}

/// Takes out, at every depth, the `null` that `schemars` allows for an `Option`.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(inner) = the_alternative_to_null(schema) {
        schema.remove("anyOf");
        for (key, value) in inner {
            // What was said about the field stays; what its type says fills in the rest.
            schema.ensure_object().entry(key).or_insert(value);
        }
    }
    transform_subschemas(&mut without_null, schema);
}

/// `S` of `anyOf: [S, {type: null}]`.
fn the_alternative_to_null(schema: &Schema) -> Option<serde_json::Map<String, Value>> {
    match schema.get("anyOf")?.as_array()?.as_slice() {
        [inner, null] if null.get("type").is_some_and(|name| name == "null") => inner.as_object().cloned(),
        _ => None,
    }
}

/// The names of most objects of Kubernetes.
pub(crate) const DNS_SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// A list of different items, of which several writers may own some each.
pub(crate) fn set(schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".into(), "set".into());
}

/// A list that has one owner and is replaced whole.
pub(crate) fn atomic(schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".into(), "atomic".into());
}

/// A list of objects that are told apart by their field `key`.
pub(crate) fn map_by(key: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        schema.insert("x-kubernetes-list-type".into(), "map".into());
        schema.insert("x-kubernetes-list-map-keys".into(), vec![key].into());
    }
}

/// Implements `JsonSchema` for a kind by [`root`], and for a kind with an optional spec its reading too.
macro_rules! kind {
    ($kind:ident, spec required) => {
        $crate::schema::kind!(@schema $kind, $crate::schema::Spec::Required);
    };
    // `kube` derives a root whose `spec` must be there. A type that asks its reader for an option may be absent all the
    // same: serde answers "none" for a missing field. `#[serde(remote = "Self")]` on the spec keeps the derived code
    // within reach, as functions of the type itself.
    ($kind:ident, spec optional: $spec:ident) => {
        $crate::schema::kind!(@schema $kind, $crate::schema::Spec::Optional);

        impl ::serde::Serialize for $spec {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $spec::serialize(self, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $spec {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Present($spec);
                impl<'de> ::serde::Deserialize<'de> for Present {
                    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        $spec::deserialize(deserializer).map(Self)
                    }
                }
                let present = <Option<Present> as ::serde::Deserialize>::deserialize(deserializer)?;
                Ok(present.map_or_else(Self::default, |Present(spec)| spec))
            }
        }
    };
    (@schema $kind:ident, $spec_is:expr) => {
        impl ::schemars::JsonSchema for $kind {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($kind).into()
            }

            fn json_schema(generator: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                $crate::schema::root::<Self>(generator, $spec_is)
            }
        }
    };
}
pub(crate) use kind;
