//! Profiles in the format of the OCI runtime specification: what is read can be written, and read again as the same.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_lsm::seccomp::{Form, parse_oci, to_json};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    let name = || "fuzz".parse().expect("it is a name");
    let Ok(profile) = parse_oci(name(), data) else { return };
    let text = to_json(&profile, Form::Compact);
    let again = parse_oci(name(), text.as_bytes()).expect("what was written can be read");
    assert_eq!(to_json(&again, Form::Compact), text);
}
