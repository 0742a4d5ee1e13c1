//! Processes that exist before they are recorded: their threads, and their children from before their exec.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use rustix::process::Pid;
use spo_api::syscalls::Abi;
use spo_recorder::bpf::{RecordError, Recorder, Request, Waited};
use spo_recorder::{Loss, Losses, Observation};

use crate::needs_recording;
use crate::subject::Subject;

/// A program that goes on when it is told to, line by line.
pub(crate) struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    /// A shell that does `what` after its first line of input, with its own exec over.
    pub(crate) fn start(what: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("echo ready; read first; {what}")]);
        Self::of(shell)
    }

    /// A program that says `ready`.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut shell = Self { child, input, output };
        assert_eq!(shell.hear(), "ready");
        shell
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Gives it no more to read, and waits for its end.
    pub(crate) fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

fn called(seen: &Observation, name: &str) -> bool {
    let number = Abi::native().number(name).unwrap();
    seen.syscalls.get(&Abi::native()).is_some_and(|calls| calls.contains(&number))
}

#[test]
fn a_process_is_followed_whichever_of_its_threads_forks_or_executes() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let mut program = Shell::of(Command::new(Subject::build(dir.path(), "thread_execs", &[]).path()));
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let slot = match recorder.follow(program.pid()) {
        Err(RecordError::Threads { .. }) => {
            println!("skipped: needs Linux 6.9 to mark single threads");
            return;
        }
        slot => slot.unwrap(),
    };
    program.tell("go");
    assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
    let seen = recorder.take(slot).unwrap();
    assert!(called(&seen, "getsid"), "what a child of the second thread executed");
    assert!(called(&seen, "times"), "what the second thread executed");
    assert_eq!(seen.losses, Losses::default());
    program.end();
}

#[test]
fn a_tree_is_not_over_while_its_first_process_is_yet_to_execute_something() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "at_exit", &[]);
    let mut shell = Shell::start(&format!("/bin/true; echo did; read go; exec {}", subject.path().display()));
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let slot = recorder.follow(shell.pid()).unwrap();
    shell.tell("first");
    assert_eq!(shell.hear(), "did");
    let now = || Some(Instant::now());
    assert_eq!(recorder.next(now()).unwrap(), None);
    assert_eq!(recorder.wait_tree(slot, now()).unwrap(), Waited::Deadline { tasks: 1 });
    shell.tell("go");
    assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
    let seen = recorder.take(slot).unwrap();
    assert!(called(&seen, "getpriority") && seen.losses == Losses::default());
    shell.end();
}

#[test]
fn children_of_a_process_that_was_taken_before_its_exec_count_as_running_and_enter_no_later_recording() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "at_exit", &[]);
    let child = format!("(read go <&3; exec {})", subject.path().display());
    let mut shell = Shell::start(&format!("exec 3<&0; {child} & echo forked; wait"));
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let slot = recorder.follow(shell.pid()).unwrap();
    shell.tell("first");
    assert_eq!(shell.hear(), "forked");
    let taken = recorder.take(slot).unwrap();
    assert_eq!((taken.syscalls.len(), taken.losses.count(Loss::StillRunning)), (0, 2));
    // Every slot in turn, so that one of these is the same.
    let mut later: Vec<_> = (0..16).map(|_| Shell::start("true")).collect();
    let slots: Vec<_> = later.iter().map(|shell| recorder.follow(shell.pid()).unwrap()).collect();
    shell.tell("go");
    shell.end();
    later.iter_mut().for_each(|shell| shell.tell("first"));
    later.into_iter().for_each(Shell::end);
    for slot in slots {
        assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
        assert!(recorder.take(slot).unwrap().syscalls.is_empty());
    }
}
