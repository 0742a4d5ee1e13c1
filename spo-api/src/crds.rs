//! The CustomResourceDefinitions of all kinds.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    ServiceReference, WebhookClientConfig, WebhookConversion,
};
use kube::CustomResourceExt;
use serde_json::{Map, Value};

use crate::{Kind, labels};

/// The namespace that the definitions name for the conversion webhook, if no other is asked for.
pub const NAMESPACE: &str = "security-profiles-operator";
/// The Service, in that namespace, of the conversion webhook.
pub const CONVERSION_SERVICE: &str = "webhook-service";
/// The path, at that Service, of the conversion webhook.
pub const CONVERSION_PATH: &str = "/convert";

/// The definitions of all eight kinds, as an API server takes them, for an operator in the namespace [`NAMESPACE`].
///
/// Each has the version `v1`, served and stored, and an older one, served. Between them converts a webhook, whose
/// certificate authority has to be filled in by whoever installs the definitions.
pub fn crds() -> Vec<CustomResourceDefinition> {
    crds_for(NAMESPACE)
}

/// The definitions of all eight kinds for an operator in `namespace`: that of the Service of the conversion webhook.
pub fn crds_for(namespace: &str) -> Vec<CustomResourceDefinition> {
    Kind::ALL.into_iter().map(|kind| crd(kind, namespace)).collect()
}

/// The definition of one kind, with all its versions, the stored one first.
fn crd(kind: Kind, namespace: &str) -> CustomResourceDefinition {
    let [mut crd, old] = derived(kind);
    crd.spec.versions.extend(old.spec.versions);
    crd.spec.names.list_kind = Some(format!("{kind}List"));
    crd.metadata.labels = Some(BTreeMap::from([(labels::APP.to_owned(), labels::APP_VALUE.to_owned())]));
    crd.spec.conversion = Some(conversion(namespace));
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            // `schemars` adds a title to every root.
            schema.title = None;
            spell_out_quantities(schema);
        }
    }
    crd
}

/// What `kube` derives for each version, in the order of [`Kind::versions`].
fn derived(kind: Kind) -> [CustomResourceDefinition; 2] {
    use crate::{apparmor, binding, daemon, node_status, raw_selinux, recording, seccomp, selinux};
    fn both<V1: CustomResourceExt, Old: CustomResourceExt>() -> [CustomResourceDefinition; 2] {
        [V1::crd(), Old::crd()]
    }
    match kind {
        Kind::SeccompProfile => both::<seccomp::v1::SeccompProfile, seccomp::v1beta1::SeccompProfile>(),
        Kind::SelinuxProfile => both::<selinux::v1::SelinuxProfile, selinux::v1alpha2::SelinuxProfile>(),
        Kind::RawSelinuxProfile => {
            both::<raw_selinux::v1::RawSelinuxProfile, raw_selinux::v1alpha2::RawSelinuxProfile>()
        }
        Kind::AppArmorProfile => both::<apparmor::v1::AppArmorProfile, apparmor::v1alpha1::AppArmorProfile>(),
        Kind::ProfileBinding => both::<binding::v1::ProfileBinding, binding::v1alpha1::ProfileBinding>(),
        Kind::ProfileRecording => both::<recording::v1::ProfileRecording, recording::v1alpha1::ProfileRecording>(),
        Kind::SecurityProfileNodeStatus => {
            both::<node_status::v1::SecurityProfileNodeStatus, node_status::v1alpha1::SecurityProfileNodeStatus>()
        }
        Kind::SecurityProfilesOperatorDaemon => {
            both::<daemon::v1::SecurityProfilesOperatorDaemon, daemon::v1alpha1::SecurityProfilesOperatorDaemon>()
        }
    }
}

fn conversion(namespace: &str) -> CustomResourceConversion {
    let service = ServiceReference {
        name: CONVERSION_SERVICE.to_owned(),
        namespace: namespace.to_owned(),
        path: Some(CONVERSION_PATH.to_owned()),
        port: None,
    };
    CustomResourceConversion {
        strategy: "Webhook".to_owned(),
        webhook: Some(WebhookConversion {
            client_config: Some(WebhookClientConfig { service: Some(service), ca_bundle: None, url: None }),
            conversion_review_versions: vec!["v1".to_owned()],
        }),
    }
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
