//! What a daemon without privilege has installed by the installer.

use spo_tests::guest::{Container, Guest, Pair, all};

use crate::node::loaded;

const PROFILE: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1
kind: AppArmorProfile
metadata: {name: by-daemon}
spec: {mode: Complain, abstract: {}}
";

#[test]
fn w_nd_9_a_daemon_without_privilege_has_a_profile_loaded_switched_off_and_on_and_removed() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    let pair = Pair::start(&guest, "--with-apparmor");
    pair.write("profile.yaml", PROFILE);
    pair.until("it is loaded", || pair.says("apparmorprofile", "by-daemon").contains("installed as by-daemon"));
    assert_eq!(loaded("by-daemon").as_deref(), Some("by-daemon (complain)"));
    let printed = all(&Container::busybox().apparmor("by-daemon").run("cat /proc/self/attr/current"));
    assert!(printed.contains("by-daemon (complain)"), "{printed}");
    pair.write("profile.yaml", &PROFILE.replace("mode: Complain", "mode: Enforce"));
    pair.until("it is enforced", || loaded("by-daemon").as_deref() == Some("by-daemon (enforce)"));
    pair.write("profile.yaml", &PROFILE.replace("mode: Complain", "state: Disabled"));
    pair.until("it is switched off", || loaded("by-daemon").is_none());
    pair.write("profile.yaml", PROFILE);
    pair.until("it is loaded again", || loaded("by-daemon").is_some());
    pair.take_away("profile.yaml");
    pair.until("it is removed", || loaded("by-daemon").is_none());
}

#[test]
fn a_file_that_somebody_removes_is_written_again() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    let pair = Pair::start(&guest, "--with-apparmor");
    pair.write("profile.yaml", &PROFILE.replace("by-daemon", "restored"));
    pair.until("it is loaded", || pair.says("apparmorprofile", "restored").contains("installed as restored"));
    let file = "/etc/apparmor.d/restored";
    let text = std::fs::read_to_string(file).expect("it is there");
    std::fs::write(file, text.replace("/abstractions", "/abstractions/")).expect("it can be changed");
    pair.until("it is as it was", || std::fs::read_to_string(file).is_ok_and(|now| now == text));
    pair.take_away("profile.yaml");
    pair.until("it is removed", || loaded("restored").is_none());
}
