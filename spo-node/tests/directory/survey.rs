//! `spo-node status`, beside a daemon and without one.

use std::process::{Command, Output};

use serde_json::Value;

use super::support::{Node, permits, text};

fn status(node: &Node, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spo-node"));
    command.args(["status", "--root"]).arg(node.path("root")).arg("--status-dir").arg(node.path("status")).args(more);
    command.output().unwrap()
}

#[test]
fn what_is_installed_stands_beside_what_the_daemon_says() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.write("broken.yaml", permits("broken", "read").replace("SCMP_ACT_ERRNO", "SCMP_ACT_NEVER"));
    assert!(!node.once().status.success());
    std::os::unix::fs::symlink("/etc/passwd", node.installed().join("planted.json")).unwrap();
    let output = status(&node, &["--json"]);
    assert_eq!(output.status.code(), Some(1), "something is in Error, and something is planted");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let seccomp = &json["modules"][0];
    assert_eq!((&seccomp["module"], &seccomp["profiles"][0]["name"]), (&"seccomp".into(), &"web.json".into()));
    assert_eq!(
        (&seccomp["profiles"][0]["state"], &seccomp["profiles"][1]["state"]),
        (&"installed".into(), &"foreign".into())
    );
    let says: Vec<_> =
        json["statuses"].as_array().unwrap().iter().map(|one| (&one["profile"], &one["state"])).collect();
    assert_eq!(
        says,
        [(&"SeccompProfile/broken".into(), &"Error".into()), (&"SeccompProfile/web".into(), &"Installed".into())]
    );
    let printed = text(&status(&node, &[]).stdout);
    for line in [
        "seccomp: 2 installed",
        "  installed web.json",
        "  foreign   planted.json, which is a symbolic link",
        "  Error       SeccompProfile/broken: spec.defaultAction",
    ] {
        assert!(printed.contains(line), "{line:?} is not in:\n{printed}");
    }
}

#[test]
fn what_has_no_status_of_its_own_is_told_by_its_file() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read").replace("name: web", "nmae: web"));
    node.write("half.yaml", "kind: [");
    assert!(!node.once().status.success());
    let output = status(&node, &[]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for line in [
        "what it cannot use:\n  half.yaml: is not YAML: ",
        "  web.yaml: SeccompProfile (document 1): metadata.name: is required",
    ] {
        assert!(printed.contains(line), "{line:?} is not in:\n{printed}");
    }
    let json: Value = serde_json::from_slice(&status(&node, &["--json"]).stdout).unwrap();
    assert_eq!(json["files"].as_object().unwrap().len(), 2, "{json}");
    node.write("web.yaml", permits("web", "read"));
    node.remove("half.yaml");
    assert!(node.once().status.success());
    assert_eq!(status(&node, &[]).status.code(), Some(0));
}

#[test]
fn a_host_with_nothing_on_it_is_well() {
    let node = Node::new();
    let output = status(&node, &[]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "seccomp: 0 installed\n"));
}
