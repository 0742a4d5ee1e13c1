//! `spoc record`: the whole process tree, from its first instruction, and a profile that says how complete it is.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that is skipped says so"
)]

mod spoc;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use rstest::rstest;
use spo_api::seccomp::Arch;
use spo_api::seccomp::v1::{SeccompProfile, SeccompProfileSpec};
use spoc::{Place, Said, can_change_identity, can_record, copy_program, has_32_bit_program, said};

fn profile(text: &str) -> SeccompProfile {
    serde_saphyr::from_str(text).unwrap()
}

fn names(spec: &SeccompProfileSpec) -> BTreeSet<String> {
    spec.syscalls.iter().flatten().flat_map(|entry| entry.names.clone()).collect()
}

/// Records `words` without base system calls, and gives back what the profile permits.
fn recorded(place: &Place, words: &[&str]) -> BTreeSet<String> {
    place.run(&[&["record", "-n", "-o", "out.yaml"], words].concat()).succeeded();
    names(&profile(&place.read("out.yaml")).spec)
}

fn any_of(names: &BTreeSet<String>, wanted: &[&str]) -> bool {
    wanted.iter().any(|name| names.contains(*name))
}

#[test]
fn a_program_becomes_a_profile_in_the_temporary_folder() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let said = place.run(&["record", "/bin/true"]).succeeded();
    let file = place.path("profile.yaml");
    let said = said.tells("Running command with PID: ").tells("Waiting for events processor to catch up...");
    said.tells("The recording is complete").tells(&format!("Wrote seccomp profile to: {}\n", file.display()));
    let profile = profile(&place.read("profile.yaml"));
    assert_eq!(profile.metadata.name.as_deref(), Some("true"));
    assert_eq!(profile.metadata.annotations.unwrap()["spo.x-k8s.io/completeness"], r#"{"complete":true}"#);
    assert_eq!(profile.spec.default_action, spo_api::seccomp::Action::Errno);
    assert_eq!(profile.spec.architectures.as_ref().map(Vec::len), Some(1));
    let names = names(&profile.spec);
    assert!(["execve", "exit_group", "pivot_root", "keyctl"].iter().all(|name| names.contains(*name)), "{names:?}");
}

#[test]
fn log_lines_have_the_time_to_the_microsecond() {
    if !can_record() {
        return;
    }
    let said = Place::new().run(&["record", "/bin/true"]).succeeded();
    for line in said.stderr.lines() {
        let (time, _) = line.split_once(' ').unwrap();
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "00:00:00.000000", "{line}");
    }
}

#[test]
fn each_process_of_a_pipeline_is_recorded() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let names = recorded(&place, &["sh", "-c", "ls / | (read first; mkdir one; rmdir one)"]);
    for wanted in [&["getdents64"][..], &["pipe", "pipe2"], &["mkdir", "mkdirat"], &["rmdir", "unlinkat"]] {
        assert!(any_of(&names, wanted), "{wanted:?} of {names:?}");
    }
}

#[test]
fn w_x_11_a_program_in_a_mount_namespace_of_its_own_is_recorded() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let names = recorded(&place, &["unshare", "-m", "sh", "-c", "mkdir one; chmod 700 one"]);
    for wanted in [&["unshare"][..], &["mkdir", "mkdirat"], &["chmod", "fchmodat"]] {
        assert!(any_of(&names, wanted), "{wanted:?} of {names:?}");
    }
}

#[test]
fn w_x_12_a_grandchild_that_outlives_its_parent_is_waited_for() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let script = "(setsid sh -c 'sleep 0.4; mkdir late' >/dev/null 2>&1 &); exit 0";
    let names = recorded(&place, &["sh", "-c", script]);
    assert!(any_of(&names, &["mkdir", "mkdirat"]), "{names:?}");
}

#[test]
fn w_x_12_waiting_has_an_end_that_is_said() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let started = Instant::now();
    let script = "sleep 20 >/dev/null 2>&1 & exit 0";
    let said = place.run(&["record", "--wait", "0.3", "-o", "out.yaml", "sh", "-c", script]).succeeded();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    said.tells("The command left 1 running").tells("Stopped waiting: 1 still running").tells("may be incomplete");
    let annotations = profile(&place.read("out.yaml")).metadata.annotations.unwrap();
    assert!(annotations["spo.x-k8s.io/completeness"].contains(r#""complete":false"#), "{annotations:?}");
}

#[test]
fn w_x_13_a_renamed_process_is_recorded_and_a_stranger_of_the_same_name_is_not() {
    if !can_record() {
        return;
    }
    if !Path::new("/usr/bin/perl").exists() {
        println!("skipped: needs perl");
        return;
    }
    let place = Place::new();
    let strange = "while (1) { symlink('a', 'link'); unlink('link'); select(undef, undef, undef, 0.001) }";
    let mut stranger =
        Command::new("perl").args(["-e", strange]).current_dir(place.path("")).stdin(Stdio::null()).spawn().unwrap();
    let names = recorded(&place, &["perl", "-e", "$0 = 'other'; select(undef, undef, undef, 0.2); mkdir('one')"]);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(any_of(&names, &["mkdir"]), "{names:?}");
    assert!(!any_of(&names, &["symlink", "symlinkat"]), "{names:?}");
}

#[test]
fn w_x_14_calls_of_a_32_bit_program_are_recorded_under_their_own_names() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    if !has_32_bit_program(&place) {
        return;
    }
    place.run(&["record", "-n", "-o", "out.yaml", "./small"]).succeeded();
    let spec = profile(&place.read("out.yaml")).spec;
    assert_eq!(spec.architectures, Some(vec![Arch::X86_64, Arch::X86]));
    let names = names(&spec);
    assert!(any_of(&names, &["getpid"]) && any_of(&names, &["exit"]), "{names:?}");
    assert!(!any_of(&names, &["writev"]), "20 is writev for 64-bit programs: {names:?}");
    place.run(&["run", "-p", "out.yaml", "./small"]).succeeded().does_not_tell("Seccomp:");
}

#[test]
fn w_x_15_a_limit_on_locked_memory_is_no_obstacle() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let spoc = place.spoc(&["record", "-o", "out.yaml", "/bin/true"]);
    let words = [spoc.get_program()].into_iter().chain(spoc.get_args());
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -l 0 && exec setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource \"$@\"", "sh"])
        .args(words)
        .current_dir(place.path(""));
    said(&mut limited).succeeded().tells("The recording is complete");
}

#[test]
fn a_recorded_program_runs_confined_by_its_own_profile() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    for (file, kind) in [("p.yaml", "seccomp"), ("p.json", "raw-seccomp")] {
        let command = ["sh", "-c", "mkdir one; ls / | wc -l; rmdir one"];
        place.run(&[&["record", "-n", "-t", kind, "-o", file], &command[..]].concat()).succeeded();
        let said = place.run(&[&["run", "-p", file], &command[..]].concat()).succeeded();
        said.does_not_tell("Seccomp:");
        place.run(&["run", "-p", file, "sh", "-c", "ln -s a b"]).failed().tells("Seccomp: symlink");
    }
}

#[test]
fn raw_output_is_json_without_a_final_newline() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    place.run(&["r", "-t", "raw-seccomp", "/bin/true"]).succeeded().tells("profile.json");
    let text = place.read("profile.json");
    assert!(text.starts_with("{\n  \"defaultAction\": \"SCMP_ACT_ERRNO\",\n") && text.ends_with('}'), "{text}");
    assert!(!place.path("profile.yaml").exists());
}

#[test]
fn the_profile_can_go_to_standard_output() {
    if !can_record() {
        return;
    }
    let said = Place::new().run(&["record", "-o", "-", "/bin/true"]).succeeded();
    assert_eq!(profile(&said.stdout).metadata.name.as_deref(), Some("true"));
}

#[rstest]
#[case(&["-n"], &[], &["pivot_root", "keyctl"])]
#[case(&["-n=false"], &["pivot_root", "keyctl"], &[])]
#[case(&["-b", "swapon,reboot", "-b", "acct"], &["swapon", "reboot", "acct"], &["pivot_root"])]
fn t11_base_system_calls_are_what_was_asked_for(
    #[case] options: &[&str],
    #[case] there: &[&str],
    #[case] absent: &[&str],
) {
    if !can_record() {
        return;
    }
    let place = Place::new();
    place.run(&[&["record", "-o", "out.yaml"], options, &["/bin/true"]].concat()).succeeded();
    let names = names(&profile(&place.read("out.yaml")).spec);
    assert!(there.iter().all(|name| names.contains(*name)), "{names:?}");
    assert!(!any_of(&names, absent), "{names:?}");
}

#[test]
fn w_x_13_without_starting_anything_the_named_program_is_recorded_until_sigint() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    copy_program("/bin/mkdir", &place.path("maker"));
    let (mut spoc, mut lines, mut told) = waiting(&place, "maker");
    let mut maker = Command::new(place.path("maker")).arg(place.path("one")).spawn().unwrap();
    let exit = format!("record pid exit: {}.", maker.id());
    maker.wait().unwrap();
    Command::new("rmdir").arg(place.path("one")).status().unwrap();
    while !told.contains(&exit) {
        assert!(lines.read_line(&mut told).unwrap() > 0, "{told}");
    }
    interrupt(&spoc);
    lines.read_to_string(&mut told).unwrap();
    assert!(spoc.wait().unwrap().success(), "{told}");
    let profile = profile(&place.read("out.yaml"));
    assert_eq!(profile.metadata.name.as_deref(), Some("maker"));
    let names = names(&profile.spec);
    assert!(any_of(&names, &["mkdir", "mkdirat"]), "{names:?}");
    assert!(!any_of(&names, &["rmdir"]), "{names:?}");
}

/// `spoc record --no-proc-start NAME`, which has just said that it waits; what it says, and what it said.
fn waiting(place: &Place, name: &str) -> (Child, BufReader<ChildStderr>, String) {
    let mut spoc = place.spoc(&["record", "-n", "--no-proc-start", "-o", "out.yaml", name]);
    let mut spoc = spoc.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(spoc.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("Waiting for CTRL+C / SIGINT...") {
        assert!(lines.read_line(&mut told).unwrap() > 0, "{told}");
    }
    (spoc, lines, told)
}

fn interrupt(spoc: &Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(spoc), rustix::process::Signal::INT).unwrap();
}

#[test]
fn a_program_that_nobody_started_gets_no_profile() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let (mut spoc, mut lines, mut told) = waiting(&place, "nobody-starts-this");
    interrupt(&spoc);
    lines.read_to_string(&mut told).unwrap();
    assert_eq!(spoc.wait().unwrap().code(), Some(1), "{told}");
    let expected = "nothing was recorded, so no profile is written: no nobody-starts-this was started meanwhile";
    assert!(told.contains(expected), "{told}");
    assert!(!place.path("out.yaml").exists());
}

#[test]
fn what_runs_already_is_told_and_makes_the_profile_incomplete() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    copy_program("/bin/sleep", &place.path("sleeper"));
    let mut early = Command::new(place.path("sleeper")).arg("60").spawn().unwrap();
    let (mut spoc, mut lines, mut told) = waiting(&place, "sleeper");
    assert!(told.contains(&format!("sleeper runs already (pid {}), which is not recorded", early.id())), "{told}");
    let mut started = Command::new(place.path("sleeper")).arg("0").spawn().unwrap();
    let exit = format!("record pid exit: {}.", started.id());
    started.wait().unwrap();
    while !told.contains(&exit) {
        assert!(lines.read_line(&mut told).unwrap() > 0, "{told}");
    }
    interrupt(&spoc);
    lines.read_to_string(&mut told).unwrap();
    early.kill().unwrap();
    early.wait().unwrap();
    assert!(spoc.wait().unwrap().success(), "{told}");
    let annotations = profile(&place.read("out.yaml")).metadata.annotations.unwrap();
    let completeness = &annotations["spo.x-k8s.io/completeness"];
    assert!(
        completeness.contains(r#""complete":false"#) && completeness.contains(r#""lateStarts":1"#),
        "{completeness}"
    );
}

#[test]
fn a_time_that_no_clock_can_tell_is_waited_for_all_the_same() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let words = ["--wait", "1e19", "sh", "-c", "sleep 0.2 >/dev/null 2>&1 & exit 0"];
    place.run(&[&["record", "-o", "out.yaml"], &words[..]].concat()).succeeded().tells("The recording is complete");
    place.run(&[&["run", "-p", "out.yaml"], &words[..]].concat()).succeeded();
}

#[test]
fn a_command_that_fails_is_logged_and_recorded() {
    if !can_record() {
        return;
    }
    let said = Place::new().run(&["record", "sh", "-c", "exit 3"]).succeeded();
    said.tells("The command failed: exit status 3").tells("Wrote seccomp profile to: ");
}

#[test]
fn called_through_sudo_the_command_is_the_users_unless_asked_otherwise() {
    if !can_record() || !can_change_identity() {
        return;
    }
    let place = Place::new();
    let id = |options: &[&str]| {
        let mut command =
            place.spoc(&[&["record", "-o", "out.yaml"], options, &["sh", "-c", "id -u; id -G; echo $USER"]].concat());
        said(command.env("SUDO_UID", "65534").env("SUDO_GID", "65534").env("SUDO_USER", "nobody").env("USER", "root"))
            .succeeded()
            .stdout
    };
    assert_eq!(id(&[]), "65534\n65534\nnobody\n");
    assert_eq!(id(&["--privileged=false"]), "65534\n65534\nnobody\n");
    assert!(id(&["--privileged"]).starts_with("0\n"));
}

#[test]
fn without_root_the_message_says_what_is_needed() {
    if !can_change_identity() {
        return;
    }
    let place = Place::new();
    let said: Said = said(place.spoc(&["record", "/bin/true"]).uid(65534).gid(65534));
    said.failed().tells("cannot record").tells("root");
}

/// `spoc` behind these mounts, in a mount namespace of its own.
fn behind(place: &Place, mounts: &str, words: &[&str]) -> Said {
    let spoc = place.spoc(words);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &format!("{mounts}; exec \"$0\" \"$@\"")]);
    command.arg(spoc.get_program()).args(spoc.get_args()).current_dir(place.path("")).stdin(Stdio::null());
    said(&mut command)
}

#[test]
fn without_the_kernels_types_the_message_says_what_is_needed() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let said = behind(&place, "mount -t tmpfs none /sys/kernel/btf", &["record", "-o", "out.yaml", "true"]).failed();
    said.tells("cannot read /sys/kernel/btf/vmlinux")
        .tells("CONFIG_DEBUG_INFO_BTF=y")
        .tells("No such file or directory");
    assert!(!place.path("out.yaml").exists());
}

#[test]
fn without_tracefs_recording_goes_as_well() {
    if !can_record() {
        return;
    }
    let hide = "for dir in /sys/kernel/tracing /sys/kernel/debug; do test ! -d $dir || mount -t tmpfs none $dir; done";
    let said = behind(&Place::new(), hide, &["record", "-o", "out.yaml", "true"]).succeeded();
    said.tells("The recording is complete");
}

#[rstest]
#[case(&["record", "-o", "", "true"], "a value is required for '--output-file <FILE>'")]
#[case(&["record", "-o", "/no/such/folder/p.yaml", "true"], "cannot write /no/such/folder/p.yaml")]
#[case(&["record", "-o", "/", "true"], "cannot write /")]
#[case(&["record", "no-such-program"], "no program \"no-such-program\" in PATH")]
#[case(&["record"], "COMMAND")]
#[case(&["record", "-b", "opne", "true"], "\"opne\" is no system call")]
#[case(&["record", "-t", "apparmor", "true"], "does not record AppArmor profiles yet")]
#[case(&["record", "-t", "raw-apparmor", "true"], "does not record AppArmor profiles yet")]
#[case(&["record", "-t", "all", "true"], "use --type seccomp")]
#[case(&["record", "-t", "selinux", "true"], "possible values: seccomp, raw-seccomp")]
fn bad_input_is_refused_before_anything_is_started(#[case] words: &[&str], #[case] expected: &str) {
    let said = Place::new().run(words).failed().tells(expected);
    said.does_not_tell("Running command");
}

#[test]
fn a_program_that_cannot_be_started_leaves_no_profile() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    place.file("text", "no program");
    place.run(&["record", "-o", "out.yaml", "./text"]).failed().tells("cannot start ./text: Permission denied");
    assert!(!place.path("out.yaml").exists());
}
