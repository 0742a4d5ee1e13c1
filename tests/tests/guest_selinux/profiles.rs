//! What profiles make of containers: S X1 to X7 on one host.

use serde_json::json;
use spo_lsm::host::Change;
use spo_tests::guest::{Guest, said};

use crate::node::{Node, TEMPLATES, is_ours, is_type, profile, raw, remove, run};

const WRITE: &str =
    "cat /proc/self/attr/current; echo; echo hello >>/var/log/guest.log && echo written || echo refused";

/// The published example `errorlogger` of the reference's operator.
fn errorlogger() -> serde_json::Value {
    json!({"inherit": [{"name": "container"}], "allow": {"var_log_t": {
        "dir": ["open", "read", "getattr", "lock", "search", "ioctl", "add_name", "remove_name", "write"],
        "file": ["getattr", "read", "write", "append", "ioctl", "lock", "map", "open", "create"],
        "sock_file": ["getattr", "read", "write", "append", "open"],
    }}})
}

#[test]
fn x1_what_a_profile_allows_works_until_it_is_removed() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    assert_eq!(node.done(&[profile("x1", errorlogger())]), [Change::Written]);
    assert!(is_ours("x1") && node.holds(&profile("x1", errorlogger())));
    let printed = run("x1", &format!("{WRITE}; echo x >/var/log/../log/x1 && cat /var/log/x1"));
    for line in ["x1.process:s0:c1,c2", "written"] {
        assert!(printed.contains(line), "{line} is not in:\n{printed}");
    }
    let printed = run("x1", "mkdir /var/log/x1-folder && echo made");
    assert!(!printed.contains("made"), "no rule is about folders that are made: {printed}");
    assert_eq!(node.done(&[remove("x1")]), [Change::Removed]);
    assert!(!is_type("x1") && !node.has("x1"));
    assert_eq!(node.done(&[remove("x1")]), [Change::Absent]);
}

#[test]
fn x2_the_same_as_a_raw_profile_works() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let policy = "(blockinherit container)
(allow process var_log_t ( dir ( open read getattr lock search ioctl add_name remove_name write )))
(allow process var_log_t ( file ( getattr read write append ioctl lock map open create  )))
(allow process var_log_t ( sock_file ( getattr read write append open  )))
";
    assert_eq!(node.done(&[raw("x2", policy)]), [Change::Written]);
    assert!(is_ours("x2") && node.holds(&raw("x2", policy)));
    let printed = run("x2", WRITE);
    assert!(printed.contains("x2.process:s0") && printed.contains("written"), "{printed}");
    node.remove_all(&["x2"]);
}

#[test]
fn x3_a_template_of_the_operator_is_inherited_on_a_host_that_has_none() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let net = json!({"inherit": [{"name": "container"}, {"name": "net_container"}]});
    assert_eq!(node.done(&[profile("x3", net), profile("x3-without", json!({}))]), [Change::Written; 2]);
    assert!(is_ours("x3"));
    let listen = "busybox timeout 1 nc -l -p 8080; echo ended";
    let listed = said("semodule", ["-lfull"]);
    for template in ["base_container", "net_container", "log_container", "selinuxrecording"] {
        assert!(listed.lines().any(|line| line.starts_with(&format!("090 {template} "))), "{template}: {listed}");
    }
    let printed = [run("x3", listen), run("x3-without", listen)];
    assert_eq!(printed.each_ref().map(|text| text.contains("ermission denied")), [false, true], "{printed:?}");
    assert!(printed.iter().all(|text| text.contains("ended")), "{printed:?}");
    node.remove_all(&["x3", "x3-without"]);
}

#[test]
fn every_template_can_be_inherited_alone_and_with_all_others() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let inherit =
        |names: &[&str]| json!({"inherit": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
    let name = |template: &str| format!("of-{}", template.replace('_', "-"));
    let mut steps = vec![profile("of-all", inherit(&TEMPLATES))];
    steps.extend(TEMPLATES.iter().map(|template| profile(&name(template), inherit(&[template]))));
    assert_eq!(node.done(&steps), vec![Change::Written; steps.len()]);
    let printed = run("of-log-rw-container", WRITE);
    assert!(printed.contains("written"), "{printed}");
    let printed = run("of-log-container", WRITE);
    assert!(printed.contains("refused"), "{printed}");
    let removals: Vec<_> = steps.iter().map(|step| remove(step.file_name().trim_end_matches(".cil"))).collect();
    node.done(&removals);
}

#[test]
fn x5_what_an_incomplete_profile_does_not_allow_is_refused() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&[profile("x5", json!({"allow": {"var_log_t": {"dir": ["search", "getattr"]}}}))]);
    let printed = run("x5", WRITE);
    assert!(printed.contains("Permission denied") && printed.contains("refused"), "{printed}");
    node.remove_all(&["x5"]);
}

#[test]
fn x6_a_permissive_profile_refuses_nothing_and_the_log_says_what_it_would() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let spec = json!({"mode": "Permissive", "allow": {"var_log_t": {"dir": ["search", "getattr"]}}});
    node.done(&[profile("x6", spec)]);
    let printed = run("x6", WRITE);
    assert!(printed.contains("x6.process") && printed.contains("written"), "{printed}");
    let log = said("dmesg", [""; 0]);
    let told = |line: &str| line.contains("x6.process") && line.contains("var_log_t") && line.contains("permissive=1");
    assert!(log.lines().any(told), "no denial of x6 in the kernel's log");
    node.remove_all(&["x6"]);
}

#[test]
fn x7_a_container_whose_profile_is_not_installed_does_not_start() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    assert!(!is_type("x7"));
    let printed = run("x7", "echo started");
    assert!(!printed.contains("started"), "{printed}");
}

#[test]
fn what_is_recorded_runs_with_a_type_that_refuses_nothing() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&[profile("recorded", json!({}))]);
    let printed = run("selinuxrecording", WRITE);
    assert!(printed.contains("selinuxrecording.process") && printed.contains("written"), "{printed}");
    node.remove_all(&["recorded"]);
}

#[test]
fn a_profile_that_builds_on_another_has_what_that_allows() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let child = json!({"inherit": [{"kind": "SelinuxProfile", "name": "elder"}]});
    // The order of steps is any.
    assert_eq!(node.done(&[profile("child", child), profile("elder", errorlogger())]), [Change::Written; 2]);
    let printed = run("child", WRITE);
    assert!(printed.contains("child.process") && printed.contains("written"), "{printed}");
    // While something builds on it, it stays, and the reason names what does.
    let reason = node.apply(&[remove("elder")])[0].clone().unwrap_err();
    assert!(reason.contains("child"), "{reason}");
    assert!(node.holds(&profile("elder", errorlogger())));
    node.remove_all(&["child", "elder"]);
}
