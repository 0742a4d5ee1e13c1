//! What a recorder cannot see, or may miss: it says so.

use std::io::{Read, Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use spo_api::syscalls::Abi;
use spo_recorder::bpf::{Recorder, Request, Waited};
use spo_recorder::draft::{self, Draft};
use spo_recorder::{Loss, Losses, Observation};

use crate::follow::Shell;
use crate::needs_recording;
use crate::programs::{names, tree};
use crate::subject::Subject;
use crate::sys::hold_before_exec;

fn record(mut recorder: Recorder, command: Command) -> Observation {
    let (mut child, slot) = recorder.spawn(command).unwrap();
    child.wait().unwrap();
    assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
    recorder.take(slot).unwrap()
}

fn called(seen: &Observation, name: &str) -> bool {
    seen.syscalls[&Abi::native()].contains(&Abi::native().number(name).unwrap())
}

#[test]
fn calls_that_a_filter_of_the_program_itself_refuses_are_not_seen_and_that_is_said() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "filter", &[]);
    let mut command = subject.command();
    command.arg("refuse");
    let seen = tree(command);
    assert!(called(&seen, "exit_group") && !called(&seen, "getpriority"));
    let (_, completeness) = draft::seccomp(&seen, &Draft::default());
    assert!(completeness.is_filtered() && completeness.is_complete(), "{completeness}");
}

#[test]
fn a_filter_that_lets_no_call_through_is_noticed_when_its_victim_ends() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "filter", &[]);
    let mut command = subject.command();
    command.arg("kill");
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let (mut child, slot) = recorder.spawn(command).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(31), "SIGSYS");
    assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
    assert!(recorder.take(slot).unwrap().filtered);
}

#[test]
fn a_filter_from_before_the_exec_is_noticed_and_one_that_others_are_under_is_not() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let (filter, inner) = (Subject::build(dir.path(), "filter", &[]), Subject::build(dir.path(), "at_exit", &[]));
    let mut by_name = Recorder::start(&Request::executable()).unwrap();
    for confined in [true, false] {
        let slot = by_name.follow_executable(inner.name().as_ref()).unwrap();
        let mut command = if confined { filter.command() } else { inner.command() };
        if confined {
            command.arg(inner.path());
        }
        assert!(command.status().unwrap().success());
        assert!(filter.command().arg("refuse").status().unwrap().success());
        assert_eq!(by_name.wait_tree(slot, None).unwrap(), Waited::Ended);
        let seen = by_name.take(slot).unwrap();
        assert_eq!((seen.filtered, called(&seen, "getpriority")), (confined, !confined));
    }
}

#[test]
fn what_is_lost_between_the_start_of_a_command_and_its_exec_is_told_with_the_command() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    // A tree that ends again and again is more than the ring of a recorder holds that nobody reads.
    let mut noise =
        Shell::start("for i in 1 2 3; do for j in $(seq 100); do /bin/true; done; done; echo made; read end; true");
    let other = recorder.follow(noise.pid()).unwrap();
    let ((mut ready, say_ready), (go, mut say_go)) = (pipe().unwrap(), pipe().unwrap());
    let mut command = Command::new("true");
    hold_before_exec(&mut command, say_ready, go);
    let making = std::thread::spawn(move || {
        ready.read_exact(&mut [0]).unwrap();
        noise.tell("go");
        assert_eq!(noise.hear(), "made");
        say_go.write_all(&[0]).unwrap();
        noise
    });
    let (mut child, slot) = recorder.spawn(command).unwrap();
    child.wait().unwrap();
    let noise = making.join().unwrap();
    let seen = recorder.take(slot).unwrap();
    // The end of the command itself is one.
    assert!(seen.losses.count(Loss::DroppedNotifications) > 50, "{:?}", seen.losses);
    noise.end();
    recorder.take(other).unwrap();
}

#[test]
fn asking_the_kernel_whether_it_refused_to_look_changes_nothing_else() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "fork_storm", &[]);
    let asking = record(Recorder::start(&Request::tree().count_refused_lookups()).unwrap(), subject.command());
    assert_eq!((names(&asking), asking.losses), (names(&tree(subject.command())), Losses::default()));
}
