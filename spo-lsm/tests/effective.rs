//! Merging, intersecting and comparing profiles, by what happens to calls: random profiles, random calls, and the evaluator as judge.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it did")]

use common::random::{comparisons, pairs};
use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{
    Call, Calls, Effect, MergeError, Permits, Profile, compile, diff, evaluate, excess, intersect, merge, parse_oci,
    union,
};

mod common;

fn effect(profile: &Profile, call: &Call) -> Effect {
    let native = if call.abi == Abi::Aarch64 { Abi::Aarch64 } else { Abi::X86_64 };
    evaluate(profile, native, call).effect()
}

fn permits(profile: &Profile, call: &Call) -> bool {
    effect(profile, call).is_permissive()
}

/// What the kernel answers first where several filters disagree.
fn severity(effect: Effect) -> i32 {
    (effect.return_value() & 0xffff_0000).cast_signed()
}

/// Whether both profiles are asked about the call at all: else it kills, whatever they say.
fn covered(profile: &Profile, call: &Call) -> bool {
    profile.abis(Abi::X86_64).contains(&call.abi)
}

fn is_narrow(profile: &Profile) -> bool {
    profile.abis(Abi::X86_64).iter().any(|abi| abi.is_32_bit())
}

/// Runs `check` on random pairs of profiles until it has made as many comparisons as are wanted; it says how many it made.
fn on_pairs(what: &str, mut check: impl FnMut(&Profile, &Profile, &[Call]) -> usize) {
    let (mut compared, mut count) = (0, 0);
    for (one, other, calls) in pairs() {
        compared += check(&one, &other, &calls);
        count += 1;
        if compared >= comparisons() {
            break;
        }
    }
    println!("{what}: {compared} calls under {count} pairs of profiles, 0 differences");
}

#[test]
fn w_op_10_a_merged_profile_permits_what_one_of_the_two_permits_and_no_more() {
    let (mut merged, mut different, mut narrow, mut complex) = (0, 0, 0, 0);
    on_pairs("merge", |one, other, calls| {
        let whole = match merge(one, other) {
            Ok(whole) => whole,
            Err(MergeError::DefaultActions { .. }) => {
                assert!(!one.default_effect().same_as(other.default_effect()));
                different += 1;
                return 0;
            }
            Err(MergeError::Inexact { call, result, base, other: second, .. }) => {
                assert_eq!((base, second), (effect(one, &call), effect(other, &call)), "{call:x?}");
                assert_ne!(result.is_permissive(), base.is_permissive() || second.is_permissive());
                assert!(call.abi.is_32_bit(), "{call:x?} in {one:#?}\nand {other:#?}");
                narrow += 1;
                return 0;
            }
            // What is too much to be compared, or to be a profile, is said, and nothing is guessed.
            Err(MergeError::TooComplex { .. } | MergeError::TooLarge { .. }) => {
                complex += 1;
                return 0;
            }
            Err(error) => panic!("{error}"),
        };
        merged += 1;
        for call in calls {
            let expected = permits(one, call) || permits(other, call);
            assert_eq!(permits(&whole, call), expected, "{call:x?} in {one:#?}\nand {other:#?}\nis {whole:#?}");
        }
        assert_eq!(excess(one, &whole), Ok(None), "the first permits more than both");
        assert_eq!(excess(other, &whole), Ok(None), "the second permits more than both");
        calls.len()
    });
    println!(
        "merged {merged}; not merged: {different} differ in the default action, {narrow} on 32-bit ABIs, {complex} are too complex"
    );
    assert!(merged > 20 * complex && merged > 4 * narrow, "too few could be merged");
}

#[test]
fn what_was_merged_in_is_there_already_when_it_is_merged_again() {
    let mut same = 0;
    for (one, other, _) in pairs().take(150) {
        let Ok(whole) = merge(&one, &other) else { continue };
        let Ok(again) = merge(&whole, &other) else { panic!("{other:#?} cannot be merged again into {whole:#?}") };
        let changes = diff(&whole, &again);
        assert!(changes.is_empty(), "{changes}{whole:#?}{again:#?}");
        same += 1;
    }
    assert!(same > 50, "only {same}");
}

#[test]
fn an_intersection_permits_only_what_both_permit_and_all_of_it_where_it_says_so() {
    let (mut exact, mut tightened, mut narrow) = (0, 0, 0);
    on_pairs("intersect", |one, other, calls| {
        // The only other answer is that they are too much to be compared.
        let Ok(both) = intersect(one, other) else { return 0 };
        for call in calls.iter().filter(|call| covered(one, call)) {
            let (result, least) = (effect(&both.profile, call), effect(one, call).min_of(effect(other, call)));
            let context = || format!("{call:x?} in {one:#?}\nand {other:#?}\nis {:#?}", both.profile);
            assert!(severity(result) <= severity(least), "{}", context());
            let name = call.abi.name(call.nr).unwrap_or_default();
            if !both.tightened.iter().any(|one| one == name) {
                assert_eq!(severity(result), severity(least), "{}", context());
            }
        }
        for input in [one, other] {
            // Some calls have more conditions than can be compared, which is said; the calls above hold for them, too.
            let excess = excess(&both.profile, input);
            assert!(!matches!(excess, Ok(Some(_))), "{excess:?}");
        }
        if both.tightened.is_empty() {
            exact += 1;
        } else if is_narrow(one) {
            narrow += 1;
        } else {
            tightened += 1;
        }
        calls.len()
    });
    println!("{exact} intersections are exact; tighter are {tightened}, and {narrow} that cover 32-bit ABIs");
    assert!(exact > 20 * tightened && exact > 3 * narrow, "too few are exact");
}

trait MinOf {
    fn min_of(self, other: Self) -> Self;
}

impl MinOf for Effect {
    fn min_of(self, other: Self) -> Self {
        if severity(other) < severity(self) { other } else { self }
    }
}

#[test]
fn a_profile_is_no_more_than_another_unless_there_is_a_call_that_shows_it() {
    let (mut within, mut beyond) = (0, 0);
    on_pairs("subset", |one, other, calls| {
        match excess(one, other).unwrap() {
            None => {
                within += 1;
                for call in calls {
                    assert!(!permits(one, call) || permits(other, call), "{call:x?} in {one:#?}\nand {other:#?}");
                }
            }
            Some(found) => {
                beyond += 1;
                assert_eq!(effect(one, &found.call), found.permitted, "{found:x?}");
                assert_eq!(effect(other, &found.call), found.refused, "{found:x?}");
                assert!(found.permitted.is_permissive() && !found.refused.is_permissive());
            }
        }
        calls.len()
    });
    println!("{within} are within the other, {beyond} are not");
    assert!(within > 10 && beyond > 10);
}

#[test]
fn every_call_that_is_treated_otherwise_is_in_the_difference_and_nothing_else_is() {
    on_pairs("diff", |one, other, calls| {
        let difference = diff(one, other);
        for change in &difference.changes {
            let (first, second) = (effect(one, &change.example), effect(other, &change.example));
            assert_eq!((first, second), (change.first, change.second), "{change:x?} in {one:#?}\nand {other:#?}");
            assert!(!first.same_as(second));
            let expected = match (first.is_permissive(), second.is_permissive()) {
                (true, false) => Permits::First,
                (false, true) => Permits::Second,
                (true, true) => Permits::Both,
                (false, false) => Permits::Neither,
            };
            assert_eq!(change.permits(), expected);
        }
        for call in calls {
            let differs = !effect(one, call).same_as(effect(other, call));
            let name = call.abi.name(call.nr);
            let told = difference.changes.iter().any(|change| {
                change.abis.contains(&call.abi)
                    && match &change.calls {
                        Calls::All | Calls::Others => true,
                        Calls::Named(names) => names.iter().any(|one| Some(one.as_str()) == name),
                    }
            });
            assert!(!differs || told, "{name:?} {call:x?} in {one:#?}\nand {other:#?}\nnot in {difference}");
        }
        if difference.is_empty() {
            assert_eq!(compile(one, Abi::X86_64).is_ok(), compile(other, Abi::X86_64).is_ok());
        }
        calls.len()
    });
}

#[test]
fn entries_of_a_base_profile_are_merged_without_a_change_of_the_filter() {
    on_pairs("base profiles", |base, derived, calls| {
        let whole = union(base, derived);
        let Some(plain) = concatenated(base, derived) else { return 0 };
        let changes = diff(&whole, &plain);
        // Calls with more conditions than can be compared are named as such; the calls below hold for them, too.
        assert!(changes.changes.is_empty() && changes.settings.is_empty(), "{changes}in {base:#?}\nand {derived:#?}");
        for call in calls {
            assert!(effect(&whole, call).same_as(effect(&plain, call)), "{call:x?} in {base:#?}\nand {derived:#?}");
        }
        calls.len()
    });
}

/// What the reference makes of a profile and its base (`spec/node.md` 3.3): all entries of both, sorted by action. None if they contradict
/// each other.
fn concatenated(base: &Profile, derived: &Profile) -> Option<Profile> {
    let document = |profile: &Profile| -> serde_json::Value {
        serde_json::from_str(&spo_lsm::seccomp::to_json(profile, spo_lsm::seccomp::Form::Compact)).unwrap()
    };
    let entries = |document: &serde_json::Value| document["syscalls"].as_array().cloned().unwrap_or_default();
    let mut whole = document(derived);
    let mut all = [entries(&document(base)), entries(&whole)].concat();
    all.sort_by_key(|entry| entry["action"].as_str().unwrap().to_owned());
    whole["syscalls"] = all.into();
    parse_oci("plain".parse().unwrap(), whole.to_string().as_bytes()).ok()
}
