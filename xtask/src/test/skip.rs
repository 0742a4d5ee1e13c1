//! Whether a skip is excused.
//!
//! On a person's machine every skip is fine: it is said, and counted apart. In continuous integration (`CI` is set) a test may only be
//! skipped for want of something that the machine really lacks, so the reason has to name it by one of the words below.

use std::path::Path;
use std::process::Command;

use super::libtest::{Report, Skip};
use crate::machine::{is_root, present};
use crate::run::root;

/// A word that reasons use, and whether the machine has what it names.
type Need = (&'static str, fn() -> bool);

const NEEDS: &[Need] = &[
    ("root", is_root),
    ("eBPF", || is_root() && Path::new(BTF).exists()),
    ("BTF", || Path::new(BTF).exists()),
    ("tracefs", || ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"].iter().any(|dir| present(dir))),
    ("AppArmor", || present("/sys/kernel/security/apparmor")),
    ("SELinux", || present("/sys/fs/selinux/enforce")),
    ("cgroup v2", || present("/sys/fs/cgroup/cgroup.controllers") || present("/sys/fs/cgroup/unified/cgroup.procs")),
    ("io_uring", || setting("/proc/sys/kernel/io_uring_disabled").is_none_or(|value| value == "0")),
    ("32-bit", || cfg!(target_arch = "x86_64")),
    ("x86_64", || cfg!(target_arch = "x86_64")),
    ("aarch64", || cfg!(target_arch = "aarch64")),
    // The tests' own kind of folder that even root may not write in.
    ("immutable", has_immutable_folders),
    ("seccomp", || present("/proc/sys/kernel/seccomp/actions_avail")),
    // What the specification was taken from is beside the repository where this project is worked on.
    ("shared", || root().join("../shared/reference").is_dir()),
    ("audit", || setting("/proc/self/loginuid").is_some()),
    // Started for the tests wherever this is run as root.
    ("cluster", is_root),
    // Installed for the tests wherever this is run as root.
    ("secilc", || is_root() || present("secilc")),
    ("apparmor_parser", || is_root() || present("apparmor_parser")),
    ("go", || present("go") || present("/usr/local/go/bin/go")),
];

const BTF: &str = "/sys/kernel/btf/vmlinux";

fn setting(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Whether a folder can be made in the temporary folder that nobody may write in.
fn has_immutable_folders() -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let set =
        |flag| Command::new("chattr").arg(flag).arg(folder.path()).output().is_ok_and(|output| output.status.success());
    let has = set("+i");
    // Or else the folder could not be removed.
    set("-i");
    has
}

/// In continuous integration, turns skips that nothing excuses into failures.
pub(super) fn judge(report: Report) -> Report {
    if std::env::var_os("CI").is_none() {
        return report;
    }
    strict(report, NEEDS)
}

/// As [`judge`], where nothing is missing: in a guest, which was made for its tests.
pub(super) fn judge_in_guest(report: Report) -> Report {
    if std::env::var_os("CI").is_none() {
        return report;
    }
    strict(report, &[])
}

fn strict(mut report: Report, needs: &[Need]) -> Report {
    let (excused, rest): (Vec<Skip>, Vec<Skip>) =
        report.skipped.into_iter().partition(|skip| is_excused(&skip.reason, needs));
    report.skipped = excused;
    let failed = rest.into_iter().map(|skip| {
        format!("{}: skipped, though nothing that its reason names is missing here: {}", skip.test, skip.reason)
    });
    report.failed.extend(failed);
    report
}

fn is_excused(reason: &str, needs: &[Need]) -> bool {
    needs.iter().any(|(word, has)| names(reason, word) && !has())
}

/// Whether a reason has a word, as a whole word.
fn names(reason: &str, word: &str) -> bool {
    let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    reason
        .match_indices(word)
        .any(|(at, _)| boundary(reason[..at].chars().next_back()) && boundary(reason[at + word.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &[Need] = &[("root", || true), ("AppArmor", || false)];

    #[test]
    fn what_the_machine_lacks_excuses_and_what_it_has_does_not() {
        assert!(is_excused("needs AppArmor", SOME));
        assert!(is_excused("needs root and AppArmor", SOME));
        assert!(!is_excused("needs root", SOME));
        assert!(!is_excused("did not feel like it", SOME));
    }

    #[test]
    fn each_reason_of_a_test_that_this_machine_cannot_run_is_excused_where_that_is_so() {
        let reason = "there are no immutable folders in the temporary folder for this user";
        assert_eq!(is_excused(reason, NEEDS), !has_immutable_folders());
        let reason = "no /some/where/../shared/reference/crds";
        assert_eq!(is_excused(reason, NEEDS), !root().join("../shared/reference").is_dir());
    }

    #[test]
    fn words_are_whole() {
        assert!(names("needs go.", "go"));
        assert!(!names("forgot", "go"));
    }

    #[test]
    fn an_unexcused_skip_becomes_a_failure_that_repeats_its_reason() {
        let skip = |reason: &str| Skip { test: "x: y".to_owned(), reason: reason.to_owned() };
        let report = Report { skipped: vec![skip("needs root"), skip("needs AppArmor")], ..Report::default() };
        let judged = strict(report, SOME);
        assert_eq!(judged.skipped, [skip("needs AppArmor")]);
        assert_eq!(judged.failed.len(), 1);
        assert!(judged.failed[0].ends_with("needs root"), "{}", judged.failed[0]);
    }
}
