//! What several test programs need: running filters, and profiles in few words.
#![allow(dead_code, reason = "each test program uses its part")]

use serde_json::{Value, json};
use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{Call, Instruction, Profile, parse, parse_oci};

pub(crate) mod kernel;
pub(crate) mod random;

/// Runs a filter on a call as the kernel does, and gives back its answer.
pub(crate) fn run(program: &[Instruction], call: &Call) -> u32 {
    kernel::run(program, call.abi.audit_arch(), call.nr, &call.args).0
}

/// How many instructions the kernel runs for a call.
pub(crate) fn steps(program: &[Instruction], call: &Call) -> usize {
    kernel::run(program, call.abi.audit_arch(), call.nr, &call.args).1
}

/// As [`run`], for calls of architectures that we have no name for.
pub(crate) fn run_raw(program: &[Instruction], arch: u32, nr: u32, args: &[u64; 6]) -> u32 {
    kernel::run(program, arch, nr, args).0
}

/// A call of the x86_64 ABI.
pub(crate) fn call(name: &str, args: [u64; 6]) -> Call {
    Call { abi: Abi::X86_64, nr: Abi::X86_64.number(name).unwrap(), args }
}

/// A profile of the API, from its spec.
pub(crate) fn profile(spec: Value) -> Profile {
    parse("test".parse().unwrap(), &serde_json::from_value(spec).unwrap()).unwrap()
}

/// Everything that is wrong with a spec.
pub(crate) fn violations(spec: Value) -> Vec<String> {
    let spec = serde_json::from_value(spec).unwrap();
    parse("test".parse().unwrap(), &spec).expect_err("it was accepted").iter().map(ToString::to_string).collect()
}

/// A profile of the runtime specification.
pub(crate) fn oci(document: &Value) -> Profile {
    parse_oci("test".parse().unwrap(), document.to_string().as_bytes()).unwrap()
}

/// A profile that allows these calls and refuses the others.
pub(crate) fn allowing(names: &[&str]) -> Profile {
    profile(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]}))
}
