//! `spoc install` and `spoc remove`.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::json;
use spo_tests::guest::{Guest, said};

use crate::node::{apply, done, loaded, profile, remove};

const PROFILE: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1
kind: AppArmorProfile
metadata: {name: by-hand}
spec: {abstract: {filesystem: {readOnlyPaths: [/etc/**]}}}
";

#[test]
fn a_profile_that_is_loaded_by_hand_confines_a_program_and_is_no_nodes() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    let spoc = guest.program("spoc");
    let manifest = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file can be made");
    fs::write(manifest.path(), PROFILE).expect("a file can be written");
    let program = "/opt/by-hand";
    fs::create_dir_all("/opt").expect("a folder can be made");
    fs::copy("/usr/bin/busybox", program).expect("a program can be copied");
    said(&spoc, ["install".as_ref(), manifest.path().as_os_str(), program.as_ref()]);
    assert_eq!(loaded(program), Some(format!("{program} (enforce)")));
    let confined = Command::new(program).arg0("busybox").args(["cat", "/proc/version"]).output();
    assert!(confined.map_or(true, |output| !output.status.success()), "it may read /etc alone");
    said(&spoc, ["install".as_ref(), manifest.path().as_os_str()]);
    assert_eq!(loaded("by-hand").as_deref(), Some("by-hand (enforce)"));
    let step = profile("by-hand", json!({"abstract": {}}));
    let refused = apply(&[step, remove("by-hand")]);
    assert!(refused.iter().all(Result::is_err), "a node leaves it alone: {refused:?}");
    for executable in [Some(program), None] {
        said(&spoc, ["remove".as_ref(), manifest.path().as_os_str()].into_iter().chain(executable.map(AsRef::as_ref)));
    }
    assert_eq!((loaded(program), loaded("by-hand")), (None, None));
}

#[test]
fn what_a_node_has_installed_is_not_taken_away_by_hand() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    done(&[profile("by-node", json!({"abstract": {}}))]);
    let manifest = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file can be made");
    fs::write(manifest.path(), PROFILE.replace("by-hand", "by-node")).expect("a file can be written");
    let output = Command::new(guest.program("spoc")).arg("remove").arg(manifest.path()).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("by-node is a profile of the host"), "{errors}");
    assert!(loaded("by-node").is_some());
    done(&[remove("by-node")]);
}
