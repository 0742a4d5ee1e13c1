//! What goes over the wire: objects are read and written back as they were, whatever else they hold.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::selinux::v1::SelinuxProfile;
use spo_api::{Kind, apparmor, binding, daemon, node_status, raw_selinux, recording, seccomp, selinux};

#[test]
fn every_example_is_written_back_as_it_was_read() {
    let mut objects = examples();
    // Those of the reference are beside the repository where this project is worked on.
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/examples");
    if reference.is_dir() {
        let of_our_group = |object: &Value| object["apiVersion"].as_str().unwrap().starts_with(spo_api::GROUP);
        objects.extend(objects_in(&reference).into_iter().filter(|(_, object)| of_our_group(object)));
        assert!(objects.len() > 30, "{}", objects.len());
    }
    for (name, object) in objects {
        assert_eq!(through_type(&object).unwrap(), object, "{name}");
    }
}

#[test]
fn every_version_of_every_kind_has_an_example() {
    let pair = |object: &Value| [&object["kind"], &object["apiVersion"]].map(|text| text.as_str().unwrap().to_owned());
    let found: BTreeSet<_> = examples().iter().map(|(_, object)| pair(object)).collect();
    let wanted = Kind::ALL
        .into_iter()
        .flat_map(|kind| kind.versions().map(|version| [kind.to_string(), format!("{}/{version}", spo_api::GROUP)]));
    assert_eq!(found, wanted.collect());
}

#[test]
fn unknown_fields_at_any_depth_are_ignored() {
    for (name, object) in examples() {
        let mut crowded = object.clone();
        let added = crowd(&mut crowded);
        assert!(added > 2, "{name}: {added}");
        assert_eq!(through_type(&crowded).unwrap(), object, "{name}");
    }
}

/// Adds an unknown field to every object that is not a map of the user's own keys, and says to how many.
fn crowd(value: &mut Value) -> usize {
    const MAPS: [&str; 5] = ["labels", "allow", "matchLabels", "limits", "requests"];
    match value {
        Value::Object(fields) => {
            let inside = fields.iter_mut().filter(|(key, _)| !MAPS.contains(&key.as_str()));
            let added: usize = inside.map(|(_, value)| crowd(value)).sum();
            fields.insert("fieldOfALaterVersion".to_owned(), json!({"level": [1]}));
            added + 1
        }
        Value::Array(items) => items.iter_mut().map(crowd).sum(),
        _ => 0,
    }
}

#[test]
fn trap_defaults_of_the_schema_are_not_filled_in_on_reading() {
    for spec in [
        object("SeccompProfile", &json!({"defaultAction": "SCMP_ACT_LOG"})),
        object("SelinuxProfile", &json!({"inherit": [{"name": "container"}]})),
        object("RawSelinuxProfile", &json!({})),
        object("AppArmorProfile", &json!({"abstract": {"network": {}}})),
        object("ProfileBinding", &json!({"image": "x", "profileRef": {"kind": "SelinuxProfile", "name": "x"}})),
        object("ProfileRecording", &json!({"kind": "SelinuxProfile", "recorder": "Logs", "podSelector": {}})),
        object("SecurityProfileNodeStatus", &json!({"nodeName": "node1"})),
        object("SecurityProfilesOperatorDaemon", &json!({"selinux": {"options": {}}, "security": {}, "webhook": {}})),
    ] {
        assert_eq!(through_type(&spec).unwrap(), spec);
    }
}

#[test]
fn trap_enumerations_are_closed_for_readers_and_say_what_would_be_right() {
    let profile = object("SeccompProfile", &json!({"defaultAction": "SCMP_ACT_MAYBE"}));
    let error = through_type(&profile).unwrap_err().to_string();
    assert!(error.contains("`SCMP_ACT_MAYBE`") && error.contains("`SCMP_ACT_ERRNO`"), "{error}");
    for (kind, spec) in [
        ("SelinuxProfile", json!({"mode": "permissive"})),
        ("AppArmorProfile", json!({"state": "disabled"})),
        ("ProfileRecording", json!({"kind": "SeccompProfile", "recorder": "logs", "podSelector": {}})),
        ("ProfileBinding", json!({"image": "x", "profileRef": {"kind": "Pod", "name": "x"}})),
        ("SecurityProfilesOperatorDaemon", json!({"enricher": {"logEnricherSource": "auditd"}})),
    ] {
        let error = through_type(&object(kind, &spec)).unwrap_err().to_string();
        assert!(error.contains("unknown variant"), "{kind}: {error}");
    }
}

#[test]
fn trap_old_versions_have_their_own_spelling_and_no_defaults_either() {
    for (kind, spec) in [
        ("ProfileRecording", json!({"kind": "SeccompProfile", "recorder": "Logs", "podSelector": {}})),
        ("SecurityProfilesOperatorDaemon", json!({"enricher": {"logEnricherSource": "Auditd"}})),
    ] {
        let error = through_type(&old_object(kind, &spec)).unwrap_err().to_string();
        assert!(error.contains("unknown variant"), "{kind}: {error}");
    }
    for (kind, spec) in [
        ("SeccompProfile", json!({"defaultAction": "SCMP_ACT_LOG"})),
        ("SelinuxProfile", json!({})),
        ("ProfileRecording", json!({"kind": "SelinuxProfile", "recorder": "logs", "podSelector": {}})),
        ("SecurityProfilesOperatorDaemon", json!({"selinux": {}, "security": {}, "webhook": {}})),
    ] {
        let object = old_object(kind, &spec);
        assert_eq!(through_type(&object).unwrap(), object);
    }
}

#[test]
fn a_condition_of_a_release_before_1_0_has_an_empty_message() {
    let (_, mut profile) = examples().into_iter().find(|(name, _)| name == "seccompprofile.yaml").unwrap();
    let written = profile.clone();
    profile.pointer_mut("/status/conditions/0").unwrap().as_object_mut().unwrap().remove("message");
    assert_eq!(through_type(&profile).unwrap(), written);
}

#[test]
fn the_spelling_of_releases_before_1_0_is_read_as_todays() {
    let spec = json!({"kind": "ApparmorProfile", "recorder": "Bpf", "podSelector": {}});
    let written = through_type(&object("ProfileRecording", &spec)).unwrap();
    assert_eq!(written["spec"]["kind"], "AppArmorProfile");
}

#[test]
fn a_spec_may_be_missing_where_the_schema_does_not_require_it() {
    for kind in ["SelinuxProfile", "RawSelinuxProfile", "AppArmorProfile", "SecurityProfilesOperatorDaemon"] {
        let with_empty_spec = object(kind, &json!({}));
        let mut without = with_empty_spec.clone();
        without.as_object_mut().unwrap().remove("spec");
        let with_null = object(kind, &Value::Null);
        for object in [&without, &with_null, &with_empty_spec] {
            assert_eq!(through_type(object).unwrap(), with_empty_spec, "{object}");
        }
    }
    for kind in ["SeccompProfile", "ProfileBinding", "ProfileRecording", "SecurityProfileNodeStatus"] {
        let mut without = object(kind, &Value::Null);
        without.as_object_mut().unwrap().remove("spec");
        assert!(through_type(&without).unwrap_err().to_string().contains("`spec`"), "{kind}");
    }
}

#[test]
fn null_counts_as_absent() {
    let profile = object("SeccompProfile", &json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": null, "state": null}));
    let read: SeccompProfile = serde_json::from_value(profile).unwrap();
    assert_eq!((read.spec.syscalls, read.spec.state), (None, None));
    let profile = object("SelinuxProfile", &json!({"allow": {"a_t": null, "b_t": {"file": null, "dir": ["read"]}}}));
    let allow = serde_json::to_value(serde_json::from_value::<SelinuxProfile>(profile).unwrap().spec.allow).unwrap();
    assert_eq!(allow, json!({"a_t": {}, "b_t": {"file": [], "dir": ["read"]}}));
}

#[test]
fn quantities_may_be_bare_numbers() {
    let spod = object(
        "SecurityProfilesOperatorDaemon",
        &json!({"daemonResourceRequirements": {"limits": {"cpu": 2, "memory": "1Gi"}}}),
    );
    let written = through_type(&spod).unwrap();
    assert_eq!(written["spec"]["daemonResourceRequirements"]["limits"], json!({"cpu": "2", "memory": "1Gi"}));
}

#[test]
fn a_time_is_written_in_whole_seconds_of_utc() {
    let (_, mut status) =
        examples().into_iter().find(|(name, _)| name.starts_with("securityprofilenodestatus.")).unwrap();
    let time = "/status/conditions/0/lastTransitionTime";
    *status.pointer_mut(time).unwrap() = json!("2026-01-02T05:04:05.75+02:00");
    assert_eq!(through_type(&status).unwrap().pointer(time), Some(&json!("2026-01-02T03:04:05Z")));
}

/// An object of ours with nothing but a spec.
fn object(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": format!("{}/v1", spo_api::GROUP), "kind": kind, "metadata": {"name": "x"}, "spec": spec})
}

/// The same in the older version of its kind.
fn old_object(kind: &str, spec: &Value) -> Value {
    let mut old = object(kind, spec);
    old["apiVersion"] = json!(format!("{}/{}", spo_api::GROUP, kind.parse::<Kind>().unwrap().old_version()));
    old
}

/// Reads an object as the type of its kind, and writes that.
fn through_type(object: &Value) -> serde_json::Result<Value> {
    fn through<K: Resource<DynamicType = ()> + DeserializeOwned + Serialize>(
        object: &Value,
    ) -> serde_json::Result<Value> {
        assert_eq!((&object["apiVersion"], &object["kind"]), (&json!(K::api_version(&())), &json!(K::kind(&()))));
        serde_json::to_value(serde_json::from_value::<K>(object.clone())?)
    }
    let (_, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap();
    match (object["kind"].as_str().unwrap(), version) {
        ("SeccompProfile", "v1") => through::<seccomp::v1::SeccompProfile>(object),
        ("SeccompProfile", "v1beta1") => through::<seccomp::v1beta1::SeccompProfile>(object),
        ("SelinuxProfile", "v1") => through::<selinux::v1::SelinuxProfile>(object),
        ("SelinuxProfile", "v1alpha2") => through::<selinux::v1alpha2::SelinuxProfile>(object),
        ("RawSelinuxProfile", "v1") => through::<raw_selinux::v1::RawSelinuxProfile>(object),
        ("RawSelinuxProfile", "v1alpha2") => through::<raw_selinux::v1alpha2::RawSelinuxProfile>(object),
        ("AppArmorProfile", "v1") => through::<apparmor::v1::AppArmorProfile>(object),
        ("AppArmorProfile", "v1alpha1") => through::<apparmor::v1alpha1::AppArmorProfile>(object),
        ("ProfileBinding", "v1") => through::<binding::v1::ProfileBinding>(object),
        ("ProfileBinding", "v1alpha1") => through::<binding::v1alpha1::ProfileBinding>(object),
        ("ProfileRecording", "v1") => through::<recording::v1::ProfileRecording>(object),
        ("ProfileRecording", "v1alpha1") => through::<recording::v1alpha1::ProfileRecording>(object),
        ("SecurityProfileNodeStatus", "v1") => through::<node_status::v1::SecurityProfileNodeStatus>(object),
        ("SecurityProfileNodeStatus", "v1alpha1") => {
            through::<node_status::v1alpha1::SecurityProfileNodeStatus>(object)
        }
        ("SecurityProfilesOperatorDaemon", "v1") => through::<daemon::v1::SecurityProfilesOperatorDaemon>(object),
        ("SecurityProfilesOperatorDaemon", "v1alpha1") => {
            through::<daemon::v1alpha1::SecurityProfilesOperatorDaemon>(object)
        }
        other => panic!("no kind and version of ours: {other:?}"),
    }
}

/// One object of each kind in each version with nearly every field, in tests/data/examples.
fn examples() -> Vec<(String, Value)> {
    objects_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/examples"))
}

/// The objects of all manifests in a folder, each with the name of its file.
fn objects_in(dir: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let objects = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        documents.into_iter().filter(Value::is_object).map(move |object| (name.clone(), object))
    };
    files.into_iter().flat_map(objects).collect()
}
