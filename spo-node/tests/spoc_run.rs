//! `spoc run`: the command and all below it are confined, `spoc` is not, and what is refused is named.

mod spoc;

use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use rstest::rstest;
use spoc::{MKDIR, Place, all_but, can_change_identity, has_32_bit_program, said};

#[test]
fn a_refused_call_is_named_and_fails_with_eperm_in_child_and_grandchild() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let said = place.run(&[
        "run",
        "-p",
        "p.yaml",
        "sh",
        "-c",
        "mkdir one; sh -c 'mkdir two; true'; test ! -e one -a ! -e two",
    ]);
    let said = said.succeeded().tells("Seccomp: mkdir").tells("answer=Operation not permitted");
    assert_eq!(said.stderr.matches("cannot create directory").count(), 2, "{said:#?}");
    let pids: std::collections::BTreeSet<_> = said
        .stderr
        .lines()
        .filter(|line| line.contains("Seccomp: mkdir"))
        .filter_map(|line| line.split("pid=").nth(1))
        .collect();
    assert_eq!(pids.len(), 2, "one line for each process: {said:#?}");
}

#[test]
fn the_end_says_what_was_refused_and_how_to_amend_the_profile() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let said = place.run(&["run", "-p", "p.yaml", "mkdir", "one"]).failed();
    let said = said
        .tells("Not permitted by p.yaml: mkdir")
        .tells("Take out of the entries of spec.syscalls that say so: mkdir");
    said.tells("Unable to run: wait for command: exit status 1");
}

#[test]
fn a_raw_profile_is_amended_in_its_own_form() {
    let place = Place::new();
    place.file(
        "p.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}"#,
    );
    let said = place.run(&["run", "-p", "p.json", "mkdir", "one"]).failed();
    said.tells("Function not implemented").tells("Take out of the entries of syscalls that say so: mkdir");
}

#[test]
fn the_profile_of_the_temporary_folder_is_the_default() {
    let place = Place::new();
    place.file("profile.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    place.run(&["x", "mkdir", "one"]).failed().tells("Seccomp: mkdir");
}

#[rstest]
#[case("SCMP_ACT_KILL_PROCESS")]
#[case("SCMP_ACT_KILL")]
fn a_call_that_kills_is_named_and_the_process_is_gone(#[case] action: &str) {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, action));
    let said = place.run(&["run", "-p", "p.yaml", "sh", "-c", "mkdir one; echo survived"]).succeeded();
    let said = said.tells("Seccomp: mkdir").tells("answer=killed");
    assert_eq!(said.stdout, "survived\n", "the shell goes on, its child does not");
    assert!(!place.path("one").exists());
}

#[test]
fn a_call_that_traps_is_named_and_gets_sigsys() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_TRAP"));
    let said = place.run(&["run", "-p", "p.yaml", "mkdir", "one"]).failed();
    said.tells("answer=SIGSYS").tells("wait for command: ended by signal 31");
}

#[test]
fn a_call_that_is_only_logged_is_named_and_made() {
    let place = Place::new();
    place.file("p.yaml", "kind: SeccompProfile\nmetadata: {name: complain}\nspec: {defaultAction: SCMP_ACT_LOG}\n");
    let said = place.run(&["run", "-p", "p.yaml", "mkdir", "one"]).succeeded();
    said.tells("Seccomp: execve (").tells("Seccomp: mkdir").tells("answer=logged and made");
    assert!(place.path("one").is_dir());
}

#[test]
fn a_profile_without_execve_is_an_error_that_says_so_and_no_hang() {
    let place = Place::new();
    let refused = all_but(&["execve"], "SCMP_ACT_ERRNO");
    let nothing = "kind: SeccompProfile\nmetadata: {name: none}\nspec: {defaultAction: SCMP_ACT_ERRNO}\n".to_owned();
    let killed = nothing.replace("ERRNO", "KILL_PROCESS");
    for profile in [refused, nothing, killed] {
        place.file("p.yaml", &profile);
        let said = place.run(&["run", "-p", "p.yaml", "true"]).failed();
        said.tells("Seccomp: execve (").tells("does not permit execve");
    }
}

#[test]
fn amended_as_told_the_profile_permits_the_command() {
    let place = Place::new();
    let mut profile =
        "kind: SeccompProfile\nmetadata: {name: grown}\nspec:\n  defaultAction: SCMP_ACT_ERRNO\n  syscalls:\n"
            .to_owned();
    for _ in 0..60 {
        place.file("p.yaml", &profile);
        let said = place.run(&["run", "-p", "p.yaml", "mkdir", "-p", "one"]);
        if said.status == Some(0) {
            assert!(place.path("one").is_dir());
            return;
        }
        let (_, told) = said.stderr.split_once("Add to spec.syscalls:\n").unwrap_or_else(|| panic!("{said:#?}"));
        profile.extend(told.lines().take_while(|line| line.starts_with("  ")).map(|line| format!("{line}\n")));
    }
    panic!("after so many amendments it still does not run: {profile}");
}

#[test]
fn a_call_of_an_architecture_that_the_profile_does_not_list_is_named_and_killed() {
    let place = Place::new();
    if !has_32_bit_program(&place) {
        return;
    }
    place.file(
        "p.yaml",
        "kind: SeccompProfile\nmetadata: {name: p}\nspec: {defaultAction: SCMP_ACT_ALLOW, architectures: [SCMP_ARCH_X86_64]}\n",
    );
    let said = place.run(&["run", "-p", "p.yaml", "./small"]).failed();
    said.tells("Seccomp: getpid (20)").tells("answer=killed").tells("Add to spec.architectures: SCMP_ARCH_X86\n");
}

#[test]
fn below_another_listener_the_command_is_confined_and_that_nothing_is_named_is_said() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let said = place.run(&["run", "-p", "p.yaml", "./spoc", "run", "-p", "p.yaml", "mkdir", "one"]).failed();
    let said =
        said.tells("Refused calls cannot be named").tells("Operation not permitted").does_not_tell("Seccomp: mkdir");
    assert_eq!(said.stderr.matches("Refused calls cannot be named").count(), 1, "{said:#?}");
    assert!(!place.path("one").exists());
}

#[test]
fn spoc_itself_is_not_confined() {
    let place = Place::new();
    // A static program that needs nothing but to end would do; `true` of a shell needs little more. What spoc needs to wait, to
    // write and to be told is all refused.
    let needed = ["poll", "ppoll", "waitid", "wait4", "ioctl", "pidfd_open", "signalfd4", "clock_gettime", "futex"];
    place.file("p.yaml", &all_but(&needed, "SCMP_ACT_KILL_PROCESS"));
    place.run(&["run", "-p", "p.yaml", "sh", "-c", "exit 0"]).succeeded();
}

#[test]
fn a_process_that_outlives_the_command_is_watched_to_its_end() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let script = "(sleep 0.3; mkdir one) >/dev/null 2>&1 & exit 0";
    place.run(&["run", "-p", "p.yaml", "sh", "-c", script]).succeeded().tells("Seccomp: mkdir");
}

#[test]
fn waiting_for_what_the_command_left_behind_ends() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let started = Instant::now();
    let said = place.run(&["run", "--wait", "0.2", "-p", "p.yaml", "sh", "-c", "sleep 5 >/dev/null 2>&1 & exit 0"]);
    said.succeeded().tells("left behind still run");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn an_unprivileged_user_can_run_and_gains_nothing() {
    if !can_change_identity() {
        return;
    }
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let script = "id -u; grep NoNewPrivs /proc/self/status; mkdir one";
    let said = said(place.spoc(&["run", "-p", "p.yaml", "sh", "-c", script]).uid(65534).gid(65534));
    let said = said.failed().tells("Seccomp: mkdir");
    assert_eq!(said.stdout, "65534\nNoNewPrivs:\t1\n");
}

#[test]
fn called_through_sudo_the_command_is_the_users_and_not_barred_from_privileges() {
    if !can_change_identity() {
        return;
    }
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let script =
        "id -u; id -G; echo $HOME $USER $SUDO_UID; grep -E 'NoNewPrivs|CapPrm|CapEff' /proc/self/status; mkdir one";
    let mut command = place.spoc(&["run", "-p", "p.yaml", "sh", "-c", script]);
    let said = said(command.env("SUDO_UID", "65534").env("SUDO_GID", "65534").env("SUDO_USER", "nobody"));
    let said = said.failed().tells("Seccomp: mkdir");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[..2], ["65534", "65534"], "{said:#?}");
    assert!(lines[2].ends_with(" nobody"), "{said:#?}");
    assert_eq!(lines[3..], ["CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t0"], "{said:#?}");
}

#[test]
fn a_user_who_cannot_be_dropped_to_is_an_error() {
    if !can_change_identity() {
        return;
    }
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let mut command = place.spoc(&["run", "-p", "p.yaml", "id"]);
    let said = said(command.env("SUDO_UID", "3999999").env("SUDO_GID", "1").env("SUDO_USER", "nobody-here"));
    assert_eq!(said.stdout, "", "nothing was run as root");
    said.failed().tells("cannot drop to the user who called sudo").tells("3999999");
}

#[test]
fn sigint_is_passed_on_to_the_command() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO"));
    let script = "trap 'echo told; exit 7' INT; touch ready; while :; do sleep 0.05; done";
    // Tests that were started in the background ignore SIGINT, and so would all that they start.
    let mut command = place.env(&["--default-signal=INT"], &["run", "-p", "p.yaml", "sh", "-c", script]);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !place.path("ready").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let said = spoc::Said::from(child.wait_with_output().unwrap()).failed();
    assert_eq!(said.stdout, "told\n");
    said.tells("wait for command: exit status 7");
}

#[rstest]
#[case(&["run", "-p", "missing.yaml", "true"], "cannot read profile missing.yaml: ")]
#[case(&["run", "-p", "good.yaml", "no-such-program"], "no program \"no-such-program\" in PATH")]
#[case(&["run", "-p", "good.yaml", "./good.yaml"], "cannot start ./good.yaml: Permission denied")]
#[case(&["run", "-p", "good.yaml"], "COMMAND")]
#[case(&["run", "-t", "apparmor", "true"], "possible values: seccomp")]
#[case(&["run", "-p", "notify.yaml", "true"], "SCMP_ACT_NOTIFY is not supported by spoc run")]
#[case(&["run", "-p", "kind.yaml", "true"], "kind is \"Pod\"")]
#[case(&["run", "-p", "conflict.yaml", "true"], "spec.syscalls[0].args[0].index")]
#[case(&["run", "-p", "good.json", "true"], "needs a name that ends in .yaml")]
fn bad_input_names_what_is_wrong(#[case] words: &[&str], #[case] expected: &str) {
    let place = Place::new();
    let good = all_but(&MKDIR, "SCMP_ACT_ERRNO");
    place.file("good.yaml", &good);
    place.file("good.json", &good);
    place.file("notify.yaml", &all_but(&MKDIR, "SCMP_ACT_NOTIFY"));
    place.file("kind.yaml", "kind: Pod\n");
    place.file("conflict.yaml", &format!("{good}    args: [{{index: 9, op: SCMP_CMP_EQ, value: 1}}]\n"));
    place.run(words).failed().tells(expected);
}

#[test]
fn a_misspelt_field_is_told_and_ignored_as_the_reference_ignores_it() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&MKDIR, "SCMP_ACT_ERRNO").replace("action:", "comment: why\n    action:"));
    place
        .run(&["run", "-p", "p.yaml", "true"])
        .succeeded()
        .tells("spec.syscalls[0].comment: unknown field; known here: action, args, errnoRet, names; it is ignored");
}

#[test]
fn a_misspelt_system_call_is_told_and_does_not_stop_the_command() {
    let place = Place::new();
    place.file("p.yaml", &all_but(&["mkdri"], "SCMP_ACT_ERRNO"));
    place.run(&["run", "-p", "p.yaml", "true"]).tells("mkdri");
}
