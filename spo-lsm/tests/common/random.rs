//! Random profiles, and calls near the values that they compare with.
#![allow(dead_code, reason = "each test program uses its part")]

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use spo_api::syscalls::{Abi, NO_CALL, X32_BIT};
use spo_lsm::seccomp::{Call, Profile, parse_oci};

const NAMES: &[&str] = &[
    "read",
    "write",
    "open",
    "openat",
    "clone",
    "personality",
    "ioctl",
    "mmap2",
    "_llseek",
    "socketcall",
    "socket",
    "connect",
    "accept",
    "recv",
    "accept4",
    "sendmsg",
    "recvmmsg",
    "semop",
    "semget",
    "shmat",
    "ipc",
    "semtimedop",
    "execve",
    "getppid",
    "no_such_call",
    "set_tls",
];
const VALUES: &[u64] = &[
    0,
    1,
    2,
    5,
    8,
    0x7e02_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0005,
    0x8000_0000_0000_0000,
    u64::MAX - 1,
    u64::MAX,
];
/// Numbers around the ends of the tables, in their gaps, and negative ones.
const NAMELESS: &[u32] =
    &[222, 250, 335, 400, 511, 512, 520, 547, 548, 600, 9999, X32_BIT - 1, X32_BIT, 1 << 31, NO_CALL - 1, NO_CALL];
const REFUSALS: &[&str] = &["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"];
const OPERATORS: &[&str] =
    &["SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"];

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![4 => prop::sample::select(VALUES), 1 => any::<u64>(), 1 => 0..16_u64]
}

fn arg() -> impl Strategy<Value = Value> {
    (0..6_u8, value(), value(), prop::sample::select(OPERATORS)).prop_map(|(index, value, value_two, op)| {
        let value_two = if op == "SCMP_CMP_MASKED_EQ" { value_two } else { 0 };
        json!({"index": index, "value": value, "valueTwo": value_two, "op": op})
    })
}

fn entry() -> impl Strategy<Value = Value> {
    let action =
        prop_oneof![6 => Just("SCMP_ACT_ALLOW"), 2 => Just("SCMP_ACT_LOG"), 3 => prop::sample::select(REFUSALS)];
    let args = prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(arg(), 1..4)];
    (prop::collection::vec(prop::sample::select(NAMES), 1..6), action, args, 1..200_u16).prop_map(
        |(names, action, args, errno)| {
            let errno = (action == "SCMP_ACT_ERRNO").then_some(errno);
            json!({"names": names, "action": action, "errnoRet": errno, "args": args})
        },
    )
}

pub(crate) fn document() -> impl Strategy<Value = Value> {
    let default =
        prop_oneof![4 => Just("SCMP_ACT_ERRNO"), 1 => Just("SCMP_ACT_KILL_PROCESS"), 2 => Just("SCMP_ACT_ALLOW")];
    let architectures = prop::sample::subsequence(vec!["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], 0..4);
    (default, architectures, prop::collection::vec(entry(), 0..8))
        .prop_map(|(default, architectures, entries)| json!({"defaultAction": default, "architectures": architectures, "syscalls": entries}))
}

/// The architecture and number of a call: mostly one with a name that profiles have, at times one without any.
pub(crate) fn number() -> impl Strategy<Value = (Abi, u32)> {
    let abi = || prop::sample::select(vec![Abi::X86_64, Abi::X86, Abi::X32]);
    let named = (abi(), prop::sample::select(NAMES))
        .prop_map(|(abi, name)| (abi, abi.number(name).or(abi.number("write")).unwrap()));
    let nameless = (abi(), prop::sample::select(NAMELESS)).prop_map(|(abi, number)| {
        let number = if abi == Abi::X32 { number | X32_BIT } else { number };
        (Abi::from_audit(abi.audit_arch(), number).unwrap(), number)
    });
    prop_oneof![5 => named, 1 => nameless]
}

pub(crate) fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = (number(), prop::array::uniform6(value())).prop_map(|((abi, nr), mut args)| {
        if abi == Abi::X86 {
            // The kernel has only the lower halves of the registers of a 32-bit program.
            args = args.map(|arg| arg & 0xffff_ffff);
        }
        Call { abi, nr, args }
    });
    prop::collection::vec(call, 48)
}

/// How many comparisons a test makes at least: 10,000, or as many as `SPO_SECCOMP_COMPARISONS` says (`cargo xtask soak seccomp`).
pub(crate) fn comparisons() -> usize {
    std::env::var("SPO_SECCOMP_COMPARISONS").map_or(10_000, |count| count.parse().unwrap())
}

/// Random values without end; the same ones in every run.
pub(crate) fn draws<S: Strategy>(strategy: S) -> impl Iterator<Item = S::Value> {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).unwrap().current())
}

/// Random profiles with random calls.
pub(crate) fn cases() -> impl Iterator<Item = (Profile, Vec<Call>)> {
    draws((document(), calls())).filter_map(|(document, calls)| Some((profile(&document)?, calls)))
}

/// Two random profiles that list the same architectures, with random calls; at times they have a part in common.
pub(crate) fn pairs() -> impl Iterator<Item = (Profile, Profile, Vec<Call>)> {
    let strategy = (document(), document(), any::<bool>(), any::<bool>(), calls());
    draws(strategy).filter_map(|(one, mut other, same_default, shared, calls)| {
        other["architectures"] = one["architectures"].clone();
        if same_default {
            other["defaultAction"] = one["defaultAction"].clone();
        }
        if shared {
            let entries = one["syscalls"].as_array()?.clone();
            other["syscalls"].as_array_mut()?.extend(entries);
        }
        Some((profile(&one)?, profile(&other)?, calls))
    })
}

fn profile(document: &Value) -> Option<Profile> {
    parse_oci("random".parse().unwrap(), document.to_string().as_bytes()).ok()
}
