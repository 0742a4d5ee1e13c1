//! Derived texts and states against vectors of the reference operator, tests/data/vectors.json.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::Value;
use spo_api::{ProfileKind, ProfileState, finalizers, fold, labels};

const GROUPS: [&str; 3] = ["profile_id_label", "node_finalizer", "lowest_state"];

#[test]
fn profile_ids_are_those_of_the_reference() {
    for case in cases("profile_id_label", &["cases", "ours"], 4) {
        let kind = ProfileKind::from_kind(text(&case, "kind")).unwrap();
        assert_eq!(labels::profile_id(kind, text(&case, "name")), text(&case, "want"));
    }
}

#[test]
fn node_finalizers_are_those_of_the_reference() {
    for case in cases("node_finalizer", &["ours"], 3) {
        assert_eq!(finalizers::legacy_node_finalizer(text(&case, "node")), text(&case, "want"));
    }
}

#[test]
fn states_are_folded_as_the_reference_does() {
    let order: Vec<ProfileState> = serde_json::from_value(vectors()["lowest_state"]["ours"]["order"].clone()).unwrap();
    assert_eq!(order, ProfileState::BY_RANK);
    let cases = vectors()["lowest_state"]["ours"]["cases"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let states: Vec<ProfileState> = serde_json::from_value(case["states"].clone()).unwrap();
        assert_eq!(fold(states).as_str(), text(&case, "want"), "{case}");
    }
}

#[test]
fn the_stored_vectors_are_those_of_the_reference() {
    // The reference's file is beside the repository where this project is worked on; elsewhere the copy stands for it.
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/conformance-vectors.json");
    let reference = if original.is_file() { read(&original) } else { vectors() };
    for group in GROUPS {
        assert!(vectors()[group].is_object(), "{group} is missing");
        assert_eq!(vectors()[group], reference[group], "{group}");
    }
}

/// The cases of a group, from its lists of these names; `count` guards against a list that was renamed.
fn cases(group: &str, lists: &[&str], count: usize) -> Vec<Value> {
    let group = &vectors()[group];
    let cases: Vec<Value> = lists.iter().flat_map(|list| group[list].as_array().unwrap().clone()).collect();
    assert_eq!(cases.len(), count);
    cases
}

fn vectors() -> Value {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors.json"))
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}
