//! Cases, one file each: `cases/pass` has an object and what becomes of it, `cases/fail` an object and why it is refused. A case
//! is added by adding a file; `about` says what it is for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spo_api::Kind;
use spo_convert::Version;
use support::{convert, kind_of, old_version, read, readable, refusal};

#[test]
fn every_object_becomes_what_its_case_says() {
    for (path, case) in cases("pass") {
        let converted = convert(&case["object"], version(&case));
        assert_eq!(readable(converted), readable(case["becomes"].clone()), "{}", path.display());
    }
}

#[test]
fn every_refusal_names_what_its_case_says() {
    for (path, case) in cases("fail") {
        assert_eq!(refusal(&case["object"], version(&case)), case["refused"], "{}", path.display());
    }
}

#[test]
fn every_kind_has_a_case_in_both_directions() {
    let covered: BTreeSet<(Kind, Version)> =
        cases("pass").into_iter().map(|(_, case)| (kind_of(&case["object"]), version(&case))).collect();
    for kind in Kind::ALL {
        for version in [Version::V1, old_version(kind)] {
            assert!(covered.contains(&(kind, version)), "no case of {kind} to {version}");
        }
    }
}

fn version(case: &Value) -> Version {
    case["to"].as_str().unwrap().parse().unwrap()
}

fn cases(folder: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let with_reason = |path: PathBuf| {
        let case = read(&path);
        assert!(
            case["about"].as_str().is_some_and(|about| about.len() > 10),
            "{}: say what it is about",
            path.display()
        );
        (path, case)
    };
    paths.into_iter().map(with_reason).collect()
}
