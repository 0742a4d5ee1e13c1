//! The installer, as a process beside the daemon. This machine's kernel need not have the modules: then that is what is told.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use rstest::rstest;
use rustix::process::Signal;

use super::support::{Daemon, Node, is_root, permits};

const SELINUX: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SelinuxProfile\nmetadata: {name: logger}\nspec: {allow: {var_log_t: {file: [write]}}}\n";

fn socket(node: &Node) -> PathBuf {
    node.path("installer.sock")
}

fn installer(node: &Node) -> Daemon {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spo-node"));
    command.args(["installer", "--on-host", "--socket"]).arg(socket(node));
    // In a file of its own: the daemon's may be beside it.
    let mut installer = node.start_logging(command, "installer-log");
    let log = node.path("installer-log");
    // Its socket is there before it has given up what it need not keep.
    installer.until("it serves", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("hands over")));
    installer
}

fn daemon(node: &Node, log: &str) -> Daemon {
    let socket = socket(node).display().to_string();
    node.start_logging(node.command(&["--with-selinux", "--installer-socket", &socket]), log)
}

/// What the installer answers: the status, and the body.
fn ask(node: &Node, request: &str, body: &str) -> (u16, String) {
    let mut connection = UnixStream::connect(socket(node)).unwrap();
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all(head.as_bytes()).unwrap();
    // One that refuses what is too large does not wait for all of it.
    _ = connection.write_all(body.as_bytes());
    let mut answer = String::new();
    _ = connection.read_to_string(&mut answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn w_nd_4_without_an_installer_a_profile_says_so_and_the_others_are_served() {
    let node = Node::new();
    node.write("selinux.yaml", SELINUX);
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = daemon(&node, "log");
    daemon.until("seccomp is served", || node.says("web").starts_with("Installed"));
    daemon.until("SELinux is told of", || node.says_of("selinuxprofile", "logger").starts_with("Error: cannot reach"));
    let says = node.says_of("selinuxprofile", "logger");
    assert!(says.contains("installer.sock") && says.ends_with("or start spo-node installer"), "{says}");
}

#[test]
fn an_installer_that_comes_later_and_comes_again_is_noticed() {
    if !is_root() {
        return;
    }
    let node = Node::new();
    node.write("selinux.yaml", SELINUX);
    let mut daemon = daemon(&node, "daemon.log");
    let unreachable = || node.says_of("selinuxprofile", "logger").contains("cannot reach");
    daemon.until("it is missed", unreachable);
    let mut first = installer(&node);
    daemon.until("it is noticed", || !unreachable());
    first.signal(Signal::TERM);
    assert!(first.ended().success(), "{}", first.log());
    node.write("other.yaml", SELINUX.replace("logger", "other"));
    let _second = installer(&node);
    daemon.until("the next is served", || {
        let says = node.says_of("selinuxprofile", "other");
        !says.is_empty() && !says.contains("cannot reach") && !says.contains("installer")
    });
}

#[test]
fn a_module_that_is_switched_off_says_by_what() {
    let node = Node::new();
    node.write("selinux.yaml", SELINUX);
    assert!(!node.once().status.success());
    let says = node.says_of("selinuxprofile", "logger");
    assert!(
        says.starts_with("Error: profiles of its kind are switched off") && says.ends_with("--with-selinux"),
        "{says}"
    );
}

#[rstest]
#[case::another_path("GET /etc/passwd", "", 404)]
#[case::a_module_of_the_daemon("GET /v1/seccomp/installed", "", 404)]
#[case::another_method("DELETE /v1/SELinux/installed", "", 404)]
#[case::no_json("POST /v1/SELinux/steps", "install it", 400)]
#[case::a_path(
    "POST /v1/SELinux/steps",
    r#"{"steps": [{"remove": {"kind": "SelinuxProfile", "name": "x", "path": "/etc/x"}}]}"#,
    400
)]
#[case::a_command("POST /v1/SELinux/steps", r#"{"steps": [{"run": {"command": "id"}}]}"#, 400)]
#[case::text_of_a_policy(
    "POST /v1/SELinux/steps",
    r#"{"steps": [{"install": {"kind": "SelinuxProfile", "name": "x", "text": "(block x)"}}]}"#,
    400
)]
fn what_is_no_step_is_refused(#[case] request: &str, #[case] body: &str, #[case] status: u16) {
    if !is_root() {
        return;
    }
    let node = Node::new();
    let _installer = installer(&node);
    let answer = ask(&node, request, body);
    assert_eq!(answer.0, status, "{answer:?}");
    assert!(!answer.1.is_empty(), "a refusal has a reason");
}

#[rstest]
#[case::a_name_that_leads_elsewhere(
    r#"{"remove": {"kind": "SelinuxProfile", "name": "../x"}}"#,
    "is no name of a profile"
)]
#[case::another_module(r#"{"remove": {"kind": "AppArmorProfile", "name": "x"}}"#, "AppArmorProfile is not for SELinux")]
#[case::what_no_profile_may_say(
    r#"{"install": {"kind": "RawSelinuxProfile", "name": "x", "spec": {"policy": "(blockinherit container)\n(optional a)"}, "digest": ""}}"#,
    "the installer refuses it: spec.policy"
)]
#[case::another_release(
    r#"{"install": {"kind": "SelinuxProfile", "name": "x", "spec": {}, "digest": "sha256:00"}}"#,
    "daemon and installer do not agree"
)]
fn a_step_that_may_not_be_is_refused_and_the_others_are_tried(#[case] step: &str, #[case] reason: &str) {
    if !is_root() {
        return;
    }
    let node = Node::new();
    let _installer = installer(&node);
    let good = r#"{"remove": {"kind": "SelinuxProfile", "name": "never-there"}}"#;
    let (status, answer) = ask(&node, "POST /v1/SELinux/steps", &format!(r#"{{"steps": [{step}, {good}]}}"#));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let outcomes = answer["outcomes"].as_array().unwrap();
    assert_eq!((status, outcomes.len()), (200, 2), "{answer}");
    assert!(outcomes[0]["failed"]["message"].as_str().unwrap().contains(reason), "{answer}");
    assert!(!outcomes[1].to_string().contains(reason), "{answer}");
}

#[test]
fn more_than_there_can_be_is_refused() {
    if !is_root() {
        return;
    }
    let node = Node::new();
    let _installer = installer(&node);
    let (status, _) = ask(&node, "POST /v1/SELinux/steps", &" ".repeat(17 << 20));
    assert_eq!(status, 413);
}

#[test]
fn only_the_daemon_and_root_can_reach_it_and_it_keeps_little_privilege() {
    if !is_root() {
        return;
    }
    let node = Node::new();
    std::fs::write(socket(&node), "left of an earlier process").unwrap();
    let installer = installer(&node);
    let file = std::fs::metadata(socket(&node)).unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (65535, 65535, 0o600));
    let status = std::fs::read_to_string(format!("/proc/{}/status", installer.pid())).unwrap();
    let of = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
    };
    // chown, dac_override, dac_read_search, fowner, fsetid, sys_admin, mac_admin
    let kept: u64 = [0, 1, 2, 3, 4, 21, 33].map(|number| 1 << number).iter().sum();
    assert_eq!((of("CapEff") & !kept, of("CapPrm") & !kept, of("CapBnd") & !kept), (0, 0, 0), "{status}");
}
