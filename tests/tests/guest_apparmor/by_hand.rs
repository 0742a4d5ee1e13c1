//! `spoc install` and `spoc remove`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
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

#[test]
fn whoever_is_killed_while_loading_leaves_a_profile_that_can_be_taken_away_and_loaded() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    let manifest = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file can be made");
    fs::write(manifest.path(), PROFILE).expect("a file can be written");
    let spoc = |command: &str| Command::new(guest.program("spoc")).arg(command).arg(manifest.path()).output();
    let killed = || {
        // The parser has done its work, and nobody hears of it.
        let (parser, hidden) = ("/usr/sbin/apparmor_parser", "/usr/sbin/hidden_parser");
        fs::rename(parser, hidden).expect("it can be renamed");
        fs::write(parser, format!("#!/bin/sh\n{hidden} \"$@\"\nkill -9 $PPID\n")).expect("a script can be written");
        fs::set_permissions(parser, fs::Permissions::from_mode(0o755)).expect("it can be run");
        let ended = spoc("install").expect("it starts").status;
        fs::rename(hidden, parser).expect("it can be renamed");
        assert_eq!(ended.signal(), Some(9), "{ended}");
        assert!(loaded("by-hand").is_some());
    };
    let succeeds = |command: &str| {
        let output = spoc(command).expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    killed();
    succeeds("remove");
    assert_eq!(loaded("by-hand"), None);
    killed();
    succeeds("install");
    assert!(loaded("by-hand").is_some() && fs::exists("/etc/apparmor.d/by-hand").expect("it can be looked for"));
    succeeds("remove");
    assert_eq!(loaded("by-hand"), None);
}
