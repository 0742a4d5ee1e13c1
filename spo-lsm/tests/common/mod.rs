//! What several test programs need: the kernel's side of a filter, and profiles in few words.
#![allow(dead_code, reason = "each test program uses its part")]

use serde_json::{Value, json};
use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{Call, Instruction, Profile, parse, parse_oci};

/// Runs a filter on a call as the kernel does, and gives back its answer.
pub(crate) fn run(program: &[Instruction], call: &Call) -> u32 {
    run_raw(program, call.abi.audit_arch(), call.nr, &call.args)
}

/// How many instructions the kernel runs for a call.
pub(crate) fn steps(program: &[Instruction], call: &Call) -> usize {
    interpret(program, call.abi.audit_arch(), call.nr, &call.args).1
}

/// As [`run`], for calls of architectures that we have no name for.
pub(crate) fn run_raw(program: &[Instruction], arch: u32, nr: u32, args: &[u64; 6]) -> u32 {
    interpret(program, arch, nr, args).0
}

fn interpret(program: &[Instruction], arch: u32, nr: u32, args: &[u64; 6]) -> (u32, usize) {
    let mut data = Vec::with_capacity(64);
    data.extend_from_slice(&nr.to_le_bytes());
    data.extend_from_slice(&arch.to_le_bytes());
    data.extend_from_slice(&0x1234_5678_9abc_def0_u64.to_le_bytes());
    args.iter().for_each(|arg| data.extend_from_slice(&arg.to_le_bytes()));
    let (mut at, mut word, mut steps) = (0, 0_u32, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        steps += 1;
        let branch = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            0x20 => word = u32::from_le_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
            0x54 => word &= k,
            0x05 => at += k as usize,
            0x15 => at += branch(word == k),
            0x25 => at += branch(word > k),
            0x35 => at += branch(word >= k),
            0x06 => return (k, steps),
            _ => panic!("instruction {code:#x} at {at}"),
        }
    }
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
