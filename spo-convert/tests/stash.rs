//! What the older version cannot hold comes back, whatever happened to the object in between; and what somebody wrote in its place
//! does no harm.

mod support;

use rstest::rstest;
use serde_json::{Value, json};
use spo_convert::Version;
use support::{STASH, object, refusal, stash, to_old, to_v1};

const DAEMON: &str = "SecurityProfilesOperatorDaemon";

/// A configuration with the five fields that v1alpha1 lacks, and some that it has.
fn daemon() -> Value {
    object(
        DAEMON,
        Version::V1,
        json!({
            "selinux": {"enable": true, "options": {
                "allowedSystemProfiles": ["container"],
                "deniedTypes": ["shadow_t"], "deniedClasses": ["capability"], "deniedPermissions": ["execmem"],
            }},
            "security": {"allowedSyscalls": ["read"], "allowedIdentityRegexp": "^me$", "allowedOidcIssuerRegexp": "^https://issuer$"},
        }),
    )
}

/// The five fields.
fn five(daemon: &Value) -> [Value; 5] {
    let (options, security) = (&daemon["spec"]["selinux"]["options"], &daemon["spec"]["security"]);
    [
        options["deniedTypes"].clone(),
        options["deniedClasses"].clone(),
        options["deniedPermissions"].clone(),
        security["allowedIdentityRegexp"].clone(),
        security["allowedOidcIssuerRegexp"].clone(),
    ]
}

#[test]
fn w_api_3_an_edit_through_the_older_version_erases_no_deny_list_and_no_signer() {
    let mut old = to_old(&daemon());
    old["spec"]["verbosity"] = json!(2);
    old["spec"]["selinux"]["options"]["allowedSystemProfiles"] = json!(["net_container"]);
    let new = to_v1(&old);
    assert_eq!(five(&new), five(&daemon()));
    assert_eq!(new["spec"]["verbosity"], 2);
    assert_eq!(new["spec"]["selinux"]["options"]["allowedSystemProfiles"], json!(["net_container"]));
    assert_eq!(new["metadata"], json!({"name": "x"}));
}

#[test]
fn a_deny_list_comes_back_though_an_older_client_removed_its_group() {
    let mut old = to_old(&daemon());
    let spec = old["spec"].as_object_mut().unwrap();
    spec.remove("selinux");
    spec.insert("security".to_owned(), json!({}));
    let new = to_v1(&old);
    assert_eq!(five(&new), five(&daemon()));
    assert_eq!(new["spec"]["selinux"].as_object().unwrap().len(), 1, "{new}");
}

#[test]
fn a_field_that_only_later_versions_know_comes_back_from_any_depth() {
    let later = json!({"since": 2, "list": [1.5, null, {"a": "b"}]});
    let mut new = object(
        "SelinuxProfile",
        Version::V1,
        json!({"inherit": [{"kind": "System", "name": "a"}, {"kind": "System", "name": "b", "later": later}], "mode": "Enforcing"}),
    );
    new["spec"]["later"] = later.clone();
    new["status"] = json!({"later": later, "conditions": [{
        "type": "Ready", "status": "True", "reason": "A", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z", "later": later,
    }]});
    let old = to_old(&new);
    assert!(!old["spec"].to_string().contains("later") && !old["status"].to_string().contains("later"), "{old}");
    assert_eq!(to_v1(&old), new);
}

#[test]
fn items_with_a_key_are_found_by_it() {
    let options = json!([{"name": "a", "later": 1}, {"name": "b"}, {"name": "c", "later": 3}]);
    let mut old = to_old(&object(DAEMON, Version::V1, json!({"webhook": {"options": options}})));
    old["spec"]["webhook"]["options"] = json!([{"name": "c", "failurePolicy": "Fail"}, {"name": "new"}, {"name": "b"}]);
    let wanted = json!([{"name": "c", "failurePolicy": "Fail", "later": 3}, {"name": "new"}, {"name": "b"}]);
    assert_eq!(to_v1(&old)["spec"]["webhook"]["options"], wanted);
}

/// Entries of `syscalls` by their only name; an even one has a field of a later version.
fn syscalls(names: &[u32]) -> Value {
    let entry = |number: &u32| match number % 2 {
        0 => json!({"names": [number.to_string()], "action": "SCMP_ACT_ALLOW", "later": number}),
        _ => json!({"names": [number.to_string()], "action": "SCMP_ACT_ALLOW"}),
    };
    names.iter().map(entry).collect()
}

#[rstest]
#[case::stayed(&[0, 1, 2, 3, 4])]
#[case::one_was_added_before(&[5, 0, 1, 2, 3, 4])]
#[case::some_were_removed(&[2, 3])]
#[case::they_were_sorted_otherwise(&[4, 3, 2, 1, 0])]
#[case::all_are_gone(&[1])]
fn items_without_a_key_are_found_by_what_is_in_them(#[case] edited: &[u32]) {
    let spec = |syscalls| json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": syscalls});
    let mut old = to_old(&object("SeccompProfile", Version::V1, spec(syscalls(&[0, 1, 2, 3, 4]))));
    let plain: Vec<Value> =
        edited.iter().map(|name| json!({"action": "SCMP_ACT_ALLOW", "names": [name.to_string()]})).collect();
    old["spec"]["syscalls"] = json!(plain);
    assert_eq!(to_v1(&old)["spec"], spec(syscalls(edited)));
}

#[test]
fn an_item_without_a_key_that_was_changed_is_another_one() {
    let mut old =
        to_old(&object("SeccompProfile", Version::V1, json!({"defaultAction": "a", "syscalls": syscalls(&[0, 2])})));
    old["spec"]["syscalls"][0]["names"] = json!(["0", "more"]);
    let new = to_v1(&old);
    assert_eq!(new["spec"]["syscalls"][0].get("later"), None);
    assert_eq!(new["spec"]["syscalls"][1]["later"], 2);
    assert_eq!(new["metadata"].get("annotations"), None);
}

#[test]
fn equal_items_get_their_own_back() {
    let twin = |later: u32| json!({"names": ["a"], "action": "SCMP_ACT_ALLOW", "later": later});
    let new = object("SeccompProfile", Version::V1, json!({"defaultAction": "a", "syscalls": [twin(1), twin(2)]}));
    assert_eq!(to_v1(&to_old(&new))["spec"], new["spec"]);
    let mut old = to_old(&new);
    let other = json!({"names": ["b"], "action": "SCMP_ACT_ALLOW"});
    old["spec"]["syscalls"].as_array_mut().unwrap().insert(0, other.clone());
    assert_eq!(to_v1(&old)["spec"]["syscalls"], json!([other, twin(2), twin(1)]));
}

#[test]
fn what_is_empty_is_not_set_aside() {
    let spec =
        json!({"selinux": {"enable": true, "options": {"deniedTypes": []}}, "security": {"allowedIdentityRegexp": ""}});
    let old = to_old(&object(DAEMON, Version::V1, spec));
    assert_eq!((stash(&old), &old["spec"]["selinux"]), (None, &json!({"enable": true})));
}

#[rstest]
#[case::no_json("{")]
#[case::no_object("[1]")]
#[case::a_wrong_type(r#"{"spec":{"selinux":{"options":{"deniedTypes":"all"}}}}"#)]
#[case::a_wrong_item(r#"{"spec":{"selinux":{"options":{"deniedTypes":[1]}}}}"#)]
#[case::a_group_that_is_none(r#"{"spec":{"selinux":true}}"#)]
#[case::a_field_that_both_versions_have(r#"{"spec":{"enableProfiling":true,"later":1}}"#)]
#[case::items_without_their_key(r#"{"spec":{"webhook":{"options":[{"later":1}]}}}"#)]
#[case::items_without_their_place(r#"{"spec":{"scheduling":{"tolerations":[{"later":1}]}}}"#)]
#[case::a_field_twice(r#"{"spec":{"later":1,"later":2}}"#)]
#[case::too_deep(&format!(r#"{{"spec":{{"later":{}1{}}}}}"#, "[".repeat(200), "]".repeat(200)))]
fn what_somebody_wrote_in_its_place_blocks_nothing_says_nothing_and_stays(#[case] text: &str) {
    let mut old = object(DAEMON, Version::V1alpha1, json!({"selinux": {"enable": true}}));
    let plain = to_v1(&old);
    old["metadata"]["annotations"] = json!({"a": "b", STASH: text});
    let new = to_v1(&old);
    assert_eq!(new["spec"], plain["spec"]);
    assert_eq!(new["metadata"], old["metadata"]);
    assert_eq!(to_old(&new)["metadata"], old["metadata"]);
}

#[test]
fn a_stash_adds_to_an_object_and_changes_nothing_of_it() {
    let text = json!({"spec": {"later": 1, "security": {"allowedIdentityRegexp": "^me$"}}}).to_string();
    let mut old = object(DAEMON, Version::V1alpha1, json!({"security": {"allowedSyscalls": ["read"]}, "verbosity": 3}));
    let plain = to_v1(&old);
    old["metadata"]["annotations"] = json!({STASH: text});
    let mut new = to_v1(&old);
    let spec = new["spec"].as_object_mut().unwrap();
    assert_eq!(spec.remove("later"), Some(json!(1)));
    assert_eq!(spec["security"].as_object_mut().unwrap().remove("allowedIdentityRegexp"), Some(json!("^me$")));
    assert_eq!(new, plain);
}

#[test]
fn a_stash_that_stands_in_v1_is_not_taken_for_ours() {
    let text = r#"{"spec":{"security":{"allowedIdentityRegexp":".*"}}}"#;
    let mut new = object(DAEMON, Version::V1, json!({}));
    new["metadata"]["annotations"] = json!({STASH: text});
    assert_eq!(to_old(&new)["metadata"], json!({"name": "x"}));
    new["spec"] = daemon()["spec"].clone();
    assert_eq!(five(&to_v1(&to_old(&new))), five(&daemon()));
}

#[test]
fn annotations_have_the_room_that_the_api_server_gives_them() {
    let most = 256 * 1024;
    let with = |filler: usize| {
        let mut new = daemon();
        new["metadata"]["annotations"] = json!({"filler": "\u{e9}".repeat(filler / 2)});
        new
    };
    let ours = STASH.len() + to_old(&daemon())["metadata"]["annotations"][STASH].as_str().unwrap().len();
    let fits = (most - ours - "filler".len()) / 2 * 2;
    assert!(stash(&to_old(&with(fits))).is_some());
    let refused = refusal(&with(fits + 2), Version::V1alpha1);
    assert!(
        refused.starts_with("SecurityProfilesOperatorDaemon \"x\": 26214") && refused.contains("v1alpha1"),
        "{refused}"
    );
}

#[test]
fn metadata_passes_as_it_is_written() {
    let metadata = r#"{ "name" : "x","labels":{"a":"\u0062"},"annotations": {"c":"\u00e9\/"},"unknown":{"x":[1.0, 2]},"generation":0 }"#;
    let old = format!(
        r#"{{"apiVersion":"security-profiles-operator.x-k8s.io/v1alpha1","kind":"{DAEMON}","metadata":{metadata}}}"#
    );
    let new = String::from_utf8(spo_convert::convert(old.as_bytes(), Version::V1).unwrap()).unwrap();
    for piece in [r#"{"a":"\u0062"}"#, r#""c":"\u00e9\/""#, r#""unknown":{"x":[1.0, 2]}"#, r#""generation":0"#] {
        assert!(new.contains(piece), "{piece}: {new}");
    }
}
