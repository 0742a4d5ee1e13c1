//! Each program of `tests/recording`: nothing missed, nothing added.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use spo_api::seccomp::Arch;
use spo_recorder::bpf::{Recorder, Request, SlotId, Waited};
use spo_recorder::draft::{self, Draft};
use spo_recorder::{Losses, Observation};

use crate::needs_recording;
use crate::subject::Subject;
use crate::trace;

/// Long enough for anything here on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls that depend on who comes first: a thread waits only if the other holds what it wants, and what gave way to a signal may be
/// restarted.
const BY_CHANCE: &[&str] = &["futex", "restart_syscall", "sched_yield"];

fn rounds() -> usize {
    std::env::var("RECORDING_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

/// Runs a program as often as asked, and compares.
fn check(name: &str, flags: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), name, flags);
    for round in 0..rounds() {
        let traced = traced(&subject, &dir.path().join("strace"));
        let missed: Vec<_> = traced.listed.difference(&traced.with_strace).collect();
        assert!(missed.is_empty(), "{name}, round {round}, tree of strace: missed {missed:?}");
        compare(&format!("{name}, round {round}, under strace"), &traced.alone, &traced.listed, &[]);
        let plain = names(&tree(subject.command()));
        compare(&format!("{name}, round {round}, without strace"), &plain, &traced.listed, BY_CHANCE);
    }
}

fn compare(what: &str, recorded: &BTreeSet<String>, listed: &BTreeSet<String>, may_differ: &[&str]) {
    let certain = |set: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        set.difference(other).filter(|name| !may_differ.contains(&name.as_str())).cloned().collect()
    };
    let (missed, added) = (certain(listed, recorded), certain(recorded, listed));
    assert!(missed.is_empty() && added.is_empty(), "{what}: missed {missed:?}, added {added:?}");
}

/// One run under strace.
struct Traced {
    /// What strace lists.
    listed: BTreeSet<String>,
    /// What was recorded of the tree that strace began.
    with_strace: BTreeSet<String>,
    /// What was recorded of the program alone.
    alone: BTreeSet<String>,
}

fn traced(subject: &Subject, log: &Path) -> Traced {
    let mut by_name = Recorder::start(&Request::executable()).unwrap();
    let program = by_name.follow_executable(subject.name().as_ref()).unwrap();
    let with_strace = names(&tree(subject.traced(log)));
    let alone = names(&finish(&mut by_name, program));
    Traced { listed: trace::calls(log), with_strace, alone }
}

/// Records a command and everything that it starts.
pub(crate) fn tree(command: Command) -> Observation {
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let (mut child, slot) = recorder.spawn(command).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    finish(&mut recorder, slot)
}

fn finish(recorder: &mut Recorder, slot: SlotId) -> Observation {
    let ended = recorder.wait_tree(slot, Some(Instant::now() + PATIENCE)).unwrap();
    assert_eq!(ended, Waited::Ended);
    let seen = recorder.take(slot).unwrap();
    assert_eq!(seen.losses, Losses::default());
    seen
}

pub(crate) fn names(seen: &Observation) -> BTreeSet<String> {
    let (spec, completeness) = draft::seccomp(seen, &Draft::default());
    completeness.require_known().unwrap();
    spec.syscalls.unwrap_or_default().into_iter().flat_map(|entry| entry.names).collect()
}

#[test]
fn w_x_13_threads_that_name_themselves_are_recorded_whole() {
    needs_recording!();
    check("threads", &[]);
}

#[test]
fn two_hundred_children_at_once_are_recorded_whole() {
    needs_recording!();
    check("fork_storm", &[]);
}

#[test]
fn a_chain_of_execs_is_recorded_whole() {
    needs_recording!();
    check("exec_chain", &[]);
}

#[test]
fn a_vforked_child_is_recorded_before_and_after_its_exec() {
    needs_recording!();
    check("vfork", &[]);
}

#[test]
fn children_by_clone3_are_recorded_from_their_first_instruction() {
    needs_recording!();
    check("clone3", &[]);
}

#[test]
fn a_static_program_that_lives_under_five_milliseconds_is_recorded_exactly() {
    needs_recording!();
    check("tiny", TINY);
}

/// Without libc, and without a loader.
pub(crate) const TINY: &[&str] = &["-static", "-nostdlib", "-fno-stack-protector"];

#[test]
fn calls_that_are_made_only_at_the_exit_are_recorded() {
    needs_recording!();
    check("at_exit", &[]);
}

#[test]
fn w_x_12_a_grandchild_that_outlives_its_parents_is_waited_for() {
    needs_recording!();
    check("orphan", &[]);
}

#[test]
fn w_x_11_a_program_that_leaves_its_mount_namespace_is_recorded_whole() {
    needs_recording!();
    check("unshare", &[]);
}

#[test]
fn w_x_11_what_unshare_starts_is_recorded_whole() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "at_exit", &[]);
    let mut unshare = Command::new("unshare");
    unshare.arg("-m").arg(subject.path());
    let (inside, plain) = (names(&tree(unshare)), names(&tree(subject.command())));
    assert!(inside.contains("unshare"));
    let missed: Vec<_> = plain.difference(&inside).collect();
    assert!(missed.is_empty(), "missed {missed:?}");
}

#[test]
fn a_program_that_lets_the_kernel_work_for_it_by_io_uring_is_recorded_whole() {
    needs_recording!();
    if std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").is_ok_and(|value| value.trim() != "0") {
        println!("skipped: needs io_uring, which is disabled here");
        return;
    }
    check("io_uring", &[]);
}

#[test]
fn a_shell_with_a_pipeline_is_recorded_whole() {
    needs_recording!();
    check("pipeline", &[]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn w_x_14_a_32_bit_program_is_recorded_by_its_own_numbers() {
    needs_recording!();
    check("bits32", &["-m32"]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn w_x_14_32_bit_calls_of_a_64_bit_program_are_told_from_its_own() {
    needs_recording!();
    check("int80", &[]);
    let dir = tempfile::tempdir().unwrap();
    let seen = tree(Subject::build(dir.path(), "int80", &[]).command());
    let names = names(&seen);
    assert!(names.contains("getpid") && !names.contains("writev"), "20 is getpid by 32-bit numbers: {names:?}");
    let (spec, _) = draft::seccomp(&seen, &Draft::default());
    assert_eq!(spec.architectures, Some(vec![Arch::X86_64, Arch::X86]));
}
