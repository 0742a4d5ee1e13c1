//! The syntax of fields: what is wrong with an object, field by field.
//!
//! [`Validate`] holds what the schema holds, because a manifest in a file has seen no API server, and the rules that the
//! schema leaves open. What a profile means, and whether a cluster permits it, is for `spo-lsm` to check.

use kube::Resource;

use crate::{FieldPath, InvalidName, Violation, names};

mod apparmor;
mod daemon;
mod object;
mod pods;
mod quantity;
mod rule;
mod seccomp;
mod selector;
mod selinux;

pub use object::validate_object;

/// An object, or the `spec` of one, whose fields have rules.
///
/// ```
/// use spo_api::Validate as _;
/// use spo_api::seccomp::v1::{SeccompProfileSpec, Syscall};
///
/// let spec = SeccompProfileSpec {
///     listener_path: Some("/var/run/security-profiles-operator/..".to_owned()),
///     syscalls: Some(vec![Syscall::default()]),
///     ..Default::default()
/// };
/// let violations: Vec<String> = spec.validate().iter().map(ToString::to_string).collect();
/// assert!(violations[0].starts_with("spec.listenerPath: \"/var/run/security-profiles-operator/..\" is no socket"));
/// assert_eq!(violations[1], "spec.syscalls[0].names: has 0 items, at least 1 is needed");
/// ```
pub trait Validate {
    /// Everything that is wrong, with paths from the root of the object; nothing if all is right.
    fn validate(&self) -> Vec<Violation>;
}

/// Where the fields of every kind begin.
fn spec() -> FieldPath {
    FieldPath::new("spec")
}

/// A kind: what its name has to be, and then what its `spec` says.
macro_rules! objects {
    ($($object:path: $rule:path,)+) => {
        $(impl Validate for $object {
            fn validate(&self) -> Vec<Violation> {
                let mut found: Vec<Violation> = name(self, $rule).into_iter().collect();
                found.extend(self.spec.validate());
                found
            }
        })+
    };
}

objects! {
    crate::seccomp::v1::SeccompProfile: names::subdomain,
    crate::selinux::v1::SelinuxProfile: names::subdomain,
    crate::raw_selinux::v1::RawSelinuxProfile: names::subdomain,
    crate::apparmor::v1::AppArmorProfile: names::subdomain,
    crate::binding::v1::ProfileBinding: names::subdomain,
    crate::recording::v1::ProfileRecording: names::label,
    crate::node_status::v1::SecurityProfileNodeStatus: names::subdomain,
    crate::daemon::v1::SecurityProfilesOperatorDaemon: names::subdomain,
}

/// What is wrong with the name of an object. One that the API server is to choose is right.
fn name(object: &impl Resource, rule: fn(&str) -> Result<(), InvalidName>) -> Option<Violation> {
    let path = FieldPath::new("metadata").child("name");
    let meta = object.meta();
    match &meta.name {
        Some(name) => rule(name).err().map(|error| Violation::new(path, error.to_string())),
        None if meta.generate_name.is_some() => None,
        None => Some(Violation::new(path, "is required and missing")),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::recording::v1::ProfileRecording;
    use crate::seccomp::v1::SeccompProfile;

    /// Everything that is wrong with the `spec` of a kind, a line each.
    pub(super) fn violations<S: Validate + DeserializeOwned>(spec: Value) -> Vec<String> {
        serde_json::from_value::<S>(spec).unwrap().validate().iter().map(Violation::to_string).collect()
    }

    #[test]
    fn the_name_of_an_object_is_looked_at_too() {
        let spec = json!({"defaultAction": "SCMP_ACT_LOG"});
        let object = |metadata: Value| json!({"apiVersion": "x", "kind": "x", "metadata": metadata, "spec": spec});
        let check = |metadata, expected: &[&str]| {
            let found = violations::<SeccompProfile>(object(metadata));
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(found, start)| found.starts_with(start)), "{found:?}");
        };
        check(json!({"name": "web.v1"}), &[]);
        check(json!({"generateName": "web-"}), &[]);
        check(json!({}), &["metadata.name: is required and missing"]);
        check(json!({"name": "../web"}), &["metadata.name: \"../web\" is not a DNS-1123 subdomain"]);
    }

    #[test]
    fn the_name_of_a_recording_has_to_fit_a_label() {
        let spec = json!({"kind": "SeccompProfile", "recorder": "Bpf", "podSelector": {}});
        let object = json!({"apiVersion": "x", "kind": "x", "metadata": {"name": "web.v1"}, "spec": spec});
        let found = violations::<ProfileRecording>(object);
        assert!(found[0].starts_with("metadata.name: \"web.v1\" is not a DNS-1123 label"), "{found:?}");
    }
}
