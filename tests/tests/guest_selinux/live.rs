//! What is live in this guest, and that it confines.

use std::fs;

use spo_tests::guest::{BOOT, Container, Guest, all, live, said, text};

#[test]
fn selinux_enforces_beside_bpf_and_apparmor_is_not_live() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let live = live();
    for module in ["selinux", "bpf"] {
        assert!(live.iter().any(|name| name == module), "{module} is not in {live:?}");
    }
    assert!(!live.iter().any(|name| name == "apparmor"), "{live:?}");
    assert_eq!(text("/sys/fs/selinux/enforce"), "1");
}

#[test]
fn the_host_knows_containers_until_its_module_for_them_is_disabled() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    assert!(said("semodule", ["--list-modules=full"]).lines().any(|line| line.starts_with("100 container ")));
    assert!(is_type("container_t"));
    said("semodule", ["--disable=container"]);
    let known = is_type("container_t");
    said("semodule", ["--enable=container"]);
    assert!(!known, "container_t is known without the module that brings it");
    assert!(is_type("container_t"));
}

#[test]
fn a_container_is_confined_by_the_type_of_its_label() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let module = tempfile::Builder::new().prefix("guest_live").suffix(".cil").tempfile().expect("a file can be made");
    fs::write(module.path(), TYPE).expect("a file can be written");
    said("semodule", ["-i".as_ref(), module.path().as_os_str()]);
    let container = Container::busybox();
    fs::write(container.root().join("etc/secret"), "top\n").expect("a file can be written");
    let secret = container.root().join("etc/secret");
    let container = container.selinux("system_u:system_r:guest_live_t:s0:c1,c2", "guest_live_file_t");
    said("chcon", ["-t".as_ref(), "shadow_t".as_ref(), secret.as_os_str()]);
    let output = container
        .run("cat /proc/self/attr/current; echo; cat /etc/secret || echo refused; echo x >/tmp/x && echo written");
    let printed = all(&output);
    for line in ["guest_live_t", "refused", "written"] {
        assert!(printed.contains(line), "{line} is not in:\n{printed}");
    }
    assert!(!printed.contains("top"), "{printed}");
}

/// A type for processes of containers, which may use files of its own and the pipe that its output goes through.
const TYPE: &str = "
(type guest_live_t) (roletype system_r guest_live_t) (typeattributeset domain (guest_live_t))
(type guest_live_file_t) (roletype object_r guest_live_file_t) (typeattributeset file_type (guest_live_file_t))
(allow guest_live_t guest_live_file_t (dir (read open search getattr write add_name create mounton)))
(allow guest_live_t guest_live_file_t (file (entrypoint execute execute_no_trans read open map getattr ioctl create write)))
(allow guest_live_t guest_live_file_t (lnk_file (read getattr)))
(allow guest_live_t kernel_t (fd (use)))
(allow guest_live_t kernel_t (process (sigchld)))
(allow guest_live_t kernel_t (fifo_file (read write getattr append ioctl)))
(allow guest_live_t self (process (fork sigchld getattr)))
(allow guest_live_t self (file (read open getattr)))
(allow guest_live_t self (lnk_file (read getattr)))
(allow guest_live_t self (dir (search read open getattr)))
(allow guest_live_t proc_t (dir (search read open getattr)))
(allow guest_live_t proc_t (lnk_file (read getattr)))
(allow guest_live_t proc_t (file (read open getattr)))
";

/// Whether the policy that is loaded has this type.
fn is_type(name: &str) -> bool {
    fs::write("/sys/fs/selinux/context", format!("system_u:system_r:{name}:s0")).is_ok()
}

#[test]
fn this_boot_is_noted_for_after_the_reboot() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    std::fs::write(BOOT, text("/proc/sys/kernel/random/boot_id")).expect("the disk can be written to");
}
