//! What the recorder promises beside the calls: what it loads, attaches, waits for and says.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use spo_api::syscalls::Abi;
use spo_recorder::Loss;
use spo_recorder::bpf::{Notice, RecordError, Recorder, Request, SpawnError, StartError, Waited};

use crate::needs_recording;
use crate::subject::Subject;

/// How many descriptors of this process are of a kind.
fn open(kind: &str) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let targets = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().replace('_', "-").ends_with(kind)).count()
}

#[test]
fn w_x_21_nothing_is_attached_while_nothing_is_recorded() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    assert_eq!((recorder.is_attached(), open("bpf-link")), (false, 0));
    let (mut child, slot) = recorder.spawn(Command::new("true")).unwrap();
    assert!(recorder.is_attached() && open("bpf-link") > 0);
    child.wait().unwrap();
    recorder.wait_tree(slot, None).unwrap();
    recorder.take(slot).unwrap();
    assert_eq!((recorder.is_attached(), open("bpf-link")), (false, 0));
}

#[test]
fn w_x_18_only_the_programs_that_a_request_needs_are_loaded() {
    needs_recording!();
    let tree = Recorder::start(&Request::tree()).unwrap();
    assert_eq!(open("bpf-prog"), 4);
    drop(tree);
    assert_eq!((open("bpf-prog"), open("bpf-map")), (0, 0));
}

#[test]
fn w_x_15_locked_memory_is_not_asked_for() {
    needs_recording!();
    let before = getrlimit(Resource::Memlock);
    setrlimit(Resource::Memlock, Rlimit { current: Some(0), maximum: before.maximum }).unwrap();
    let started = Recorder::start(&Request::tree());
    setrlimit(Resource::Memlock, before).unwrap();
    started.unwrap();
}

#[test]
fn w_x_12_the_end_of_waiting_says_how_many_tasks_are_left_and_the_result_counts_them() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let mut command = Subject::build(dir.path(), "orphan", &[]).command();
    command.arg("1500");
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let (mut child, slot) = recorder.spawn(command).unwrap();
    child.wait().unwrap();
    let soon = Instant::now() + Duration::from_millis(100);
    assert_eq!(recorder.wait_tree(slot, Some(soon)).unwrap(), Waited::Deadline { tasks: 1 });
    let early = recorder.take(slot).unwrap();
    assert_eq!(early.losses.count(Loss::StillRunning), 1);
    let late = Abi::native().number("getpriority").unwrap();
    assert!(!early.syscalls[&Abi::native()].contains(&late));
}

#[test]
fn an_unrelated_process_of_the_same_name_is_not_recorded() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let (mut child, slot) = recorder.spawn(sleep("0.3")).unwrap();
    let number = |name| Abi::native().number(name).unwrap();
    // A shell that becomes another sleep: it has the name, makes other calls, and is no child of the first.
    let other = Command::new("sh").args(["-c", "umask 077; exec sleep 0.1"]).status().unwrap();
    assert!(other.success());
    child.wait().unwrap();
    recorder.wait_tree(slot, None).unwrap();
    let seen = recorder.take(slot).unwrap();
    let calls = &seen.syscalls[&Abi::native()];
    assert!(calls.contains(&number("clock_nanosleep")));
    assert!(!calls.contains(&number("umask")) && !calls.contains(&number("getppid")), "{calls:?}");
}

#[test]
fn a_process_that_waits_for_its_exec_is_followed_by_its_pid() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo ready; read go; umask 077; exec true"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    // Only then is its own exec over: it lets the parent go on shortly before.
    shell.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    let slot = recorder.follow(Pid::from_child(&shell)).unwrap();
    drop(shell.stdin.take());
    shell.wait().unwrap();
    assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
    let seen = recorder.take(slot).unwrap();
    let calls = &seen.syscalls[&Abi::native()];
    let number = |name| Abi::native().number(name).unwrap();
    assert!(calls.contains(&number("execve")) && calls.contains(&number("exit_group")));
    assert!(!calls.contains(&number("umask")), "what came before the exec is not part of it");
}

#[test]
fn a_process_that_ends_without_an_exec_is_not_waited_for() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo ready; read go"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    shell.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    let slot = recorder.follow(Pid::from_child(&shell)).unwrap();
    drop(shell.stdin.take());
    assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
    shell.wait().unwrap();
    assert!(recorder.take(slot).unwrap().syscalls.is_empty());
}

#[test]
fn a_command_that_runs_as_another_user_is_recorded() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let mut command = Command::new("true");
    command.uid(65534).gid(65534);
    let (mut child, slot) = recorder.spawn(command).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(recorder.wait_tree(slot, None).unwrap(), Waited::Ended);
    let seen = recorder.take(slot).unwrap();
    assert!(seen.syscalls[&Abi::native()].contains(&Abi::native().number("exit_group").unwrap()));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn numbers_that_are_no_calls_are_counted_and_x32_calls_are_known_by_their_bit() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let (mut child, slot) = recorder.spawn(Subject::build(dir.path(), "beyond", &[]).command()).unwrap();
    child.wait().unwrap();
    recorder.wait_tree(slot, None).unwrap();
    let seen = recorder.take(slot).unwrap();
    assert_eq!(seen.losses.count(Loss::NumbersOutOfRange), 2);
    let x32 = Abi::X32.number("getpid").unwrap();
    assert_eq!(seen.syscalls[&Abi::X32].iter().collect::<Vec<_>>(), [&x32]);
}

#[test]
fn several_trees_are_recorded_at_once_and_kept_apart() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "at_exit", &[]);
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let (mut a, first) = recorder.spawn(subject.command()).unwrap();
    let (mut b, second) = recorder.spawn(sleep("0.1")).unwrap();
    a.wait().unwrap();
    b.wait().unwrap();
    for slot in [first, second] {
        recorder.wait_tree(slot, None).unwrap();
    }
    let mark = Abi::native().number("getpriority").unwrap();
    assert!(recorder.take(first).unwrap().syscalls[&Abi::native()].contains(&mark));
    assert!(!recorder.take(second).unwrap().syscalls[&Abi::native()].contains(&mark));
    assert!(matches!(recorder.take(first), Err(RecordError::NoSuchSlot(_))));
}

#[test]
fn a_slot_is_used_again_and_begins_empty() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let nanosleep = Abi::native().number("clock_nanosleep").unwrap();
    for round in 0..20 {
        let command = if round == 0 { sleep("0.01") } else { Command::new("true") };
        let (mut child, slot) = recorder.spawn(command).unwrap();
        child.wait().unwrap();
        recorder.wait_tree(slot, None).unwrap();
        let seen = recorder.take(slot).unwrap();
        assert_eq!(seen.syscalls[&Abi::native()].contains(&nanosleep), round == 0, "round {round}");
    }
}

#[test]
fn a_command_that_cannot_be_started_is_named_and_leaves_nothing_attached() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::tree()).unwrap();
    let error = recorder.spawn(Command::new("/nowhere/at-all")).unwrap_err();
    assert!(matches!(&error, SpawnError::Command { program, .. } if program == "/nowhere/at-all"), "{error}");
    assert!(!recorder.is_attached());
}

#[test]
fn w_x_13_an_executable_is_chosen_by_its_file_and_its_end_is_told() {
    needs_recording!();
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "threads", &[]);
    let link = dir.path().join("by-another-name");
    std::os::unix::fs::symlink(subject.path(), &link).unwrap();
    for (name, path) in [(subject.name(), subject.path()), (subject.name(), &link), ("by-another-name", &link)] {
        let mut recorder = Recorder::start(&Request::executable()).unwrap();
        let slot = recorder.follow_executable(name.as_ref()).unwrap();
        let mut child = Command::new(path).spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        let soon = Some(Instant::now() + Duration::from_secs(10));
        assert_eq!(recorder.next(soon).unwrap(), Some(Notice::Exited { slot, pid }));
        assert_eq!(recorder.next(soon).unwrap(), Some(Notice::Ended { slot }));
        let seen = recorder.take(slot).unwrap();
        let number = |name| Abi::native().number(name).unwrap();
        for call in ["execve", "prctl", "getpriority", "exit_group"] {
            assert!(seen.syscalls[&Abi::native()].contains(&number(call)), "{call}");
        }
    }
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    needs_recording!();
    let mut recorder = Recorder::start(&Request::executable()).unwrap();
    for name in ["", "a/b", &"x".repeat(96)] {
        assert!(matches!(recorder.follow_executable(name.as_ref()), Err(RecordError::Name { .. })), "{name}");
    }
    assert!(!recorder.is_attached());
}

#[test]
fn without_privilege_the_message_says_what_is_missing() {
    const INSIDE: &str = "RECORDING_WITHOUT_PRIVILEGE";
    if std::env::var_os(INSIDE).is_some() {
        let error = Recorder::start(&Request::tree()).unwrap_err();
        assert!(matches!(error, StartError::NoPermission(_)), "{error}");
        assert!(error.to_string().contains("CAP_BPF"), "{error}");
        return;
    }
    needs_recording!();
    // This test again, as nobody, who must be able to read the test program.
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let copy = dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut again = Command::new("setpriv");
    again.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
    again.args(["--exact", "tree::without_privilege_the_message_says_what_is_missing"]).env(INSIDE, "1");
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn sleep(seconds: &str) -> Command {
    let mut sleep = Command::new("sleep");
    sleep.arg(seconds);
    sleep
}
