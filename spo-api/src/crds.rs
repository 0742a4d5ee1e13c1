//! The CustomResourceDefinitions of all kinds.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::{Map, Value};

use crate::labels;

/// The definitions of all eight kinds, as an API server takes them.
///
/// Each has the version `v1`, served and stored. There is no conversion stanza: with one version nothing is to be
/// converted.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let derived = [
        crate::apparmor::v1::AppArmorProfile::crd(),
        crate::binding::v1::ProfileBinding::crd(),
        crate::recording::v1::ProfileRecording::crd(),
        crate::raw_selinux::v1::RawSelinuxProfile::crd(),
        crate::seccomp::v1::SeccompProfile::crd(),
        crate::node_status::v1::SecurityProfileNodeStatus::crd(),
        crate::daemon::v1::SecurityProfilesOperatorDaemon::crd(),
        crate::selinux::v1::SelinuxProfile::crd(),
    ];
    derived.into_iter().map(finish).collect()
}

/// Adds what `kube` does not derive, and takes out what `schemars` adds to every root: its title.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    crd.spec.names.list_kind = Some(format!("{}List", crd.spec.names.kind));
    crd.metadata.labels = Some(BTreeMap::from([(labels::APP.to_owned(), labels::APP_VALUE.to_owned())]));
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            schema.title = None;
            spell_out_quantities(schema);
        }
    }
    crd
}

/// Adds to each integer-or-string, at every depth, the alternatives that it implies. `kube` drops their types from what it
/// derives, so they cannot be part of the schema earlier.
fn spell_out_quantities(schema: &mut JSONSchemaProps) {
    if schema.x_kubernetes_int_or_string == Some(true) {
        let alternative = |name: &str| JSONSchemaProps { type_: Some(name.to_owned()), ..Default::default() };
        schema.any_of = Some(vec![alternative("integer"), alternative("string")]);
    }
    schema.properties.iter_mut().flat_map(BTreeMap::values_mut).for_each(spell_out_quantities);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        spell_out_quantities(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        spell_out_quantities(values);
    }
}

/// A definition as the manifest to be written: keys in alphabetical order, whole numbers without a fraction, equal input
/// giving equal output whatever features `serde_json` was built with.
///
/// # Errors
///
/// As [`serde_json::to_value`]; a definition made by [`crds`] has none.
pub fn manifest(crd: &CustomResourceDefinition) -> serde_json::Result<Value> {
    serde_json::to_value(crd).map(plain)
}

fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => {
            let sorted: BTreeMap<String, Value> = fields.into_iter().collect();
            sorted.into_iter().map(|(key, value)| (key, plain(value))).collect::<Map<_, _>>().into()
        }
        // `minimum` is a floating point number in the type of Kubernetes.
        Value::Number(number) => whole(&number).map_or(Value::Number(number), Value::from),
        other => other,
    }
}

/// The number as an integer, if it is a fraction in form only.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "converting back proves that nothing was cut off")]
    let integer = float as i64;
    #[expect(clippy::cast_precision_loss, reason = "only compared")]
    let exact = integer as f64 == float;
    exact.then_some(integer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn descriptions_hold_no_links_of_rustdoc() {
        for crd in crds() {
            let text = manifest(&crd).unwrap().to_string();
            let link = text.find("[`").map(|start| &text[start..text.len().min(start + 40)]);
            assert_eq!(link, None, "{}", crd.spec.names.kind);
        }
    }

    #[test]
    fn whole_numbers_are_written_whole() {
        assert_eq!(
            plain(json!({"minimum": 0.0, "weight": 1.5, "max": 6})).to_string(),
            r#"{"max":6,"minimum":0,"weight":1.5}"#
        );
    }
}
