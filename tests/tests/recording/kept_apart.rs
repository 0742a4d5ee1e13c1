//! Recordings that follow each other in one slot: what outlives the one before is no part of the next.

use std::fs;
use std::process::{Command, Stdio};

use spo_api::syscalls::Abi;
use spo_recorder::bpf::{Recorder, Request, Waited};
use spo_recorder::{Loss, Observation};

use crate::follow::Shell;
use crate::needs_recording;
use crate::subject::Subject;

fn called(seen: &Observation, name: &str) -> bool {
    seen.syscalls[&Abi::native()].contains(&Abi::native().number(name).unwrap())
}

#[test]
fn a_tree_that_is_taken_while_it_runs_leaves_its_place_free_and_nothing_of_it_comes_later() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    // It goes on when its input is closed.
    let waiting = |what: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("read go; {what}")]).stdin(Stdio::piped());
        shell
    };
    // More than there are places.
    let mut outlive = Vec::new();
    for _ in 0..17 {
        let (child, slot) = recorder.spawn(waiting("umask 077")).unwrap();
        assert!(recorder.take(slot).unwrap().losses.count(Loss::StillRunning) > 0);
        assert!(!recorder.is_attached());
        outlive.push(child);
    }
    let later: Vec<_> = (0..16).map(|_| recorder.spawn(waiting("true")).unwrap()).collect();
    outlive.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    for (mut child, slot) in later {
        assert!(child.wait().unwrap().success());
        assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
        let seen = recorder.take(slot).unwrap();
        assert!(called(&seen, "exit_group") && !called(&seen, "umask"));
    }
}

#[test]
fn what_goes_on_after_its_recording_was_taken_can_be_chosen_again() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "at_exit", &[]);
    let shell = dir.path().join(format!("shell-{}", std::process::id()));
    fs::copy("/bin/sh", &shell).unwrap();
    let mut recorder = Recorder::start(&Request::executable()).unwrap();
    let first = recorder.follow_executable(shell.file_name().unwrap()).unwrap();
    let mut command = Command::new(&shell);
    command.args(["-c", &format!("echo ready; read go; exec {}", subject.path().display())]);
    let mut running = Shell::of(command);
    assert_eq!(recorder.take(first).unwrap().losses.count(Loss::StillRunning), 1);
    let second = recorder.follow_executable(subject.name().as_ref()).unwrap();
    running.tell("go");
    running.end();
    assert_eq!(recorder.wait_tree(second, None).unwrap(), Waited::Ended);
    let seen = recorder.take(second).unwrap();
    assert!(called(&seen, "getpriority") && seen.losses.is_empty());
}
