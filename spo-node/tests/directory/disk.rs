//! Disks that take no writes, each in a mount namespace of its own, so that nothing else notices.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Daemon, Node, is_root, permits, permitting};

/// A daemon behind these mounts, made by a shell of its own.
fn behind(node: &Node, mounts: &str) -> Daemon {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &format!("{mounts}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_spo-node")]);
    command.args(node.arguments());
    node.start_with(command)
}

/// A path as the daemon sees it.
fn within(daemon: &Daemon, path: &std::path::Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", daemon.pid(), path.display()))
}

#[test]
fn a_read_only_folder_is_told_and_mended_without_a_restart() {
    if !is_root() {
        return;
    }
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.once_well();
    node.write("web.yaml", permits("web", "write"));
    let folder = node.installed();
    let mut daemon =
        behind(&node, &format!("mount --bind '{0}' '{0}'; mount -o remount,bind,ro '{0}'", folder.display()));
    daemon.until("it is told", || node.says("web").starts_with("Error: cannot install operator/web.json: "));
    let said = node.says("web");
    assert!(said.contains("is on a read-only file system; mount it writable"), "{said}");
    assert!(said.ends_with("operator/web.json stays as an earlier generation left it"), "{said}");
    assert_eq!(node.content("web"), permitting("read"));

    let pid = daemon.pid().to_string();
    let remount = ["--target", &pid, "--mount", "mount", "-o", "remount,bind,rw", folder.to_str().unwrap()];
    assert!(Command::new("nsenter").args(remount).status().unwrap().success());
    daemon.until("it is installed", || {
        node.says("web").starts_with("Installed") && node.content("web") == permitting("write")
    });
}

#[test]
fn a_full_disk_is_told_and_the_others_are_served_when_there_is_room() {
    if !is_root() {
        return;
    }
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let folder = node.installed();
    fs::create_dir_all(&folder).unwrap();
    let fill = format!(
        "mount -t tmpfs -o size=64k none '{0}'; dd if=/dev/zero of='{0}/filler' bs=4k 2>/dev/null || true",
        folder.display()
    );
    let mut daemon = behind(&node, &fill);
    daemon.until("it is told", || node.says("web").contains("there is no space left for"));
    let inside = within(&daemon, &folder);
    assert_eq!(crate::support::files(&inside), ["filler"], "nothing half-written is left");
    fs::remove_file(inside.join("filler")).unwrap();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    assert!(inside.join("web.json").is_file());
}

#[test]
fn a_full_disk_for_statuses_keeps_no_profile_from_being_installed() {
    if !is_root() {
        return;
    }
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let statuses = node.path("status");
    fs::create_dir(&statuses).unwrap();
    let fill = format!(
        "mount -t tmpfs -o size=16k none '{0}'; dd if=/dev/zero of='{0}/filler' bs=4k 2>/dev/null || true",
        statuses.display()
    );
    let mut daemon = behind(&node, &fill);
    daemon.until("it is installed", || node.content("web") == permitting("read"));
    let log = node.path("log");
    daemon
        .until("it is told", || fs::read_to_string(&log).unwrap().contains("1 statuses are not written: cannot write"));
    fs::remove_file(within(&daemon, &statuses).join("filler")).unwrap();
    node.write("db.yaml", permits("db", "read"));
    let both = ["seccompprofile-db.yaml", "seccompprofile-web.yaml"];
    let inside = within(&daemon, &statuses);
    daemon.until("both statuses are written", || crate::support::names(&inside) == both);
}
