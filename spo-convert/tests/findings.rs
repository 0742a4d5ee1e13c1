//! Where the reference disagrees with itself about its API (rows of `spec/api.md` 10, W-API-1 and on), as far as definitions and
//! conversion go. W-API-1 is in `review.rs`, W-API-3 in `stash.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use spo_api::Kind;
use spo_convert::Version;
use support::{object, to_old, to_v1};

/// The definitions, as they are installed.
fn crds() -> Vec<Value> {
    spo_api::crds().iter().map(|crd| spo_api::manifest(crd).unwrap()).collect()
}

/// The schemas of both versions of a kind.
fn schemas(kind: Kind) -> Vec<Value> {
    let crd = crds().into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind.as_str()).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    versions.iter().map(|version| version["schema"]["openAPIV3Schema"].clone()).collect()
}

#[test]
fn w_api_6_both_versions_default_the_options_of_selinux() {
    for schema in schemas(Kind::SecurityProfilesOperatorDaemon) {
        let options = schema.pointer("/properties/spec/properties/selinux/properties/options").unwrap();
        assert_eq!(options["default"], json!({}));
        assert_eq!(options["properties"]["allowedSystemProfiles"]["default"], json!(["container"]));
    }
}

#[test]
fn w_api_8_no_version_is_called_deprecated_by_the_definitions_or_by_the_guide() {
    for crd in crds() {
        let versions = crd["spec"]["versions"].as_array().unwrap();
        assert!(versions.iter().all(|version| version["served"] == true && version.get("deprecated").is_none()));
    }
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/upgrade.md");
    let Ok(guide) = std::fs::read_to_string(&guide) else {
        println!("skipped: no {}", guide.display());
        return;
    };
    assert!(!guide.to_lowercase().contains("deprecat"));
}

#[test]
fn w_api_9_profiles_of_the_cluster_are_not_described_as_if_they_had_a_namespace() {
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_namespaced()) {
        for schema in schemas(kind) {
            let text = schema.to_string().to_lowercase();
            assert!(
                !["same namespace", "current namespace", "its namespace"].iter().any(|words| text.contains(words)),
                "{kind}"
            );
        }
    }
}

#[test]
fn w_api_13_the_definitions_that_are_shipped_are_one_file_for_each_kind_with_both_versions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no {}", folder.display());
        return;
    };
    let files: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, Kind::ALL.into_iter().map(|kind| format!("{}.yaml", kind.plural())).collect());
    for kind in Kind::ALL {
        let text = std::fs::read_to_string(folder.join(format!("{}.yaml", kind.plural()))).unwrap();
        for version in kind.versions() {
            assert!(text.contains(&format!("name: {version}\n")), "{kind} {version}");
        }
    }
}

#[test]
fn w_api_14_what_is_declared_and_never_written_passes_all_the_same() {
    let mut profile = object("SeccompProfile", Version::V1, json!({"defaultAction": "SCMP_ACT_ERRNO"}));
    profile["status"] = json!({"path": "/somewhere"});
    assert_eq!(to_v1(&to_old(&profile)), profile);
    let mut daemon = object("SecurityProfilesOperatorDaemon", Version::V1, json!({}));
    daemon["status"] = json!({"state": "Error"});
    assert_eq!(to_old(&daemon)["status"], json!({"state": "ERROR"}));
    assert_eq!(to_v1(&to_old(&daemon))["status"], daemon["status"]);
}
