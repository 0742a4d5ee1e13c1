//! The meaning of profiles is what libseccomp makes of them, driven as runc drives it.
//!
//! Random profiles are compiled by both; random calls, near the values that the profiles compare with, must meet the same answer. The
//! evaluator must say the same. Where libseccomp itself has no answer that follows from the profile, the cases are left out, each with
//! its reason at [`ambiguous`].
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use common::random;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use serde_json::{Value, json};
use spo_api::Violation;
use spo_api::seccomp::Arch;
use spo_api::syscalls::{Abi, X32_BIT};
use spo_lsm::seccomp::{
    Call, Condition, Effect, Entry, Form, Instruction, Profile, Test, compile, evaluate, intersect, merge, parse_oci,
    to_json, union,
};

mod common;

fn action(effect: Effect) -> ScmpAction {
    let number = |number: Option<u16>| number.unwrap_or(Effect::DEFAULT_ERRNO);
    match effect {
        Effect::Kill | Effect::KillThread => ScmpAction::KillThread,
        Effect::KillProcess => ScmpAction::KillProcess,
        Effect::Trap => ScmpAction::Trap,
        Effect::Errno(errno) => ScmpAction::Errno(number(errno).into()),
        Effect::Trace(message) => ScmpAction::Trace(number(message)),
        Effect::Allow => ScmpAction::Allow,
        Effect::Log => ScmpAction::Log,
        Effect::Notify => ScmpAction::Notify,
    }
}

fn compare(condition: &Condition) -> ScmpArgCompare {
    let (operator, datum) = match condition.test {
        Test::NotEqual(value) => (ScmpCompareOp::NotEqual, value),
        Test::LessThan(value) => (ScmpCompareOp::Less, value),
        Test::LessEqual(value) => (ScmpCompareOp::LessOrEqual, value),
        Test::Equal(value) => (ScmpCompareOp::Equal, value),
        Test::GreaterEqual(value) => (ScmpCompareOp::GreaterEqual, value),
        Test::GreaterThan(value) => (ScmpCompareOp::Greater, value),
        Test::MaskedEqual { mask, value } => (ScmpCompareOp::MaskedEqual(mask), value),
    };
    ScmpArgCompare::new(condition.argument.index().into(), operator, datum)
}

/// What runc (libcontainer/seccomp) and crun (libcrun/seccomp.c) do with a profile: entries in order, name by name; those with the default
/// action are left out, as are unknown names; conditions on one argument become rules of their own. Where a profile has more than 32
/// names, runc asks for a binary tree besides.
fn oracle(profile: &Profile, tree: bool) -> Result<Vec<Instruction>, libseccomp::error::SeccompError> {
    let mut filter = ScmpFilterContext::new(action(profile.default_effect()))?;
    if tree {
        filter.set_ctl_optimize(2)?;
    }
    for arch in profile.architectures() {
        match arch {
            Arch::X86 => filter.add_arch(ScmpArch::X86)?,
            Arch::X32 => filter.add_arch(ScmpArch::X32)?,
            _ => &mut filter,
        };
    }
    for entry in profile.entries().iter().filter(|entry| !entry.effect().same_as(profile.default_effect())) {
        for name in entry.names() {
            let Ok(syscall) = ScmpSyscall::from_name(name) else { continue };
            add(&mut filter, syscall, entry)?;
        }
    }
    let mut file = tempfile::tempfile().unwrap();
    filter.export_bpf(&file)?;
    Ok(read(&mut file))
}

fn add(
    filter: &mut ScmpFilterContext,
    syscall: ScmpSyscall,
    entry: &Entry,
) -> Result<(), libseccomp::error::SeccompError> {
    let conditions: Vec<ScmpArgCompare> = entry.conditions().iter().map(compare).collect();
    if conditions.is_empty() {
        filter.add_rule(action(entry.effect()), syscall)?;
    } else if repeats(entry) {
        for condition in conditions {
            filter.add_rule_conditional(action(entry.effect()), syscall, &[condition])?;
        }
    } else {
        filter.add_rule_conditional(action(entry.effect()), syscall, &conditions)?;
    }
    Ok(())
}

fn repeats(entry: &Entry) -> bool {
    let mut arguments: Vec<_> = entry.conditions().iter().map(|condition| condition.argument).collect();
    arguments.sort_unstable();
    arguments.windows(2).any(|pair| pair[0] == pair[1])
}

fn read(file: &mut std::fs::File) -> Vec<Instruction> {
    use std::io::{Read, Seek};
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    let word = |bytes: &[u8]| u16::from_ne_bytes(bytes.try_into().unwrap());
    let instruction = |bytes: &[u8]| Instruction {
        code: word(&bytes[..2]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_ne_bytes(bytes[4..8].try_into().unwrap()),
    };
    bytes.chunks_exact(8).map(instruction).collect()
}

/// Profiles to which libseccomp 2.5 gives no answer that follows from the profile alone.
///
/// * What [`Profile::warnings`] says of: entries for one call that it mixes up, those of which it chooses one, and those that it loses.
/// * A rule for a call that an ABI lacks, where none is without conditions: which one is the first, and lost, is hard to tell.
/// * On 32-bit ABIs, LE is compiled from a flag that is not initialised, and a value outside its mask is compared all the same.
fn ambiguous(profile: &Profile) -> bool {
    let told = ["libseccomp mixes up", "libseccomp loses", "the runtime chooses"];
    let is_told = |warning: &Violation| told.iter().any(|told| warning.reason.contains(told));
    // What one profile says that was made of others is said when it is read.
    let read = parse_oci(profile.name().clone(), to_json(profile, Form::Compact).as_bytes());
    let Ok(warnings) = read.as_ref().map(Profile::warnings) else { return true };
    let told: Vec<&Entry> =
        profile.entries().iter().filter(|entry| !entry.effect().same_as(profile.default_effect())).collect();
    let names = |conditional: bool| {
        let entries = told.iter().filter(move |entry| entry.conditions().is_empty() != conditional);
        entries.flat_map(|entry| entry.names())
    };
    let abis = profile.abis(Abi::X86_64);
    let lacks = |abi: &Abi| {
        let here = |name: &String| abi.number(name).is_some();
        let late = *abi != Abi::X86_64 || abis.contains(&Abi::X32);
        late && names(true).any(|name| !here(name)) && !names(false).any(here)
    };
    let narrow = abis.iter().any(|abi| abi.is_32_bit());
    let odd = |condition: &Condition| match condition.test {
        Test::LessEqual(_) => narrow,
        Test::MaskedEqual { mask, value } => narrow && value & !mask != 0,
        _ => false,
    };
    warnings.iter().any(is_told) || abis.iter().any(lacks) || told.iter().flat_map(|entry| entry.conditions()).any(odd)
}

#[test]
fn ten_thousand_random_calls_meet_what_libseccomp_answers() {
    let wanted = random::comparisons();
    let (mut compared, mut profiles, mut refused) = (0, 0, 0);
    for (profile, calls) in random::cases().filter(|(profile, _)| !ambiguous(profile)) {
        let Ok(theirs) = oracle(&profile, false) else {
            // Runtimes would not start the container; whoever wrote the profile was told.
            let told = profile.warnings().iter().any(|warning| warning.reason.contains("another action"));
            assert!(told, "libseccomp refuses a profile that we do not warn of: {profile:#?}");
            refused += 1;
            continue;
        };
        let ours = compile(&profile, Abi::X86_64).unwrap();
        for call in &calls {
            let theirs_says = common::run(&theirs, call);
            let name = call.abi.name(call.nr);
            let evaluated = evaluate(&profile, Abi::X86_64, call).effect().return_value();
            assert_eq!(evaluated, theirs_says, "evaluated: {name:?} {call:x?} under {profile:#?}");
            let compiled = common::run(ours.instructions(), call);
            assert_eq!(compiled, theirs_says, "compiled: {name:?} {call:x?} under {profile:#?}\n{ours}");
            compared += 1;
        }
        profiles += 1;
        if compared >= wanted {
            break;
        }
    }
    println!(
        "{compared} calls under {profiles} profiles compared with libseccomp, 0 differences; it refuses {refused} profiles"
    );
}

#[test]
fn what_is_made_of_two_profiles_means_to_libseccomp_what_it_means_here() {
    let wanted = random::comparisons();
    let mut compared = [0, 0, 0];
    for (one, other, calls) in random::pairs() {
        let made = [
            merge(&one, &other).ok(),
            intersect(&one, &other).ok().map(|both| both.profile),
            Some(union(&one, &other)),
        ];
        for (profile, compared) in made.iter().zip(&mut compared) {
            let Some(profile) = profile.as_ref().filter(|profile| !ambiguous(profile)) else { continue };
            let Ok(theirs) = oracle(profile, false) else { continue };
            for call in &calls {
                let evaluated = evaluate(profile, Abi::X86_64, call).effect().return_value();
                assert_eq!(evaluated, common::run(&theirs, call), "{call:x?} under {profile:#?}");
            }
            *compared += calls.len();
        }
        if compared.iter().all(|compared| 3 * compared >= wanted) {
            break;
        }
    }
    let [merged, intersected, united] = compared;
    println!(
        "compared with libseccomp, 0 differences: {merged} calls under merged profiles, {intersected} under intersections, {united} under profiles with a base"
    );
}

#[test]
fn the_binary_tree_that_runc_asks_for_changes_no_answer() {
    let names: Vec<&str> = Abi::X86_64.calls().take(300).map(|(_, name)| name).collect();
    for (every, skipped) in [(1, 0), (2, 1), (3, 40), (5, 3)] {
        let names: Vec<&str> = names.iter().skip(skipped).step_by(every).copied().collect();
        let profile = common::allowing(&names);
        let theirs = oracle(&profile, true).unwrap();
        for (nr, name) in Abi::X86_64.calls() {
            let call = Call { abi: Abi::X86_64, nr, args: [0; 6] };
            let evaluated = evaluate(&profile, Abi::X86_64, &call).effect().return_value();
            assert_eq!(evaluated, common::run(&theirs, &call), "{name} of {} names", names.len());
        }
    }
}

#[test]
fn evaluator_and_filter_agree_on_any_profile() {
    for (profile, calls) in random::cases().take(150) {
        let program = compile(&profile, Abi::X86_64).unwrap();
        for call in &calls {
            let says = evaluate(&profile, Abi::X86_64, call).effect().return_value();
            assert_eq!(common::run(program.instructions(), call), says, "{call:x?} under {profile:#?}\n{program}");
        }
    }
}

#[test]
fn a_long_allow_list_takes_a_fraction_of_the_steps() {
    for every in [2, 3, 7] {
        let names: Vec<&str> = Abi::X86_64.calls().take(335).step_by(every).map(|(_, name)| name).collect();
        let profile = common::allowing(&names);
        let (ours, theirs) = (compile(&profile, Abi::X86_64).unwrap(), oracle(&profile, false).unwrap());
        let steps = |program: &[Instruction]| -> usize {
            names.iter().map(|name| common::steps(program, &common::call(name, [0; 6]))).sum()
        };
        let (fast, slow) = (steps(ours.instructions()), steps(&theirs));
        println!(
            "{} calls allowed: {} instructions, {} steps on average; libseccomp {} and {}",
            names.len(),
            ours.instructions().len(),
            fast / names.len(),
            theirs.len(),
            slow / names.len(),
        );
        assert!(fast * 2 < slow);
        assert!(ours.instructions().len() * 2 < theirs.len() * 3);
    }
}

#[test]
fn libseccomp_refuses_two_actions_under_the_same_conditions() {
    let mut filter = ScmpFilterContext::new(ScmpAction::Errno(1)).unwrap();
    let personality = ScmpSyscall::from_name("personality").unwrap();
    let equal = [ScmpArgCompare::new(0, ScmpCompareOp::Equal, 8)];
    filter.add_rule_conditional(ScmpAction::Allow, personality, &equal).unwrap();
    filter.add_rule_conditional(ScmpAction::Log, personality, &equal).unwrap_err();
    let entry = |action: &str| json!({"names": ["personality"], "action": action, "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]});
    let spec = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [entry("SCMP_ACT_ALLOW"), entry("SCMP_ACT_LOG")]});
    let violations = common::violations(spec);
    assert!(violations[0].starts_with("spec.syscalls[1]: contradictory argument rules"), "{violations:?}");
}

/// Should this fail with a later libseccomp, it has learnt it: then neither the warning nor a part of [`ambiguous`] is needed any more.
#[test]
fn what_libseccomp_loses_is_warned_of() {
    let condition = json!([{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]);
    let refused = |names: &[&str], args: &Value| json!({"names": names, "action": "SCMP_ACT_ERRNO", "args": args});
    let profile = |entries: &[Value]| {
        common::profile(
            json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "syscalls": entries}),
        )
    };
    let call = Call { abi: Abi::X86, nr: Abi::X86.number("personality").unwrap(), args: [38, 0, 0, 0, 0, 0] };
    let conditional = refused(&["personality"], &condition);
    let lost = profile(&[refused(&["recv"], &json!([])), conditional.clone()]);
    let says = |profile: &Profile| common::run(&oracle(profile, false).unwrap(), &call);
    assert_eq!(says(&lost), Effect::Allow.return_value());
    let warnings: Vec<String> = lost.warnings().iter().map(ToString::to_string).collect();
    assert!(warnings[0].contains("libseccomp loses all entries on x86, which has no recv"), "{warnings:?}");
    let kept = [
        profile(&[refused(&["recv", "recvmsg"], &json!([])), conditional.clone()]),
        profile(std::slice::from_ref(&conditional)),
    ];
    for kept in kept {
        assert_eq!(says(&kept), Effect::Errno(None).return_value());
        assert!(!kept.warnings().iter().any(|warning| warning.reason.contains("loses")), "{kept:?}");
    }
    let allowed = |names: &[&str], args: &Value| json!({"names": names, "action": "SCMP_ACT_ALLOW", "args": args});
    let unknown = [allowed(&["no_such_call"], &json!([])), allowed(&["personality"], &condition)];
    let unknown = common::profile(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": unknown}));
    assert!(!unknown.warnings().iter().any(|warning| warning.reason.contains("loses")), "{unknown:?}");
    // With the binary tree that runc asks for where there are many names, nothing is lost; crun asks for none.
    let others: Vec<&str> =
        Abi::X86.calls().map(|(_, name)| name).filter(|name| *name != "personality").take(40).collect();
    let many = profile(&[refused(&["recv"], &json!([])), conditional.clone(), refused(&others, &condition)]);
    assert_eq!(common::run(&oracle(&many, true).unwrap(), &call), Effect::Errno(None).return_value());
    assert_eq!(says(&many), Effect::Allow.return_value());
    // A condition that looks at no bit is none.
    let blind = json!([{"index": 0, "value": 0, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]);
    let blind = profile(&[refused(&["recv"], &blind), conditional.clone()]);
    assert_eq!(says(&blind), Effect::Allow.return_value());
    for lost in [many, blind] {
        assert!(lost.warnings().iter().any(|warning| warning.reason.contains("loses all entries on x86")), "{lost:?}");
    }
    // The machine of a node may be of another sort than this one.
    let deny = profile(&[refused(&["mkdir"], &json!([])), refused(&["socket"], &condition)]);
    assert!(
        deny.warnings().iter().any(|warning| warning.reason.contains("on aarch64, which has no mkdir")),
        "{deny:?}"
    );
}

/// Should this fail with a later libseccomp, it has learnt it, as above.
#[test]
fn what_libseccomp_mixes_up_is_warned_of() {
    let test = |op: &str, index: u8, value: u64| json!({"index": index, "value": value, "op": op});
    let allowed = |args: &[Value]| json!({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": args});
    let profile = |entries: &[Value]| common::profile(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries}));
    let mixed = profile(&[allowed(&[test("SCMP_CMP_GE", 0, 0x1_ffff_ffff)]), allowed(&[test("SCMP_CMP_LT", 0, 1)])]);
    let call = common::call("personality", [6, 0, 0, 0, 0, 0]);
    assert_eq!(evaluate(&mixed, Abi::X86_64, &call).effect(), Effect::Errno(None));
    assert_eq!(common::run(&oracle(&mixed, false).unwrap(), &call), Effect::Allow.return_value());
    let says =
        |profile: &Profile| profile.warnings().iter().any(|warning| warning.reason.contains("here for personality"));
    assert!(says(&mixed), "{mixed:?}");
    let equal = |index, value| test("SCMP_CMP_EQ", index, value);
    let fine = [
        profile(&[allowed(&[test("SCMP_CMP_LT", 0, 1), test("SCMP_CMP_GE", 1, 1)])]),
        profile(&[allowed(&[equal(0, 8), equal(1, 2)]), allowed(&[equal(0, 9)]), allowed(&[equal(2, 0)])]),
        profile(&[allowed(&[test("SCMP_CMP_GE", 0, 8)]), allowed(&[test("SCMP_CMP_NE", 0, 9)])]),
        profile(&[allowed(&[test("SCMP_CMP_LT", 0, 1)]), allowed(&[])]),
    ];
    assert!(!fine.iter().any(says), "{fine:?}");
}

#[test]
fn every_call_that_libseccomp_knows_is_in_our_tables() {
    let tables = [
        (ScmpArch::X8664, Abi::X86_64, 0),
        (ScmpArch::X86, Abi::X86, 0),
        (ScmpArch::X32, Abi::X32, X32_BIT),
        (ScmpArch::Aarch64, Abi::Aarch64, 0),
    ];
    for (arch, abi, base) in tables {
        for number in (0..1000).map(|number| number | base) {
            let Ok(name) = ScmpSyscall::from(number.cast_signed()).get_name_by_arch(arch) else { continue };
            assert_eq!(abi.name(number), Some(name.as_str()), "{abi} {number}");
        }
    }
    for arch in [
        ScmpArch::Arm,
        ScmpArch::Mips,
        ScmpArch::Ppc,
        ScmpArch::Ppc64,
        ScmpArch::S390,
        ScmpArch::S390X,
        ScmpArch::Riscv64,
    ] {
        for number in (0..1000).chain(0xf_0000..0xf_0010) {
            let Ok(name) = ScmpSyscall::from(number).get_name_by_arch(arch) else { continue };
            assert!(spo_api::syscalls::is_known(&name), "{arch:?} has {name}");
        }
    }
}
