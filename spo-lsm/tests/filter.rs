//! The meaning of profiles in examples, through the evaluator and the compiled filter alike.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use serde_json::{Value, json};
use spo_api::syscalls::{Abi, X32_BIT};
use spo_lsm::seccomp::{Call, Effect, Profile, Verdict, compile, compile_notifying, evaluate};

mod common;

/// The verdict on a call, which evaluator and filter agree on.
fn verdict(profile: &Profile, call: &Call) -> Effect {
    let effect = evaluate(profile, Abi::X86_64, call).effect();
    let program = compile(profile, Abi::X86_64).unwrap();
    assert_eq!(common::run(program.instructions(), call), effect.return_value(), "{call:?}\n{program}");
    effect
}

fn x86(name: &str, args: [u64; 6]) -> Call {
    Call { abi: Abi::X86, nr: Abi::X86.number(name).unwrap(), args }
}

fn profile(architectures: &[&str], entries: Value) -> Profile {
    common::profile(json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": architectures, "syscalls": entries}))
}

#[test]
fn calls_of_an_architecture_that_is_not_listed_kill() {
    let allow = json!([{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]);
    let native_only = profile(&[], allow.clone());
    let both = profile(&["SCMP_ARCH_X86"], allow);
    assert_eq!(verdict(&native_only, &x86("read", [0; 6])), Effect::KillThread);
    assert_eq!(evaluate(&native_only, Abi::X86_64, &x86("read", [0; 6])), Verdict::Uncovered);
    assert_eq!(verdict(&both, &x86("read", [0; 6])), Effect::Allow);
    // The machine's own is always there, listed or not.
    assert_eq!(verdict(&both, &common::call("read", [0; 6])), Effect::Allow);
    assert_eq!(common::run_raw(compile(&both, Abi::X86_64).unwrap().instructions(), 0x4000_0028, 3, &[0; 6]), 0);
}

#[test]
fn x32_is_told_by_its_bit() {
    let allow = json!([{"names": ["read", "execve"], "action": "SCMP_ACT_ALLOW"}]);
    let x32 = |name: &str| Call { abi: Abi::X32, nr: Abi::X32.number(name).unwrap(), args: [0; 6] };
    assert_eq!(verdict(&profile(&["SCMP_ARCH_X86_64"], allow.clone()), &x32("read")), Effect::KillThread);
    let with = profile(&["SCMP_ARCH_X32"], allow);
    assert_eq!(verdict(&with, &x32("execve")), Effect::Allow);
    // 59 is execve on x86_64 and something else with the bit.
    assert_eq!(verdict(&with, &Call { abi: Abi::X32, nr: X32_BIT + 59, args: [0; 6] }), Effect::Errno(None));
}

#[test]
fn x86_sockets_may_come_through_socketcall() {
    let profile = profile(&["SCMP_ARCH_X86"], json!([{"names": ["socket", "semop"], "action": "SCMP_ACT_ALLOW"}]));
    assert_eq!(verdict(&profile, &x86("socketcall", [1, 0, 0, 0, 0, 0])), Effect::Allow);
    assert_eq!(verdict(&profile, &x86("socketcall", [2, 0, 0, 0, 0, 0])), Effect::Errno(None));
    assert_eq!(verdict(&profile, &x86("ipc", [1, 0, 0, 0, 0, 0])), Effect::Allow);
    assert_eq!(verdict(&profile, &x86("socket", [0; 6])), Effect::Allow);
}

#[test]
fn the_first_entry_without_conditions_decides_alone() {
    let when = |action: &str| json!({"names": ["clone"], "action": action, "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]});
    let always = |action: &str| json!({"names": ["clone"], "action": action});
    let first = profile(&[], json!([when("SCMP_ACT_KILL_PROCESS"), always("SCMP_ACT_LOG"), always("SCMP_ACT_ALLOW")]));
    assert_eq!(verdict(&first, &common::call("clone", [1, 0, 0, 0, 0, 0])), Effect::Log);
}

#[test]
fn the_more_restrictive_of_two_conditional_entries_decides() {
    let when = |action: &str, op: &str| json!({"names": ["clone"], "action": action, "args": [{"index": 0, "value": 5, "op": op}]});
    let profile =
        profile(&[], json!([when("SCMP_ACT_ALLOW", "SCMP_CMP_LE"), when("SCMP_ACT_KILL_PROCESS", "SCMP_CMP_GE")]));
    let meets = |argument: u64| verdict(&profile, &common::call("clone", [argument, 0, 0, 0, 0, 0]));
    assert_eq!((meets(4), meets(5), meets(6)), (Effect::Allow, Effect::KillProcess, Effect::KillProcess));
}

#[test]
fn conditions_must_all_hold_but_those_on_one_argument() {
    let equal = |index: u8, value: u64| json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"});
    let not = |index: u8, value: u64| json!({"index": index, "value": value, "op": "SCMP_CMP_NE"});
    let all =
        profile(&[], json!([{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [equal(0, 1), equal(1, 2)]}]));
    let meets = |profile: &Profile, a: u64, b: u64| {
        verdict(profile, &common::call("clone", [a, b, 0, 0, 0, 0])) == Effect::Allow
    };
    assert_eq!((meets(&all, 1, 2), meets(&all, 1, 3), meets(&all, 0, 2)), (true, false, false));
    let either = profile(
        &[],
        json!([{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [not(0, 1), not(0, 2), equal(1, 2)]}]),
    );
    assert_eq!((meets(&either, 1, 3), meets(&either, 1, 2)), (true, true));
}

#[test]
fn an_entry_with_the_default_action_does_nothing() {
    let profile = profile(
        &[],
        json!([
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        ]),
    );
    assert_eq!(verdict(&profile, &common::call("clone", [1, 0, 0, 0, 0, 0])), Effect::Allow);
}

#[test]
fn a_notifying_filter_asks_about_all_that_the_profile_does_not_simply_allow() {
    let profile = profile(
        &[],
        json!([
            {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["write"], "action": "SCMP_ACT_LOG"},
            {"names": ["open"], "action": "SCMP_ACT_KILL_PROCESS"},
        ]),
    );
    let program = compile_notifying(&profile, Abi::X86_64).unwrap();
    for (name, effect) in
        [("read", Effect::Allow), ("write", Effect::Notify), ("open", Effect::Notify), ("close", Effect::Notify)]
    {
        assert_eq!(common::run(program.instructions(), &common::call(name, [0; 6])), effect.return_value(), "{name}");
    }
    assert_eq!(common::run(program.instructions(), &x86("read", [0; 6])), Effect::Notify.return_value());
}

#[test]
fn jumps_longer_than_a_comparison_reaches_arrive() {
    // Many conditions for one call stand between the search and other answers.
    let many: Vec<Value> = (0..120_u64)
        .map(|at| json!({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": at << 34 | at << 1, "op": "SCMP_CMP_EQ"}]}))
        .chain([json!({"names": ["read", "getppid", "openat"], "action": "SCMP_ACT_ALLOW"}), json!({"names": ["mount"], "action": "SCMP_ACT_TRAP"})])
        .collect();
    let profile = profile(&["SCMP_ARCH_X86", "SCMP_ARCH_X32"], json!(many));
    assert!(compile(&profile, Abi::X86_64).unwrap().instructions().len() > 600);
    for (number, name) in Abi::X86_64.calls() {
        let call = Call { abi: Abi::X86_64, nr: number, args: [0, 119 << 34 | 119 << 1, 0, 0, 0, 0] };
        let expected = match name {
            "ioctl" | "read" | "getppid" | "openat" => Effect::Allow,
            "mount" => Effect::Trap,
            _ => Effect::Errno(None),
        };
        assert_eq!(verdict(&profile, &call), expected, "{name}");
    }
    assert_eq!(verdict(&profile, &x86("ioctl", [0, 118 << 1, 0, 0, 0, 0])), Effect::Allow);
    assert_eq!(verdict(&profile, &x86("ioctl", [0, 601, 0, 0, 0, 0])), Effect::Errno(None));
}

#[test]
fn every_number_meets_what_the_evaluator_says() {
    let names: Vec<&str> = Abi::X86_64.calls().step_by(3).map(|(_, name)| name).collect();
    let profile = common::allowing(&names);
    for nr in (0..1000).chain([X32_BIT - 1, X32_BIT, 1 << 31, u32::MAX - 1, u32::MAX]) {
        let abi = Abi::from_audit(Abi::X86_64.audit_arch(), nr).unwrap();
        verdict(&profile, &Call { abi, nr, args: [0; 6] });
    }
}

#[test]
fn a_filter_can_be_read() {
    let text = compile(&common::allowing(&["read"]), Abi::Aarch64).unwrap().to_string();
    assert!(text.starts_with("   0  ld [4]\n   1  jeq 0xc00000b7, 2, "), "{text}");
    assert!(text.contains("jeq 0x3f"), "{text}");
}
