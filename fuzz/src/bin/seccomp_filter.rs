//! What a seccomp profile means: the evaluator and the compiled filter say the same of every call.
//!
//! The bytes choose a profile of well-formed parts, as random text hardly ever is one, and then calls with arguments near the values that
//! the profile compares with.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};
use spo_api::ProfileName;
use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{
    Call, Effect, Form, Profile, Program, compile, compile_notifying, evaluate, parse_oci, to_json,
};

#[path = "../../../spo-lsm/tests/common/kernel.rs"]
mod kernel;

spo_fuzz::target!(target);

const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];
const ARCHITECTURES: [&str; 5] =
    ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_PPC64LE"];
const OPERATORS: [&str; 7] =
    ["SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"];
/// Values at which comparisons of 64 bits by halves go wrong, if they do.
const VALUES: [u64; 8] = [0, 1, 8, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0008, 1 << 63, u64::MAX];
/// Calls that x86 has under one number each, and what several of them are there.
const NAMES: [&str; 12] = [
    "accept4",
    "clone",
    "connect",
    "getppid",
    "ipc",
    "mmap2",
    "no_such",
    "read",
    "semop",
    "shmat",
    "socket",
    "socketcall",
];

fn target(data: &[u8]) {
    // There are always enough bytes: zeros follow the last.
    let _none_left = meanings_agree(&mut Unstructured::new(data));
}

fn meanings_agree(bytes: &mut Unstructured<'_>) -> Result<()> {
    let document = document(bytes)?.to_string();
    let Ok(profile) = parse_oci(name(), document.as_bytes()) else { return Ok(()) };
    let again = parse_oci(name(), to_json(&profile, Form::Pretty).as_bytes()).expect("what was written can be read");
    for native in [Abi::X86_64, Abi::Aarch64] {
        let (Ok(filter), Ok(asking)) = (compile(&profile, native), compile_notifying(&profile, native)) else {
            continue;
        };
        assert!(kernel::accepts(filter.instructions()), "the kernel refuses\n{filter}");
        assert!(kernel::accepts(asking.instructions()), "the kernel refuses\n{asking}");
        assert_eq!(compile(&again, native).as_ref(), Ok(&filter), "the written profile means something else");
        for _ in 0..bytes.int_in_range(1..=8)? {
            check(&profile, native, [&filter, &asking], &call(bytes, &profile)?);
        }
    }
    Ok(())
}

fn check(profile: &Profile, native: Abi, [filter, asking]: [&Program; 2], call: &Call) {
    let effect = evaluate(profile, native, call).effect();
    let run = |program: &Program| kernel::run(program.instructions(), call.abi.audit_arch(), call.nr, &call.args).0;
    assert_eq!(run(filter), effect.return_value(), "{call:x?} under {profile:#?}\n{filter}");
    let asked = if effect == Effect::Allow { Effect::Allow } else { Effect::Notify };
    assert_eq!(run(asking), asked.return_value(), "{call:x?} under {profile:#?}\n{asking}");
}

fn name() -> ProfileName {
    "fuzz".parse().expect("it is a name")
}

fn document(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let architectures = list(bytes, 4, |bytes| bytes.choose(&ARCHITECTURES).copied().map(Value::from))?;
    let default = bytes.choose(&ACTIONS)?;
    let entries = list(bytes, 8, entry)?;
    Ok(json!({"defaultAction": default, "architectures": architectures, "syscalls": entries}))
}

fn entry(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let action = *bytes.choose(&ACTIONS)?;
    let names = list(bytes, 8, |bytes| syscall(bytes).map(Value::from))?;
    let conditions = list(bytes, 6, condition)?;
    let numbered = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"].contains(&action);
    let number = if numbered { Some(bytes.int_in_range(0..=4095)?) } else { None };
    Ok(json!({"names": names, "action": action, "errnoRet": number, "args": conditions}))
}

fn condition(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let operator = *bytes.choose(&OPERATORS)?;
    let second = if operator == "SCMP_CMP_MASKED_EQ" { value(bytes)? } else { 0 };
    let index = bytes.int_in_range(0..=5)?;
    Ok(json!({"index": index, "value": value(bytes)?, "valueTwo": second, "op": operator}))
}

fn syscall(bytes: &mut Unstructured<'_>) -> Result<&'static str> {
    if bytes.ratio(1, 4)? {
        return bytes.choose(&NAMES).copied();
    }
    let abi = *bytes.choose(&[Abi::X86_64, Abi::X86, Abi::X32, Abi::Aarch64])?;
    let at = bytes.choose_index(abi.calls().len())?;
    Ok(abi.calls().nth(at).map_or("read", |(_, name)| name))
}

fn value(bytes: &mut Unstructured<'_>) -> Result<u64> {
    match bytes.int_in_range(0..=2)? {
        0 => bytes.choose(&VALUES).copied(),
        1 => bytes.int_in_range(0..=15),
        _ => bytes.arbitrary(),
    }
}

/// A call that the profile names, or its neighbour, or any other.
fn call(bytes: &mut Unstructured<'_>, profile: &Profile) -> Result<Call> {
    let abi = *bytes.choose(&[Abi::X86_64, Abi::X86, Abi::X32, Abi::Aarch64])?;
    let names: Vec<&String> = profile.entries().iter().flat_map(|entry| entry.names()).collect();
    let nr = if names.is_empty() { None } else { abi.number(bytes.choose(&names)?) };
    let nr = match nr {
        Some(nr) => nr.wrapping_add_signed(bytes.int_in_range(-1..=1)?),
        None => bytes.arbitrary()?,
    };
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = argument(bytes, profile)?;
        if abi.is_32_bit() {
            *arg &= 0xffff_ffff; // all that a 32-bit program has
        }
    }
    // A number is of the ABI that the kernel takes it for.
    Ok(Call { abi: Abi::from_audit(abi.audit_arch(), nr).unwrap_or(abi), nr, args })
}

/// Near a value that the profile compares with, or any.
fn argument(bytes: &mut Unstructured<'_>, profile: &Profile) -> Result<u64> {
    let compared: Vec<u64> = profile
        .entries()
        .iter()
        .flat_map(|entry| entry.conditions())
        .flat_map(|condition| [condition.test.parts().1, condition.test.parts().2])
        .collect();
    if compared.is_empty() || bytes.ratio(1, 4)? {
        return value(bytes);
    }
    Ok(bytes.choose(&compared)?.wrapping_add_signed(bytes.int_in_range(-1..=1)?))
}

fn list(
    bytes: &mut Unstructured<'_>,
    most: usize,
    one: impl Fn(&mut Unstructured<'_>) -> Result<Value>,
) -> Result<Vec<Value>> {
    (0..bytes.int_in_range(0..=most)?).map(|_| one(bytes)).collect()
}
