//! That this is another boot of the same disk.

use spo_tests::guest::{BOOT, Guest, text};

#[test]
fn what_was_on_the_disk_is_there_after_a_reboot() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let before = text(BOOT);
    assert_ne!(before, text("/proc/sys/kernel/random/boot_id"), "this is the first boot still");
}
