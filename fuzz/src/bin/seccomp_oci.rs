//! Profiles in the format of the OCI runtime specification: what is read can be written, and read again as the same.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_api::ProfileName;
use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{CompileError, Form, MAX_INSTRUCTIONS, compile, parse_oci, to_json};
use spo_lsm::{Policy, Profile, check, render};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    let Ok(profile) = parse_oci(name(), data) else { return };
    let text = to_json(&profile, Form::Compact);
    let again = parse_oci(name(), text.as_bytes()).expect("what was written can be read");
    assert_eq!(to_json(&again, Form::Compact), text);
    for native in Abi::ALL {
        match compile(&profile, native) {
            Ok(program) => assert!(program.instructions().len() <= MAX_INSTRUCTIONS),
            Err(CompileError::TooLarge { instructions }) => assert!(instructions > MAX_INSTRUCTIONS),
        }
    }
    let allowed = [String::from("read"), String::from("write")];
    let strict = Policy { allowed_syscalls: Some(allowed.into()), ..Policy::default() };
    for policy in [Policy::default(), strict] {
        match check(&Profile::Seccomp(profile.clone()), &policy) {
            Ok(checked) => assert_eq!(render(&checked).bytes, text.as_bytes()),
            Err(violations) => assert!(!violations.is_empty(), "what is refused has a reason"),
        }
    }
}

fn name() -> ProfileName {
    "fuzz".parse().expect("it is a name")
}
