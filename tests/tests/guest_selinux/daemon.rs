//! What a daemon without privilege has installed by the installer.

use spo_tests::guest::{Guest, Pair, said};

use crate::node::{is_type, run};

const LOGGER: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SelinuxProfile
metadata: {name: by-daemon}
spec: {allow: {var_log_t: {dir: [search, getattr, add_name, write], file: [open, create, append, getattr]}}}
";

#[test]
fn x1_x4_a_daemon_without_privilege_has_a_profile_installed_and_removed_and_counts_both() {
    let Some(guest) = Guest::entered("selinux") else { return };
    let pair = Pair::start(&guest, "--with-selinux");
    pair.until("it shows metrics", || pair.counted("selinux", "update") == Some(0));
    pair.write("logger.yaml", LOGGER);
    pair.until("it is installed", || {
        pair.says("selinuxprofile", "by-daemon").contains("installed as by-daemon.process")
    });
    assert!(is_type("by-daemon"));
    assert_eq!((pair.counted("selinux", "update"), pair.counted("selinux", "delete")), (Some(1), Some(0)));
    let printed = run("by-daemon", "echo hello >>/var/log/by-daemon.log && echo written; cat /var/log/by-daemon.log");
    assert!(printed.contains("written") && printed.contains("ermission denied"), "{printed}");
    pair.take_away("logger.yaml");
    pair.until("it is removed", || !is_type("by-daemon"));
    pair.until("the removal is counted", || pair.counted("selinux", "delete") == Some(1));
    assert_eq!(pair.counted("selinux", "update"), Some(1));
}

#[test]
fn a_module_that_somebody_removes_is_installed_again() {
    let Some(guest) = Guest::entered("selinux") else { return };
    let pair = Pair::start(&guest, "--with-selinux");
    pair.write("logger.yaml", &LOGGER.replace("by-daemon", "restored"));
    pair.until("it is installed", || pair.says("selinuxprofile", "restored").contains("installed as restored.process"));
    said("semodule", ["-X", "370", "-r", "restored"]);
    pair.until("it is there again", || is_type("restored"));
    // Or the next daemon removes it, and counts that.
    pair.take_away("logger.yaml");
    pair.until("it is removed", || !is_type("restored"));
}
