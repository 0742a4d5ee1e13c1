//! Objects of any kind, as they stand in a manifest.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Validate;
use crate::{
    FieldPath, GROUP, Kind, STORED_VERSION, Violation, apparmor, binding, daemon, node_status, raw_selinux, recording,
    seccomp, selinux,
};

/// Everything that is wrong with an object of one of the [kinds](Kind), in the stored version.
///
/// An object that cannot be read has one violation, at the field where reading ended. Unknown fields are passed over, as the
/// API server does. An object in an older version has to be converted first; this says so too.
///
/// ```
/// use serde_json::json;
///
/// let object = json!({
///     "apiVersion": "security-profiles-operator.x-k8s.io/v1",
///     "kind": "SeccompProfile",
///     "metadata": {"name": "web"},
///     "spec": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"]}]},
/// });
/// let violations = spo_api::validate_object(&object);
/// assert_eq!(violations[0].to_string(), "spec.syscalls[0].action: is required and missing");
/// ```
pub fn validate_object(object: &Value) -> Vec<Violation> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let kind = match text("kind").parse::<Kind>() {
        Ok(kind) => kind,
        Err(error) => return vec![Violation::new(FieldPath::new("kind"), error.to_string())],
    };
    if text("apiVersion") != format!("{GROUP}/{STORED_VERSION}") {
        let reason = format!("is {:?}; expected {GROUP}/{STORED_VERSION}, convert it first", text("apiVersion"));
        return vec![Violation::new(FieldPath::new("apiVersion"), reason)];
    }
    match kind {
        Kind::SeccompProfile => read::<seccomp::v1::SeccompProfile>(object),
        Kind::SelinuxProfile => read::<selinux::v1::SelinuxProfile>(object),
        Kind::RawSelinuxProfile => read::<raw_selinux::v1::RawSelinuxProfile>(object),
        Kind::AppArmorProfile => read::<apparmor::v1::AppArmorProfile>(object),
        Kind::ProfileBinding => read::<binding::v1::ProfileBinding>(object),
        Kind::ProfileRecording => read::<recording::v1::ProfileRecording>(object),
        Kind::SecurityProfileNodeStatus => read::<node_status::v1::SecurityProfileNodeStatus>(object),
        Kind::SecurityProfilesOperatorDaemon => read::<daemon::v1::SecurityProfilesOperatorDaemon>(object),
    }
}

fn read<K: Validate + DeserializeOwned>(object: &Value) -> Vec<Violation> {
    match serde_path_to_error::deserialize::<_, K>(object) {
        Ok(object) => object.validate(),
        Err(error) => vec![unreadable(&error)],
    }
}

/// Where reading ended, and why. A missing field is named by its own path, not by that of the object which lacks it.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Violation {
    let place = error.path().to_string();
    let path = if place == "." { FieldPath::default() } else { FieldPath::new(&place) };
    let reason = error.inner().to_string();
    match reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => Violation::new(path.child(field), "is required and missing"),
        None => Violation::new(path, reason),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!("text"), "kind: \"\" is not a kind of this API group; expected SeccompProfile, ")]
    #[case(json!({"kind": "Pod"}), "kind: \"Pod\" is not a kind of this API group; expected SeccompProfile, ")]
    #[case(json!({"kind": "SeccompProfile", "apiVersion": "v1"}), "apiVersion: is \"v1\"; expected security-profiles-operator.x-k8s.io/v1, convert it first")]
    #[case(ours(json!({"kind": "SeccompProfile"})), "spec: is required and missing")]
    #[case(ours(json!({"kind": "SeccompProfile", "spec": {}})), "spec.defaultAction: is required and missing")]
    #[case(ours(json!({"kind": "SeccompProfile", "spec": {"defaultAction": "SCMP_ACT_MAYBE"}})), "spec.defaultAction: unknown variant `SCMP_ACT_MAYBE`, expected one of ")]
    #[case(ours(json!({"kind": "SelinuxProfile", "spec": {"inherit": [{"name": 1}]}})), "spec.inherit[0].name: invalid type: integer `1`, expected a string")]
    #[case(ours(json!({"kind": "RawSelinuxProfile", "spec": {"policy": ""}})), "spec.policy: is empty; at least one character is needed")]
    #[case(ours(json!({"kind": "ProfileBinding", "spec": {"image": "x"}})), "spec.profileRef: is required and missing")]
    fn the_field_is_named_where_reading_or_a_rule_ends(#[case] object: Value, #[case] expected: &str) {
        let found = validate_object(&object);
        assert!(found.len() == 1 && found[0].to_string().starts_with(expected), "{found:?}");
    }

    fn ours(mut object: Value) -> Value {
        object["apiVersion"] = json!("security-profiles-operator.x-k8s.io/v1");
        object["metadata"] = json!({"name": "web"});
        object
    }
}
