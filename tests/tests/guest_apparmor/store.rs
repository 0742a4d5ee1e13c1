//! What is loaded and on the disk, what is left alone, and what is told where something is in the way.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;
use spo_lsm::host::{AppArmorHost, Change, Content, Host, Step};
use spo_tests::guest::{Guest, said, text};

use crate::node::{apply, done, holds, loaded, profile, remove};

const FOLDER: &str = "/etc/apparmor.d";

fn simple(name: &str) -> Step {
    profile(name, json!({"abstract": {"filesystem": {"readOnlyPaths": ["/etc/**"]}}}))
}

#[test]
fn w_nd_10_what_did_not_change_is_not_loaded_again() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let step = simple("same");
    assert_eq!(done(std::slice::from_ref(&step)), [Change::Written]);
    let written = fs::metadata(format!("{FOLDER}/same")).expect("it is there");
    assert_eq!(done(std::slice::from_ref(&step)), [Change::Unchanged]);
    assert_eq!(fs::metadata(format!("{FOLDER}/same")).expect("it is there").ino(), written.ino());
    // What is as it should be needs no parser.
    let parser = "/usr/sbin/apparmor_parser";
    fs::rename(parser, "/usr/sbin/hidden").expect("it can be hidden");
    let again = apply(std::slice::from_ref(&step));
    let other = apply(&[simple("no-parser")]);
    fs::rename("/usr/sbin/hidden", parser).expect("it can be brought back");
    assert_eq!(again, [Ok(Change::Unchanged)]);
    assert!(other[0].as_ref().is_err_and(|error| error.contains("has no apparmor_parser")), "{other:?}");
    assert_eq!(loaded("no-parser"), None);
    assert_eq!(done(&[remove("same"), remove("same")]), [Change::Removed, Change::Absent]);
}

#[test]
fn w_nd_8_a_foreign_profile_is_never_replaced_and_never_removed() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let foreign = "profile foreign flags=(complain) {\n}\n";
    fs::write(format!("{FOLDER}/foreign"), foreign).expect("a file can be written");
    said("apparmor_parser", ["--replace", &format!("{FOLDER}/foreign")]);
    let refused = apply(&[simple("foreign"), simple("beside"), remove("foreign")]);
    for result in [&refused[0], &refused[2]] {
        assert!(
            result.as_ref().is_err_and(|error| error.starts_with("foreign is a profile of the host")),
            "{refused:?}"
        );
    }
    assert_eq!(refused[1], Ok(Change::Written), "the other is served");
    assert_eq!(loaded("foreign").as_deref(), Some("foreign (complain)"));
    assert_eq!(fs::read_to_string(format!("{FOLDER}/foreign")).expect("it is there"), foreign);
    // The same where only the kernel has it, also in a mode that none of ours has.
    for mode in ["complain", "kill"] {
        fs::write(format!("{FOLDER}/foreign"), foreign.replace("complain", mode)).expect("a file can be written");
        said("apparmor_parser", ["--replace", &format!("{FOLDER}/foreign")]);
        fs::remove_file(format!("{FOLDER}/foreign")).expect("it can be removed");
        let refused = apply(&[simple("foreign")]);
        assert!(refused[0].as_ref().is_err_and(|error| error.contains("has no file of ours")), "{refused:?}");
        assert_eq!(loaded("foreign"), Some(format!("foreign ({mode})")));
    }
    fs::write("/sys/kernel/security/apparmor/.remove", "foreign").expect("it can be removed");
    done(&[remove("beside")]);
}

#[test]
fn a_profile_that_somebody_unloaded_or_changed_is_stale_and_mended() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let step = simple("mended");
    done(std::slice::from_ref(&step));
    assert!(holds(&step));
    fs::write("/sys/kernel/security/apparmor/.remove", "mended").expect("it can be removed");
    assert!(!holds(&step), "the kernel lacks it");
    assert_eq!(done(std::slice::from_ref(&step)), [Change::Written]);
    let path = format!("{FOLDER}/mended");
    let text = fs::read_to_string(&path).expect("it is there");
    fs::write(&path, text.replace("/etc/**", "/**")).expect("it can be changed");
    assert!(!holds(&step), "its file says something else");
    assert_eq!(done(std::slice::from_ref(&step)), [Change::Written]);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
    done(&[remove("mended")]);
}

/// What an installer leaves that is killed once the kernel has a profile, and before the profile's file has its name.
fn leave(step: &Step) {
    let Step::Install { artifact, .. } = step else { return };
    let boot: String =
        text("/proc/sys/kernel/random/boot_id").chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    let path = format!("{FOLDER}/.security-profiles-operator.{boot}.1.{}", artifact.file_name);
    fs::write(&path, &artifact.bytes).expect("a file can be written");
    said("apparmor_parser", ["--replace", "--skip-cache", &path]);
}

#[test]
fn a_profile_whose_installer_was_killed_before_its_file_had_its_name_is_removed_or_loaded() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let step = simple("cut-off");
    let there = || AppArmorHost::new().installed().expect("it can be listed").files;
    leave(&step);
    assert_eq!(there().get("cut-off"), Some(&Content::Stale));
    assert_eq!(done(&[remove("cut-off")]), [Change::Removed]);
    assert_eq!((loaded("cut-off"), there().get("cut-off")), (None, None));
    leave(&step);
    assert_eq!(done(std::slice::from_ref(&step)), [Change::Written]);
    assert!(holds(&step));
    // Where there is a file, its text may no longer be what the kernel has.
    leave(&profile("cut-off", json!({"abstract": {"filesystem": {"readOnlyPaths": ["/**"]}}})));
    assert!(!holds(&step));
    assert_eq!(done(std::slice::from_ref(&step)), [Change::Written]);
    assert!(holds(&step));
    // What was left, and never loaded or loaded before a reboot, is nothing.
    done(&[remove("cut-off")]);
    leave(&step);
    fs::write("/sys/kernel/security/apparmor/.remove", "cut-off").expect("it can be removed");
    assert_eq!(there().get("cut-off"), None);
    assert_eq!(staged(), 0);
}

/// How many files wait for their names, or were left.
fn staged() -> usize {
    let entries = fs::read_dir(FOLDER).expect("it can be listed").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".security")).count()
}

#[test]
fn one_that_does_not_compile_is_told_and_the_others_are_loaded() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    // A variable that no host defines is found out by the parser alone.
    let broken =
        profile("broken", json!({"abstract": {"filesystem": {"readOnlyPaths": ["/@{nobody_defines_this}/x"]}}}));
    let results = apply(&[simple("first"), broken, simple("last")]);
    assert_eq!([&results[0], &results[2]], [&Ok(Change::Written); 2], "{results:?}");
    let told = results[1].as_ref().expect_err("it does not compile");
    assert!(told.starts_with("apparmor_parser says: ") && told.contains("nobody_defines_this"), "{told}");
    assert!(!told.contains(".security-profiles-operator."), "{told}");
    assert_eq!(loaded("broken"), None);
    assert!(!fs::exists(format!("{FOLDER}/broken")).expect("it can be looked for"));
    assert_eq!(staged(), 0);
    done(&[remove("first"), remove("last")]);
}

#[test]
fn long_names_work_as_far_as_the_kernel_has_names_for_them() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    // The kernel shows each profile as a folder of its name, a dot and a number that grows: 255 bytes hold both.
    let name = |half: usize| format!("{}.{}", "n".repeat(half), "n".repeat(half));
    let step = simple(&name(120));
    done(std::slice::from_ref(&step));
    assert!(holds(&step));
    assert_eq!(loaded(&name(120)), Some(format!("{} (enforce)", name(120))));
    let longest = apply(&[simple(&name(126)), simple("beside-the-longest")]);
    let told = |error: &String| error.contains("name too long");
    assert!(longest[0].as_ref().map_or_else(told, |_| loaded(&name(126)).is_some()), "{longest:?}");
    assert_eq!(longest[1], Ok(Change::Written), "the other is served");
    done(&[remove(&name(120)), remove(&name(126)), remove("beside-the-longest")]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_and_nothing_is_loaded() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    said("mount", ["--bind", FOLDER, FOLDER]);
    said("mount", ["-o", "remount,bind,ro", FOLDER]);
    let told = apply(&[simple("read-only")]);
    said("umount", [FOLDER]);
    assert!(told[0].as_ref().is_err_and(|error| error.contains("read-only file system")), "{told:?}");
    assert_eq!(loaded("read-only"), None);
}

#[test]
fn a_full_disk_is_told_and_nothing_is_loaded() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    // The abstractions are kept, for the parser needs them.
    fs::create_dir_all("/run/small").expect("a folder can be made");
    said("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", "/run/small"]);
    said("cp", ["-a", &format!("{FOLDER}/."), "/run/small"]);
    said("mount", ["--bind", "/run/small", FOLDER]);
    // Whatever fits is taken.
    _ = std::process::Command::new("dd").args(["if=/dev/zero", &format!("of={FOLDER}/.full"), "bs=4k"]).output();
    let told = apply(&[simple("full")]);
    said("umount", [FOLDER, "/run/small"]);
    assert!(told[0].as_ref().is_err_and(|error| error.contains("no space left")), "{told:?}");
    assert_eq!(loaded("full"), None);
}

#[test]
fn what_is_to_be_there_after_a_reboot_is_installed() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    done(&[simple("over-reboot")]);
}
