//! The file that runtimes read.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use serde_json::{Value, json};
use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{Form, Profile, compile, parse_oci, to_json};
use spo_lsm::{Policy, check, render};

mod common;

/// Every field, each with a value that is not left out.
fn full() -> Value {
    json!({
        "state": "Enabled",
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "listenerPath": "/var/run/security-profiles-operator/agent.sock",
        "listenerMetadata": "who asks",
        "syscalls": [
            {"names": ["openat", "read"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["mount"], "action": "SCMP_ACT_NOTIFY"},
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": [
                {"index": 0, "value": 5, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"},
                {"index": 1, "value": 9, "op": "SCMP_CMP_NE"},
            ]},
        ],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    })
}

fn rendered(profile: Profile) -> String {
    let checked = check(&spo_lsm::Profile::Seccomp(profile), &Policy::default()).unwrap();
    String::from_utf8(render(&checked).bytes).unwrap()
}

#[test]
fn the_file_is_the_spec_as_json() {
    let text = rendered(common::profile(full()));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), full());
}

#[test]
fn the_file_is_compact_with_fields_in_the_order_of_the_reference() {
    let text = rendered(common::profile(full()));
    let order = ["state", "defaultAction", "architectures", "listenerPath", "listenerMetadata", "syscalls", "flags"];
    let places: Vec<usize> = order.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let entry = r#"{"names":["clone"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"args":[{"index":0,"value":5,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"},{"index":1,"value":9,"op":"SCMP_CMP_NE"}]}"#;
    assert!(text.contains(entry), "{text}");
}

#[test]
fn what_is_empty_is_left_out_but_an_index_of_zero() {
    let spec = json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": [], "listenerPath": "", "flags": [], "syscalls": [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]},
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 0, "args": []},
    ]});
    let expected = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ"}]},{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#;
    assert_eq!(rendered(common::profile(spec)), expected);
}

#[test]
fn the_readable_form_is_indented_by_two_spaces_without_a_final_newline() {
    let text = to_json(&common::allowing(&["read"]), Form::Pretty);
    let expected = "{\n  \"defaultAction\": \"SCMP_ACT_ERRNO\",\n  \"syscalls\": [\n    {\n      \"names\": [\n        \"read\"\n      ],\n      \"action\": \"SCMP_ACT_ALLOW\"\n    }\n  ]\n}";
    assert_eq!(text, expected);
}

#[test]
fn what_a_runtime_reads_from_the_file_is_the_same_filter() {
    let profile = common::profile(full());
    let read = parse_oci("test".parse().unwrap(), rendered(profile.clone()).as_bytes()).unwrap();
    assert_eq!(compile(&read, Abi::X86_64), compile(&profile, Abi::X86_64));
}

#[test]
fn a_name_that_ends_in_json_gets_no_second_suffix() {
    for (name, file_name) in [("web", "web.json"), ("web.json", "web.json"), ("json", "json.json")] {
        let spec = serde_json::from_value(json!({"defaultAction": "SCMP_ACT_ERRNO"})).unwrap();
        let profile = spo_lsm::seccomp::parse(name.parse().unwrap(), &spec).unwrap();
        let checked = check(&spo_lsm::Profile::Seccomp(profile), &Policy::default()).unwrap();
        assert_eq!(render(&checked).file_name, file_name);
    }
}
