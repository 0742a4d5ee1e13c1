//! The policy store of the host: changed at once, shared with others, damaged, locked, full.

use std::fs::{self, File};
use std::process::Command;

use serde_json::json;
use spo_lsm::host::{Change, Host, Step};
use spo_tests::guest::{Guest, said};

use crate::node::{Node, bad, is_ours, is_type, loads, priorities, profile, raw, remove, store};

fn some(name: &str) -> Step {
    profile(name, json!({"allow": {"var_log_t": {"file": ["read", "open"]}}}))
}

/// A module in the guest's store that somebody else installs, from a file of its name.
fn foreign(name: &str, priority: u16, text: &str) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join(format!("{name}.cil"));
    fs::write(&file, text).expect("a file can be written");
    said("semodule", ["-X".as_ref(), priority.to_string().as_ref(), "-i".as_ref(), file.as_os_str()]);
}

#[test]
fn w_nd_13_all_that_is_pending_is_one_load_of_the_policy() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let names: Vec<String> = (0..20).map(|n| format!("many-{n}")).collect();
    let (before, steps) = (loads(), names.iter().map(|name| some(name)).collect::<Vec<_>>());
    assert_eq!(node.done(&steps), vec![Change::Written; 20]);
    assert_eq!(loads() - before, 1);
    assert!(names.iter().all(|name| is_type(name)));
    // What changes goes together with what is removed.
    let (before, mut steps) = (loads(), names.iter().map(|name| remove(name)).collect::<Vec<_>>());
    steps[7] = profile("many-7", json!({"mode": "Permissive"}));
    let changes = node.done(&steps);
    assert_eq!((changes[7], changes[8], loads() - before), (Change::Written, Change::Removed, 1));
    assert_eq!(names.iter().filter(|name| node.has(name)).count(), 1);
    node.remove_all(&["many-7"]);
}

#[test]
fn w_nd_15_what_is_as_it_should_be_costs_nothing_and_is_told_as_unchanged() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&[some("same")]);
    let before = loads();
    assert_eq!(node.done(&[some("same")]), [Change::Unchanged]);
    assert_eq!(Node::default().done(&[some("same")]), [Change::Unchanged], "another process finds it in the store");
    assert_eq!(loads(), before);
    node.remove_all(&["same"]);
}

/// A `semodule` as before release 3.4 of the SELinux tools: the host's own, behind a script that does not know `--checksum`.
#[test]
fn an_older_tool_that_tells_no_checksums_will_do() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let (tool, real, older) = ("/usr/sbin/semodule", "/var/lib/semodule.real", "/var/lib/semodule.older");
    fs::copy(tool, real).expect("it can be copied");
    let script = format!(
        "#!/bin/bash\nfor word; do [ \"$word\" = --checksum ] && {{ echo \"semodule: unrecognized option '$word'\" >&2; exit 1; }}; done\nexec {real} \"$@\"\n"
    );
    fs::write(older, script).expect("it can be written");
    said("chmod", ["755", real, older]);
    said("mount", ["--bind", older, tool]);
    let first = Node::default();
    let results = older_tool(first);
    said("umount", [tool]);
    assert_eq!(results, [Change::Written, Change::Unchanged, Change::Written, Change::Removed].map(Ok));
}

/// A profile installed, installed again, installed by another process, and removed.
fn older_tool(mut node: Node) -> Vec<Result<Change, String>> {
    let step = [some("old")];
    let mut results = node.apply(&step);
    results.extend(node.apply(&step));
    let mut other = Node::default();
    assert!(!other.holds(&step[0]) && other.has("old"), "what is in it is not known");
    results.extend(other.apply(&step));
    assert!(other.holds(&step[0]));
    results.extend(other.apply(&[remove("old")]));
    results
}

#[test]
fn w_x_9_one_that_does_not_compile_is_left_out_and_told_and_its_batch_goes_on() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let unreadable =
        raw("unreadable", "(blockinherit container)\n(allow process var_log_t (file (no_such_permission)))");
    let before = loads();
    let results = node.apply(&[some("first"), bad("broken"), some("second"), unreadable, some("third")]);
    assert_eq!([&results[0], &results[2], &results[4]], [&Ok(Change::Written); 3]);
    assert_eq!(results[1].clone().unwrap_err(), "semodule says: Failed to resolve allow statement at line 3 of broken");
    let reason = results[3].clone().unwrap_err();
    assert!(reason.contains("no_such_permission") && reason.contains("line 3 of unreadable"), "{reason}");
    assert_eq!(loads() - before, 1);
    assert_eq!(["first", "broken", "second", "unreadable", "third"].map(is_type), [true, false, true, false, true]);
    // Neither is tried again as it is: the store is not even opened for writing.
    let opened = fs::metadata(store().join("active")).and_then(|active| active.modified()).expect("the store is there");
    let again = node.apply(&[bad("broken"), some("first")]);
    assert_eq!((again[0].as_ref().unwrap_err(), &again[1]), (results[1].as_ref().unwrap_err(), &Ok(Change::Unchanged)));
    let still = fs::metadata(store().join("active")).and_then(|active| active.modified()).expect("the store is there");
    assert_eq!(opened, still);
    // Mended, it is installed.
    assert_eq!(node.done(&[some("broken")]), [Change::Written]);
    node.remove_all(&["first", "second", "third", "broken"]);
}

#[test]
fn a_module_of_others_is_neither_replaced_nor_removed() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let text = "(block theirs\n    (type process)\n    (roletype system_r process)\n    (typeattributeset domain (process))\n)\n";
    foreign("theirs", 400, text);
    let results = node.apply(&[some("theirs"), some("ours")]);
    let reason = results[0].clone().unwrap_err();
    assert!(reason.starts_with("theirs is a profile of the host (a policy module at priority 400)"), "{reason}");
    assert_eq!(results[1], Ok(Change::Written));
    assert_eq!(node.done(&[remove("theirs"), remove("ours")]), [Change::Absent, Change::Removed]);
    assert_eq!(priorities("theirs"), [400]);
    assert!(is_type("theirs"));
    // One that comes later than ours is above it, and that is told.
    said("semodule", ["-X", "400", "-r", "theirs"]);
    node.done(&[some("theirs")]);
    foreign("theirs", 400, text);
    assert!(!node.holds(&some("theirs")));
    assert!(node.apply(&[some("theirs")])[0].clone().unwrap_err().starts_with("theirs is a profile of the host"));
    node.remove_all(&["theirs"]);
    said("semodule", ["-X", "400", "-r", "theirs"]);
}

#[test]
fn what_the_reference_left_is_taken_over_in_one_load() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&[some("templates-are-there")]);
    foreign("left", 350, "(block left\n(blockinherit container)\n(allow process var_log_t ( file ( read )))\n)\n");
    foreign("left-raw", 400, "(block left-raw_\n    (blockinherit container)\n)\n");
    assert!(!node.has("left"));
    let before = loads();
    assert_eq!(node.done(&[some("left"), raw("left-raw", "(blockinherit container)")]), [Change::Written; 2]);
    assert_eq!(loads() - before, 1);
    assert!(is_ours("left") && is_ours("left-raw") && is_type("left") && is_type("left-raw"));
    node.remove_all(&["left", "left-raw", "templates-are-there"]);
}

#[test]
fn what_was_damaged_in_the_store_is_found_and_mended() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let names = ["emptied", "garbled", "nameless", "lost", "well"];
    let steps = names.map(some);
    node.done(&steps);
    let modules = store().join("active/modules/370");
    fs::write(modules.join("emptied/cil"), "").expect("it can be damaged");
    fs::write(modules.join("garbled/cil"), "garbage").expect("it can be damaged");
    fs::remove_file(modules.join("nameless/lang_ext")).expect("it can be damaged");
    fs::remove_dir_all(modules.join("lost")).expect("it can be damaged");
    assert_eq!(steps.each_ref().map(|step| node.holds(step)), [false, false, false, false, true]);
    assert!(["emptied", "garbled", "nameless"].iter().all(|name| is_type(name)), "their containers go on");
    let mended = node.done(&steps);
    assert_eq!(mended[..4], [Change::Written; 4]);
    assert!(steps.iter().all(|step| node.holds(step)) && names.iter().all(|name| is_type(name)));
    node.remove_all(&names);
}

#[test]
fn damage_to_other_modules_of_ours_keeps_none_from_being_installed() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&["hurt-0", "hurt-1"].map(some));
    for name in ["hurt-0", "hurt-1"] {
        fs::write(store().join("active/modules/370").join(name).join("cil"), "garbage").expect("it can be damaged");
    }
    assert_eq!(node.done(&[some("healthy")]), [Change::Written]);
    assert_eq!(node.done(&["hurt-0", "hurt-1"].map(some)), [Change::Written; 2]);
    // Damage to what is the host's own is for its administrator, and no reason to change anything.
    let theirs = store().join("active/modules/100/shim/cil");
    let text = fs::read(&theirs).expect("it can be read");
    fs::write(&theirs, "garbage").expect("it can be damaged");
    let reason = node.apply(&[some("later")])[0].clone().unwrap_err();
    fs::write(&theirs, text).expect("it can be mended");
    assert!(reason.contains("the host's own policy does not build, because of its module shim"), "{reason}");
    assert_eq!(node.done(&[some("later")]), [Change::Written]);
    node.remove_all(&["hurt-0", "hurt-1", "healthy", "later"]);
}

#[test]
fn a_policy_that_others_loaded_without_ours_is_noticed_and_mended() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let folder = node.0.changes_in().expect("the host has a policy");
    let policy = fs::read_dir(&folder).expect("it is a folder").next().expect("it has a file").expect("a file").path();
    let older = fs::read(&policy).expect("it can be read");
    node.done(&[some("unloaded")]);
    assert!(node.holds(&some("unloaded")));
    fs::write(&policy, older).expect("it can be written");
    said("load_policy", [""; 0]);
    assert!(!is_type("unloaded") && is_ours("unloaded"));
    assert!(!node.holds(&some("unloaded")));
    assert_eq!(node.done(&[some("unloaded")]), [Change::Unchanged]);
    assert!(is_type("unloaded") && node.holds(&some("unloaded")));
    node.remove_all(&["unloaded"]);
}

#[test]
fn one_that_was_switched_off_is_told() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&[some("off")]);
    said("semodule", ["-d", "off"]);
    assert!(!node.holds(&some("off")));
    let reason = node.apply(&[some("off")])[0].clone().unwrap_err();
    assert!(reason.contains("switch it on by `semodule -e off`"), "{reason}");
    said("semodule", ["-e", "off"]);
    assert_eq!(node.done(&[some("off")]), [Change::Unchanged]);
    node.remove_all(&["off"]);
}

#[test]
fn a_store_that_another_program_changes_is_told_and_tried_again() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let lock = File::open(store().join("semanage.trans.LOCK")).expect("the store has a lock");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("it can be locked");
    let outcome = node.0.apply(&[some("waiting")]).remove(0);
    let error = outcome.result.unwrap_err();
    assert!(error.to_string().contains("another program is changing the host's policy") && error.may_pass(), "{error}");
    drop(lock);
    assert_eq!(node.done(&[some("waiting")]), [Change::Written]);
    node.remove_all(&["waiting"]);
}

#[test]
fn a_read_only_store_and_a_full_disk_are_told() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&[some("before")]);
    said("mount", ["-o", "remount,ro", "/"]);
    let read_only = node.apply(&[some("late"), some("before")]);
    said("mount", ["-o", "remount,rw", "/"]);
    assert!(read_only[0].clone().unwrap_err().contains("is on a read-only file system"), "{read_only:?}");
    assert_eq!(read_only[1], Ok(Change::Unchanged));
    let filled = fill("/var/lib/filled");
    let full = node.apply(&[some("late"), some("before")]);
    fs::remove_file("/var/lib/filled").expect("it can be removed");
    assert!(filled && full[0].clone().unwrap_err().contains("there is no space left"), "{full:?}");
    assert_eq!(full[1], Ok(Change::Unchanged));
    assert_eq!(node.done(&[some("late")]), [Change::Written]);
    node.remove_all(&["before", "late"]);
}

/// Fills the disk by a file; whether it is full.
fn fill(path: &str) -> bool {
    let mut file = File::create(path).expect("a file can be made");
    [1 << 20, 1 << 10, 1].iter().all(|bytes| {
        let block = vec![b'x'; *bytes];
        std::iter::repeat(()).map_while(|()| std::io::Write::write(&mut file, &block).ok()).count();
        true
    })
}

#[test]
fn raw_policies_of_half_a_megabyte_are_installed() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let policy = |what: &str| {
        let rule = format!("(allow process var_log_t (file ({what} open getattr)))\n");
        format!("(blockinherit container)\n{}", rule.repeat(490_000 / rule.len()))
    };
    let steps = [raw("large-0", policy("read")), raw("large-1", policy("write"))];
    assert_eq!(node.done(&steps), [Change::Written; 2]);
    assert!(is_ours("large-0") && is_type("large-0") && is_type("large-1"));
    assert_eq!(node.done(&steps), [Change::Unchanged; 2]);
    node.remove_all(&["large-0", "large-1"]);
}

#[test]
fn the_longest_name_is_installed() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let (mut node, name) = (Node::default(), "w".repeat(251));
    assert_eq!(node.done(&[some(&name)]), [Change::Written]);
    assert!(is_ours(&name) && is_type(&name) && node.holds(&some(&name)));
    node.remove_all(&[&name]);
}

/// As when the machine, or whoever started it, fails while the store is changed.
#[test]
fn a_transaction_that_was_killed_is_in_nobodys_way() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    node.done(&[some("before-the-kill")]);
    let mut build = Command::new("semodule").arg("-B").spawn().expect("it can be started");
    // Its sandbox is there while it builds.
    while !store().join("tmp").exists() {
        assert!(build.try_wait().expect("it can be waited for").is_none(), "it ended before it could be killed");
        std::thread::yield_now();
    }
    build.kill().and_then(|()| build.wait()).expect("it can be killed");
    assert!(node.holds(&some("before-the-kill")));
    assert_eq!(node.done(&[some("after-the-kill"), remove("before-the-kill")]), [Change::Written, Change::Removed]);
    node.remove_all(&["after-the-kill"]);
}

#[test]
fn a_raw_profile_without_a_type_for_containers_is_installed_too() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let step = raw("typeless", "(type lonely)\n(allow lonely self (file (read)))");
    assert_eq!(node.done(std::slice::from_ref(&step)), [Change::Written]);
    assert!(node.holds(&step));
    assert_eq!(node.done(&[step]), [Change::Unchanged]);
    node.remove_all(&["typeless"]);
}

#[test]
fn templates_of_the_host_are_left_alone() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let mut node = Node::default();
    let theirs =
        "(block container\n(type process)\n(roletype system_r process)\n(typeattributeset domain (process))\n)\n";
    node.done(&[some("template-user")]);
    foreign("base_container", 400, theirs);
    assert_eq!(node.done(&[profile("other-user", json!({}))]), [Change::Written]);
    assert_eq!(priorities("base_container"), [400, 90]);
    assert!(node.holds(&some("template-user")));
    node.remove_all(&["template-user", "other-user"]);
    said("semodule", ["-X", "400", "-r", "base_container"]);
}

/// For `guest_selinux_after_reboot`.
#[test]
fn what_is_there_after_the_reboot_is_installed() {
    let Some(_guest) = Guest::entered("selinux") else { return };
    let steps = [some("rebooted"), raw("rebooted-raw", "(blockinherit container)")];
    assert_eq!(Node::default().done(&steps), [Change::Written; 2]);
}
