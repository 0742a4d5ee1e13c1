//! The types of `spo-api`, converted as what they are on the wire.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;

use serde_json::{Value, json};
use spo_api::{apparmor, binding, daemon, labels, node_status, raw_selinux, recording, seccomp, selinux};
use spo_convert::{Old, Version, from_v1, to_v1};

/// An object of `v1` with this spec comes back from the older version as it was.
fn check<O>(kind: &str, version: Version, spec: Value)
where
    O: Old + Debug + PartialEq,
    O::V1: Debug + PartialEq,
{
    assert_eq!(O::VERSION, version);
    let object = json!({
        "apiVersion": "security-profiles-operator.x-k8s.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec, "status": {},
    });
    let new: O::V1 = serde_json::from_value(object).unwrap();
    let old: O = from_v1(&new).unwrap();
    assert_eq!(to_v1(&old).unwrap(), new);
    assert_eq!(from_v1::<O>(&to_v1(&old).unwrap()).unwrap(), old);
}

#[test]
fn every_kind_has_a_pair_of_types() {
    let (alpha1, alpha2) = (Version::V1alpha1, Version::V1alpha2);
    check::<seccomp::v1beta1::SeccompProfile>(
        "SeccompProfile",
        Version::V1beta1,
        json!({"defaultAction": "SCMP_ACT_LOG"}),
    );
    check::<selinux::v1alpha2::SelinuxProfile>("SelinuxProfile", alpha2, json!({"allow": {"a": {"b": ["c"]}}}));
    check::<raw_selinux::v1alpha2::RawSelinuxProfile>("RawSelinuxProfile", alpha2, json!({"policy": "(a)"}));
    check::<apparmor::v1alpha1::AppArmorProfile>(
        "AppArmorProfile",
        alpha1,
        json!({"mode": "Complain", "abstract": {}}),
    );
    let bound = json!({"profileRef": {"kind": "SeccompProfile", "name": "a"}, "image": "*", "podSelector": {}});
    check::<binding::v1alpha1::ProfileBinding>("ProfileBinding", alpha1, bound);
    let recorded =
        json!({"kind": "SeccompProfile", "recorder": "Bpf", "mergeStrategy": "Containers", "podSelector": {}});
    check::<recording::v1alpha1::ProfileRecording>("ProfileRecording", alpha1, recorded);
    check::<node_status::v1alpha1::SecurityProfileNodeStatus>(
        "SecurityProfileNodeStatus",
        alpha1,
        json!({"nodeName": "n"}),
    );
}

#[test]
fn what_the_older_type_has_no_field_for_is_in_its_annotations() {
    use daemon::{v1, v1alpha1};
    let options = v1::SelinuxOptions { denied_types: Some(vec!["shadow_t".to_owned()]), ..Default::default() };
    let spec = v1::SecurityProfilesOperatorDaemonSpec {
        selinux: Some(v1::Selinux { options: Some(options), ..Default::default() }),
        ..Default::default()
    };
    let old: v1alpha1::SecurityProfilesOperatorDaemon =
        from_v1(&v1::SecurityProfilesOperatorDaemon::new("spod", spec.clone())).unwrap();
    assert!(old.metadata.annotations.as_ref().unwrap().contains_key(labels::CONVERSION));
    assert_eq!(to_v1(&old).unwrap().spec.selinux, spec.selinux);
}

#[test]
fn a_profile_that_an_earlier_release_switched_off_stays_off() {
    let spec = seccomp::v1beta1::SeccompProfileSpec { disabled: Some(true), ..Default::default() };
    let new = to_v1(&seccomp::v1beta1::SeccompProfile::new("x", spec)).unwrap();
    assert_eq!(new.spec.state, Some(spo_api::AdminState::Disabled));
}
