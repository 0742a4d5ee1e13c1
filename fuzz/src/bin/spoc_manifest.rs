//! Manifests that `spoc` is given: what it makes of one is a profile that can be written, and a seccomp profile one that can be compiled.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_api::syscalls::Abi;
use spo_lsm::Profile;
use spo_lsm::seccomp::{Form, compile, parse_oci, to_json};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(Profile::Seccomp(profile)) = spo_node::spoc::fuzz::manifest(text) else { return };
    let _too_large = compile(&profile, Abi::X86_64);
    let json = to_json(&profile, Form::Pretty);
    let again = parse_oci(profile.name().clone(), json.as_bytes()).expect("what was written can be read");
    assert_eq!(again.entries(), profile.entries());
}
