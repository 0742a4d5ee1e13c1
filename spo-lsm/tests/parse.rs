//! What is accepted, what is refused with which message, and what is only remarked.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use spo_lsm::seccomp::{Effect, MAX_BYTES, OciError, Profile, parse, parse_oci};
use spo_lsm::{Policy, check};

mod common;

fn entry(entry: Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [entry]})
}

fn arg(arg: Value) -> Value {
    entry(json!({"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [arg]}))
}

fn args(args: Value) -> Value {
    entry(json!({"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": args}))
}

fn warnings(profile: &Profile) -> Vec<String> {
    profile.warnings().iter().map(ToString::to_string).collect()
}

#[rstest]
#[case::argument_out_of_range(arg(json!({"index": 6, "op": "SCMP_CMP_EQ"})), "spec.syscalls[0].args[0].index: 6 is no argument of a system call")]
#[case::negative_argument(arg(json!({"index": -1, "op": "SCMP_CMP_EQ"})), "spec.syscalls[0].args[0].index: -1 is no argument")]
#[case::negative_value(arg(json!({"index": 0, "value": -1, "op": "SCMP_CMP_EQ"})), "spec.syscalls[0].args[0].value: -1 is out of range")]
#[case::negative_value_two(arg(json!({"index": 0, "valueTwo": -9, "op": "SCMP_CMP_MASKED_EQ"})), "spec.syscalls[0].args[0].valueTwo: -9 is out")]
#[case::contradictory_argument_rules(
    args(json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}])),
    "spec.syscalls[0].args[1]: contradictory argument rules: arg0 == 0x1 and arg0 == 0x2 never hold together; write one entry for each"
)]
#[case::contradictory_range(
    args(json!([{"index": 2, "value": 9, "op": "SCMP_CMP_GT"}, {"index": 2, "value": 3, "op": "SCMP_CMP_LE"}])),
    "spec.syscalls[0].args[1]: contradictory argument rules: arg2 > 0x9 and arg2 <= 0x3"
)]
#[case::too_many_conditions(
    args(json!(vec![json!({"index": 0, "value": 1, "op": "SCMP_CMP_GE"}); 7])),
    "spec.syscalls[0].args: 7 conditions; at most 6"
)]
#[case::empty_name(entry(json!({"names": ["read", ""], "action": "SCMP_ACT_ALLOW"})), "spec.syscalls[0].names[1]: an empty name")]
#[case::long_name(entry(json!({"names": ["x".repeat(65)], "action": "SCMP_ACT_ALLOW"})), "spec.syscalls[0].names[0]: a name of 65 bytes")]
#[case::errno_too_high(entry(json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096})), "spec.syscalls[0].errnoRet: 4096 is out of range: 0 to 4095")]
#[case::errno_negative(entry(json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": -1})), "spec.syscalls[0].errnoRet: -1 is out of range")]
#[case::errno_without_use(entry(json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1})), "spec.syscalls[0].errnoRet: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE carry a number")]
#[case::w_x_16_listener_above_its_folder(json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/var/run/security-profiles-operator/.."}), "spec.listenerPath: \"/var/run/security-profiles-operator/..\" is no socket directly below")]
#[case::listener_in_a_sub_folder(json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/var/run/security-profiles-operator/a/b"}), "spec.listenerPath")]
#[case::listener_elsewhere(json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/tmp/agent.sock"}), "spec.listenerPath")]
#[case::base_that_leaves_its_folder(json!({"defaultAction": "SCMP_ACT_ERRNO", "baseProfileName": "../x"}), "spec.baseProfileName: neither the name of a SeccompProfile nor oci://<reference>")]
#[case::base_without_reference(json!({"defaultAction": "SCMP_ACT_ERRNO", "baseProfileName": "oci://"}), "spec.baseProfileName: after oci://")]
#[case::base_is_itself(json!({"defaultAction": "SCMP_ACT_ERRNO", "baseProfileName": "test"}), "spec.baseProfileName: a profile cannot build on itself; name another, or none")]
#[case::unknown_call_that_should_be_refused(
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mout"], "action": "SCMP_ACT_ERRNO"}]}),
    "spec.syscalls[0].names[0]: no Linux architecture has a system call \"mout\", so SCMP_ACT_ERRNO would be left out and the call stay permitted"
)]
#[case::too_many_entries(
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": vec![json!({"names": ["read"], "action": "SCMP_ACT_ALLOW"}); 1025]}),
    "spec.syscalls: 1025 entries are too many; at most 1024"
)]
#[case::too_many_names(
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": vec!["read"; 8193], "action": "SCMP_ACT_ALLOW"}]}),
    "spec.syscalls: 8193 names are too many"
)]
fn bad_input_is_refused_with_field_and_next_step(#[case] spec: Value, #[case] expected: &str) {
    let violations = common::violations(spec);
    assert!(violations.iter().any(|violation| violation.starts_with(expected)), "{violations:#?}");
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let spec = json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/tmp/x", "syscalls": [
        {"names": [""], "action": "SCMP_ACT_ALLOW", "errnoRet": 3},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 7, "value": -1, "op": "SCMP_CMP_EQ"}]},
    ]});
    assert_eq!(common::violations(spec).len(), 5);
}

#[test]
fn what_is_wrong_a_million_times_is_written_out_a_few_times() {
    let entry = |errno: u16| json!({"names": ["clone", "read", "write", "open"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno});
    let spec = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": (1..=1024).map(entry).collect::<Vec<_>>()});
    let warnings = warnings(&common::profile(spec));
    assert_eq!(warnings.len(), 25);
    assert!(warnings[23].ends_with("the first one decides"), "{}", warnings[23]);
    assert!(warnings[24].ends_with("more often than is listed here"), "{}", warnings[24]);
}

#[rstest]
#[case::unknown_call(entry(json!({"names": ["opennat"], "action": "SCMP_ACT_ALLOW"})), "spec.syscalls[0].names[0]: no Linux architecture has a system call \"opennat\"; runtimes leave it out")]
#[case::named_twice(entry(json!({"names": ["read", "read"], "action": "SCMP_ACT_ALLOW"})), "spec.syscalls[0].names[1]: read is named twice")]
#[case::two_conditions_on_one_argument(
    args(json!([{"index": 0, "value": 1, "op": "SCMP_CMP_GE"}, {"index": 0, "value": 9, "op": "SCMP_CMP_LE"}])),
    "spec.syscalls[0].args[1]: runtimes take arg0 >= 0x1 and arg0 <= 0x9, being about one argument, for entries of their own: either suffices"
)]
#[case::bits_outside_the_mask(arg(json!({"index": 0, "value": 4, "valueTwo": 5, "op": "SCMP_CMP_MASKED_EQ"})), "spec.syscalls[0].args[0].valueTwo: has bits outside the mask")]
#[case::value_two_without_use(arg(json!({"index": 0, "value": 4, "valueTwo": 5, "op": "SCMP_CMP_EQ"})), "spec.syscalls[0].args[0].valueTwo: is used by SCMP_CMP_MASKED_EQ only")]
#[case::overruled(
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 4, "op": "SCMP_CMP_EQ"}]}
    ]}),
    "spec.syscalls[1]: clone is also in spec.syscalls[0] with another action: the one without conditions decides alone"
)]
#[case::exception_that_does_nothing(
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 4, "op": "SCMP_CMP_EQ"}]}
    ]}),
    "spec.syscalls[1]: clone is also in spec.syscalls[0] with another action: the one whose action is the default action does nothing"
)]
#[case::listener_missing(entry(json!({"names": ["mount"], "action": "SCMP_ACT_NOTIFY"})), "spec.listenerPath: is wanted by SCMP_ACT_NOTIFY")]
#[case::listener_without_use(json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/var/run/security-profiles-operator/a.sock"}), "spec.listenerPath: is not used")]
#[case::default_notify(json!({"defaultAction": "SCMP_ACT_NOTIFY"}), "spec.defaultAction: runc starts no container")]
#[case::notify_for_write(entry(json!({"names": ["write"], "action": "SCMP_ACT_NOTIFY"})), "spec.syscalls[0].names: runc starts no container")]
fn what_only_surprises_is_a_warning(#[case] spec: Value, #[case] expected: &str) {
    let warnings = warnings(&common::profile(spec));
    assert!(warnings.iter().any(|warning| warning.starts_with(expected)), "{warnings:#?}");
}

#[test]
fn rules_that_exclude_each_other_are_no_surprise() {
    let personality = |value: u64, action: &str| json!({"names": ["personality"], "action": action, "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]});
    let entries =
        [personality(0, "SCMP_ACT_ALLOW"), personality(8, "SCMP_ACT_LOG"), personality(0xffff_ffff, "SCMP_ACT_ALLOW")];
    let profile = common::profile(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries}));
    assert_eq!(warnings(&profile), Vec::<String>::new());
}

#[test]
fn unknown_names_are_reported_and_names_of_other_architectures_are_not() {
    let profile = common::allowing(&["read", "zzz", "s390_pci_mmio_read", "aaa", "zzz", "_llseek"]);
    assert_eq!(profile.unknown_names(), ["aaa", "zzz"]);
}

#[test]
fn an_error_of_zero_means_none_in_the_api_and_zero_in_the_runtime_specification() {
    let spec = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0}]});
    assert_eq!(common::profile(spec.clone()).entries()[0].effect(), Effect::Errno(None));
    assert_eq!(common::oci(&spec).entries()[0].effect(), Effect::Errno(Some(0)));
}

#[test]
fn the_runtime_specification_has_a_default_error_and_wider_numbers() {
    let mask = 1_u64 << 63;
    let document = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "someday": {"unknown": true}, "syscalls": [
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": mask, "valueTwo": mask, "op": "SCMP_CMP_MASKED_EQ"}]}
    ]});
    let profile = common::oci(&document);
    assert_eq!(profile.default_effect(), Effect::Errno(Some(38)));
    assert_eq!(profile.entries()[0].conditions()[0].to_string(), format!("arg0 & {mask:#x} == {mask:#x}"));
}

#[test]
fn null_is_nothing_as_for_the_runtimes_that_write_it() {
    let document = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": null, "architectures": null, "flags": null, "listenerPath": null,
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": null, "args": null},
            {"names": null, "action": "SCMP_ACT_LOG"},
            {"names": ["clone"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": null, "valueTwo": null, "op": "SCMP_CMP_EQ"}]},
        ],
    });
    let profile = common::oci(&document);
    assert_eq!(profile.architectures(), []);
    let entry = |at: usize| (profile.entries()[at].names().len(), profile.entries()[at].conditions().len());
    assert_eq!([entry(0), entry(1), entry(2)], [(1, 0), (0, 0), (1, 1)]);
    assert_eq!(profile.entries()[2].conditions()[0].to_string(), "arg0 == 0x0");
    assert!(common::oci(&json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": null})).entries().is_empty());
}

#[test]
fn entries_that_container_engines_apply_to_some_machines_only_are_not_read_as_unconditional() {
    let document = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}, "excludes": {}},
    ]});
    let error = parse_oci("x".parse().unwrap(), document.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("syscalls[0].includes: is the format of container engines"), "{error}");
    let document = json!({"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]});
    let error = parse_oci("x".parse().unwrap(), document.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("archMap: "), "{error}");
}

#[test]
fn a_document_too_large_to_be_a_profile_is_not_read() {
    let error = parse_oci("x".parse().unwrap(), &vec![b' '; MAX_BYTES + 1]).unwrap_err();
    assert!(matches!(error, OciError::TooLarge { bytes } if bytes == MAX_BYTES + 1), "{error}");
}

#[rstest]
#[case("", "EOF")]
#[case("[]", "invalid length 0")]
#[case(r#"{"kind": "Pod"}"#, "missing field `defaultAction`")]
#[case(r#"{"defaultAction": "SCMP_ACT_MAYBE"}"#, "unknown variant `SCMP_ACT_MAYBE`")]
#[case("\u{0}", "expected value")]
fn what_is_no_profile_says_where(#[case] document: &str, #[case] expected: &str) {
    let OciError::Json(source) = parse_oci("x".parse().unwrap(), document.as_bytes()).unwrap_err() else {
        panic!("{document}")
    };
    assert!(source.to_string().contains(expected), "{source}");
}

#[rstest]
#[case("kubelet-config", "metadata.name: kubelet-config is kept for the operator's own file")]
#[case("kubelet-config.json", "metadata.name: kubelet-config.json is kept")]
#[case(&"x".repeat(251), "metadata.name: its file would have a name of 256 bytes")]
fn a_name_that_makes_no_file_is_refused(#[case] name: &str, #[case] expected: &str) {
    let spec = serde_json::from_value(json!({"defaultAction": "SCMP_ACT_ERRNO"})).unwrap();
    let profile = parse(name.parse().unwrap(), &spec).unwrap();
    let violations = check(&spo_lsm::Profile::Seccomp(profile), &Policy::default()).unwrap_err();
    assert!(violations[0].to_string().starts_with(expected), "{violations:?}");
}

#[test]
fn a_file_larger_than_runtimes_read_is_refused() {
    let spec =
        serde_json::from_value(json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerMetadata": "x".repeat(1 << 20)}))
            .unwrap();
    let profile = parse("web".parse().unwrap(), &spec).unwrap();
    let violations = check(&spo_lsm::Profile::Seccomp(profile), &Policy::default()).unwrap_err();
    assert!(violations[0].to_string().starts_with("spec: its file would have 1048"), "{violations:?}");
}

#[rstest]
#[case("/var/run/security-profiles-operator/..")]
#[case("/var/run/security-profiles-operator/.")]
fn w_x_16_a_listener_that_the_schema_lets_out_of_its_folder_is_refused(#[case] path: &str) {
    let found = common::violations(json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": path}));
    assert!(found[0].starts_with(&format!("spec.listenerPath: {path:?} is no socket directly below")), "{found:?}");
}

const KEYS: &[&str] = &[
    "defaultAction",
    "defaultErrnoRet",
    "syscalls",
    "names",
    "action",
    "args",
    "index",
    "value",
    "valueTwo",
    "op",
    "errnoRet",
];

/// Any JSON, with the keys of a profile often at their place.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::sample::select(vec![
            "SCMP_ACT_ERRNO",
            "SCMP_ACT_ALLOW",
            "SCMP_CMP_EQ",
            "SCMP_ARCH_X86",
            "read",
            "clone",
            ""
        ])
        .prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(KEYS), inner, 0..8).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_json_makes_the_parser_panic(syscalls in any_json(), whole in any_json()) {
        let near = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": syscalls});
        for document in [near, whole] {
            if let Ok(profile) = parse_oci("x".parse().unwrap(), document.to_string().as_bytes()) {
                let again = spo_lsm::seccomp::to_json(&profile, spo_lsm::seccomp::Form::Compact);
                prop_assert!(parse_oci("x".parse().unwrap(), again.as_bytes()).is_ok(), "{}", again);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_oci("x".parse().unwrap(), &bytes);
    }
}
