//! The `spec` of an object: as `v1` has it, and as the schema of its kind permits.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::CustomResourceExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use spo_api::apparmor::v1::AppArmorProfile;
use spo_api::daemon::v1::{SecurityProfilesOperatorDaemon, SecurityProfilesOperatorDaemonSpec};
use spo_api::raw_selinux::v1::RawSelinuxProfile;
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::selinux::v1::SelinuxProfile;
use spo_api::{FieldPath, Kind, ProfileKind, STORED_VERSION, Violation};
use spo_convert::Version;
use spo_lsm::{Policy, Spec};

use crate::schema;

/// The fields of an object as `v1` has them.
pub(crate) fn in_v1(kind: Kind, version: &str, fields: Map<String, Value>) -> Result<Map<String, Value>, Violation> {
    if version == STORED_VERSION {
        return Ok(fields);
    }
    if let Some(field) = unspeakable(kind, &fields) {
        let reason = "holds text for AppArmor itself, which v1 has no field for; say the same by spec.abstract";
        return Err(Violation::new(FieldPath::new(field), reason));
    }
    let why =
        |reason: String| Violation::new(FieldPath::new("apiVersion"), format!("cannot be converted to v1: {reason}"));
    let text = serde_json::to_vec(&fields).map_err(|error| why(error.to_string()))?;
    let text = spo_convert::convert(&text, Version::V1).map_err(|error| why(error.to_string()))?;
    let mut converted: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| why(error.to_string()))?;
    // A conversion drops what no version has, as a misspelt `spec` is; the schema tells of it.
    for (field, value) in fields {
        converted.entry(field).or_insert(value);
    }
    Ok(converted)
}

/// The field of an old AppArmorProfile whose text `v1` cannot say, if it has one.
fn unspeakable(kind: Kind, fields: &Map<String, Value>) -> Option<&'static str> {
    let spec = fields.get("spec").filter(|_| kind == Kind::AppArmorProfile)?;
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if is_text(&spec["policy"]) {
        return Some("spec.policy");
    }
    is_text(&spec["abstract"]["extra"]).then_some("spec.abstract.extra")
}

/// The `spec` of a profile object, or all that its schema finds wrong with it.
pub(crate) fn spec_of<S: Spec + DeserializeOwned>(fields: Map<String, Value>) -> Result<S, Vec<Violation>> {
    typed(fields, schema_of_profile(S::KIND))
}

/// The same of an object that nobody but its reader has to accept: what can be read is taken. Unknown fields are told beside it.
#[cfg(feature = "cli")]
pub(crate) fn lenient_spec_of<S: Spec + DeserializeOwned>(
    fields: Map<String, Value>,
) -> Result<(S, Vec<Violation>), Vec<Violation>> {
    let found = schema_of_profile(S::KIND).map(|schema| schema::validate(&fields, schema)).unwrap_or_default();
    match typed(fields, None) {
        Ok(spec) => Ok((spec, found.unknown)),
        Err(unreadable) if found.wrong.is_empty() => Err(unreadable),
        Err(_) => Err(found.all()),
    }
}

fn schema_of_profile(kind: ProfileKind) -> Option<&'static JSONSchemaProps> {
    static SCHEMAS: LazyLock<BTreeMap<ProfileKind, JSONSchemaProps>> = LazyLock::new(|| {
        let schemas = [
            (ProfileKind::Seccomp, schema_of::<SeccompProfile>()),
            (ProfileKind::Selinux, schema_of::<SelinuxProfile>()),
            (ProfileKind::RawSelinux, schema_of::<RawSelinuxProfile>()),
            (ProfileKind::AppArmor, schema_of::<AppArmorProfile>()),
        ];
        schemas.into_iter().filter_map(|(kind, schema)| Some((kind, schema?))).collect()
    });
    SCHEMAS.get(&kind)
}

/// What a configuration object permits, or the first thing that is wrong with it.
pub(crate) fn policy(fields: Map<String, Value>) -> Result<Policy, Violation> {
    static SCHEMA: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(schema_of::<SecurityProfilesOperatorDaemon>);
    let spec = typed::<SecurityProfilesOperatorDaemonSpec>(fields, SCHEMA.as_ref());
    spec.map(|spec| Policy::from_configuration(&spec)).map_err(|mut violations| violations.swap_remove(0))
}

/// The `spec` of an object, after its kind's schema; at least one violation otherwise.
fn typed<T: DeserializeOwned>(
    mut fields: Map<String, Value>,
    schema: Option<&JSONSchemaProps>,
) -> Result<T, Vec<Violation>> {
    let violations = schema.map(|schema| schema::validate(&fields, schema).all()).unwrap_or_default();
    if !violations.is_empty() {
        return Err(violations);
    }
    let spec = fields.remove("spec").unwrap_or_default();
    serde_json::from_value(spec).map_err(|error| vec![Violation::new(FieldPath::new("spec"), error.to_string())])
}

fn schema_of<K: CustomResourceExt>() -> Option<JSONSchemaProps> {
    K::crd().spec.versions.into_iter().next()?.schema?.open_api_v3_schema
}
