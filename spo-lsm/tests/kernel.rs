//! The kernel does what the model says: filters are loaded for a thread, and calls are made under them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use spo_api::syscalls::Abi;
use spo_lsm::host::seccomp::{Load, load};
use spo_lsm::host::{Host, SeccompHost};
use spo_lsm::seccomp::{Profile, compile, compile_notifying, evaluate};

mod common;

/// What a call comes back with under `profile`: an error number, or 0. Filters stay with the thread that loads them.
fn under(profile: &Profile, call: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> i32 {
    let program = compile(profile, Abi::native()).unwrap();
    let thread = std::thread::spawn(move || {
        load(&program, &Load { no_new_privs: true, ..Load::default() }).unwrap();
        call().map_or_else(|error| error.raw_os_error().unwrap(), |()| 0)
    });
    thread.join().unwrap()
}

fn seccomp_is_missing() -> bool {
    let support = SeccompHost::new(Path::new("/"), Path::new("/")).support();
    if let Err(reason) = &support {
        println!("skipped: {reason}");
    }
    support.is_err()
}

fn refusing(condition: serde_json::Value) -> Profile {
    let entry = json!({"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [condition]});
    common::profile(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]}))
}

/// `lseek(fd, offset, SEEK_SET)`.
fn seek(offset: u64) -> impl FnOnce() -> std::io::Result<()> + Send + 'static {
    move || File::open("/proc/self/exe")?.seek(SeekFrom::Start(offset)).map(drop)
}

#[test]
fn every_operator_compares_as_the_model_does() {
    if seccomp_is_missing() {
        return;
    }
    let operators = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
    for operator in operators {
        for value in [5_u64, 0x1_0000_0005] {
            let profile = refusing(
                json!({"index": 1, "op": format!("SCMP_CMP_{operator}"), "value": value, "valueTwo": 1 & value}),
            );
            for offset in [value - 1, value, value + 1, value + 0x1_0000_0000] {
                let expected = evaluate(&profile, Abi::native(), &call(offset)).effect().number().unwrap_or(0);
                assert_eq!(under(&profile, seek(offset)), i32::from(expected), "{offset:#x} {operator} {value:#x}");
            }
        }
    }
}

fn call(offset: u64) -> spo_lsm::seccomp::Call {
    let abi = Abi::native();
    spo_lsm::seccomp::Call { abi, nr: abi.number("lseek").unwrap(), args: [3, offset, 0, 0, 0, 0] }
}

#[test]
fn a_refused_call_comes_back_with_its_error() {
    if seccomp_is_missing() {
        return;
    }
    for (errno, expected) in [(None, 1), (Some(38), 38), (Some(4095), 4095)] {
        let entry = json!({"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno});
        let profile = common::profile(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]}));
        assert_eq!(under(&profile, seek(0)), expected);
    }
}

#[test]
fn a_call_that_asks_a_listener_that_is_not_there_fails() {
    if seccomp_is_missing() {
        return;
    }
    let profile = refusing(json!({"index": 1, "op": "SCMP_CMP_EQ", "value": 5}));
    let program = compile_notifying(&profile, Abi::native()).unwrap();
    let thread = std::thread::spawn(move || {
        // The descriptor is dropped at once, and with it the listener.
        let listener = load(&program, &Load { no_new_privs: true, listener: true, flags: &[] }).unwrap();
        assert!(listener.is_some());
        drop(listener);
        (seek(4)().map_err(|error| error.kind()), seek(5)().map_err(|error| error.raw_os_error()))
    });
    assert_eq!(thread.join().unwrap(), (Ok(()), Err(Some(38))));
}

/// Set for the process that is to be killed: this test program once more, with only the test below in it.
const VICTIM: &str = "SPO_LSM_TEST_VICTIM";

#[test]
fn a_killed_process_ends_by_sigsys() {
    if seccomp_is_missing() {
        return;
    }
    if std::env::var_os(VICTIM).is_some() {
        let entry = json!({"names": ["lseek"], "action": "SCMP_ACT_KILL_PROCESS"});
        let profile = common::profile(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]}));
        under(&profile, seek(0));
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_ends_by_sigsys"])
        .env(VICTIM, "1")
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(31), "{}", output.status);
}

#[test]
fn an_allow_list_lets_through_what_it_names() {
    if seccomp_is_missing() {
        return;
    }
    // All but two calls, so that the thread can also end.
    let names: Vec<&str> = Abi::native()
        .calls()
        .map(|(_, name)| name)
        .filter(|name| !["lseek", "mkdir", "mkdirat"].contains(name))
        .collect();
    let profile = common::allowing(&names);
    assert_eq!(under(&profile, || File::open("/proc/self/exe").map(drop)), 0);
    assert_eq!(under(&profile, seek(0)), 1);
    let refused = under(&profile, || {
        let error = std::fs::create_dir("/tmp/never").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        Err(error)
    });
    assert_eq!(refused, 1);
}
