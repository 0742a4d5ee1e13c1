//! Profiles that were installed before the reboot.

use std::fs;

use spo_lsm::host::{Content, Host, SelinuxHost};
use spo_tests::guest::{Container, Guest};

#[test]
fn what_was_installed_before_the_reboot_is_in_force_without_anybodys_doing() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let installed = SelinuxHost::new().installed().expect("it can be listed").files;
    for name in ["rebooted", "rebooted-raw"] {
        let content = installed.get(&format!("{name}.cil"));
        assert!(matches!(content, Some(Content::Profile(_))), "{name}: {content:?}");
    }
    // A kernel that was just booted was given one policy, with all of it.
    let status = fs::read("/sys/fs/selinux/status").expect("the kernel has a status page");
    assert_eq!(status[12..16], 1_u32.to_ne_bytes());
    let printed = Container::busybox().print_as("rebooted.process", "cat /proc/self/attr/current");
    assert!(printed.contains("rebooted.process"), "{printed}");
}
