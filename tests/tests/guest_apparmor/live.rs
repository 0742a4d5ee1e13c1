//! What is live in this guest, and that it confines.

use spo_tests::guest::{BOOT, Container, Guest, all, live, said, text};

#[test]
fn apparmor_is_live_beside_bpf_and_selinux_is_not() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let live = live();
    for module in ["apparmor", "bpf"] {
        assert!(live.iter().any(|name| name == module), "{module} is not in {live:?}");
    }
    assert!(!live.iter().any(|name| name == "selinux"), "{live:?}");
    assert_eq!(text("/sys/module/apparmor/parameters/enabled").trim(), "Y");
}

#[test]
fn the_parser_of_the_host_compiles_and_loads_and_the_kernel_lists_what_it_loaded() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    assert!(said("apparmor_parser", ["--version"]).contains("AppArmor parser version"));
    let file = profile("guest-live-listed", "");
    said("apparmor_parser", ["--replace".as_ref(), file.path().as_os_str()]);
    assert!(loaded().contains("guest-live-listed (enforce)"), "{}", loaded());
    said("apparmor_parser", ["--remove".as_ref(), file.path().as_os_str()]);
    assert!(!loaded().contains("guest-live-listed"), "{}", loaded());
}

#[test]
fn a_container_is_confined_by_the_profile_that_it_names() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let file = profile("guest-live-container", "audit deny /tmp/no w,");
    said("apparmor_parser", ["--replace".as_ref(), file.path().as_os_str()]);
    let output = Container::busybox()
        .apparmor("guest-live-container")
        .run("cat /proc/self/attr/current; echo x >/tmp/yes && echo written; echo x >/tmp/no || echo refused");
    said("apparmor_parser", ["--remove".as_ref(), file.path().as_os_str()]);
    let printed = all(&output);
    for line in ["guest-live-container (enforce)", "written", "refused"] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in:\n{printed}");
    }
}

/// A file with a profile that permits everything but what `rules` deny.
fn profile(name: &str, rules: &str) -> tempfile::NamedTempFile {
    let text = format!(
        "profile {name} flags=(attach_disconnected,mediate_deleted) {{\n  file,\n  capability,\n  network,\n  signal,\n  \
         {rules}\n}}\n"
    );
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), text).expect("a file can be written");
    file
}

fn loaded() -> String {
    text("/sys/kernel/security/apparmor/profiles")
}

#[test]
fn this_boot_is_noted_for_after_the_reboot() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    std::fs::write(BOOT, text("/proc/sys/kernel/random/boot_id")).expect("the disk can be written to");
}
