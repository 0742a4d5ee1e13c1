//! Merging and comparing AppArmorProfiles: by what their texts permit, which a reader of these judges.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use spo_lsm::apparmor::{self, MergeError, Profile, diff, merge, to_spec, to_text};

mod apparmor_rules;
use apparmor_rules::{permitted, read};

fn profile(spec: Value) -> Profile {
    apparmor::parse("web".parse().unwrap(), &serde_json::from_value(spec).unwrap()).unwrap()
}

/// As `spoc` asks, which knows profiles of any kind.
#[test]
fn profiles_of_any_kind_are_merged_and_compared_apparmor_too() {
    let [read, write] = [files(&["/etc/web/*"], &[], &[]), files(&[], &["/var/log/web"], &[])];
    let [read, write] = [read, write].map(spo_lsm::Profile::AppArmor);
    let both = spo_lsm::merge(&read, &write).unwrap();
    assert!(spo_lsm::diff(&both, &spo_lsm::merge(&write, &read).unwrap()).unwrap().is_empty());
    let diff = spo_lsm::diff(&read, &both).unwrap().to_string();
    assert!(diff.contains("/var/log/web") && !diff.contains("/etc/web"), "{diff}");
}

fn files(read: &[&str], write: &[&str], both: &[&str]) -> Profile {
    profile(filesystem(json!({"readOnlyPaths": read, "writeOnlyPaths": write, "readWritePaths": both})))
}

fn filesystem(lists: Value) -> Value {
    json!({"abstract": {"filesystem": lists}})
}

fn lists(profile: &Profile) -> [Vec<&str>; 3] {
    [profile.read(), profile.write(), profile.read_write()].map(|list| list.iter().map(|path| path.as_str()).collect())
}

fn text(profile: &Profile) -> String {
    to_text(profile, profile.loaded_as())
}

fn data(group: &str) -> Value {
    let mut all: Value = serde_json::from_str(include_str!("data/apparmor.json")).unwrap();
    all[group].take()
}

/// Names of cases in which the reference makes whole folders writable because one file of them is (W-X-8).
const WIDENED: [(&str, [&[&str]; 3]); 2] = [
    ("promotion by read and write", [&["/r/*"], &["/w/*"], &["/r/bar", "/rw/*", "/w/foo"]]),
    ("promotion by read-write", [&["/r/*"], &["/w/*"], &["/r/foo", "/rw/*", "/w/foo"]]),
];

#[test]
fn merging_files_gives_what_the_reference_gives_where_that_permits_no_more() {
    let group = data("apparmor_merge_filesystem");
    let base = profile(filesystem(
        group["base"].clone().as_object().unwrap().iter().map(|(k, v)| (format!("{k}Paths"), v.clone())).collect(),
    ));
    for case in group["cases"].as_array().unwrap() {
        let named = |lists: &Value| -> Value {
            lists.as_object().unwrap().iter().map(|(k, v)| (format!("{k}Paths"), v.clone())).collect()
        };
        let merged = merge(&base, &profile(filesystem(named(&case["add"])))).unwrap();
        let name = case["name"].as_str().unwrap();
        match WIDENED.iter().find(|(differs, _)| *differs == name) {
            Some((_, expected)) => assert_eq!(lists(&merged), expected.map(<[&str]>::to_vec), "{name}"),
            None => {
                let expected = profile(filesystem(named(&case["want"])));
                assert_eq!(lists(&merged), lists(&expected), "{name}");
            }
        }
    }
}

#[test]
fn merging_flags_gives_what_the_reference_gives() {
    for case in data("apparmor_merge_flags")["cases"].as_array().unwrap() {
        for place in ["allowRaw", "allowTcp", "allowUdp"] {
            let with = |flag: &Value| {
                let network = match place {
                    "allowRaw" => json!({"allowRaw": flag}),
                    place => json!({"allowedProtocols": {place: flag}}),
                };
                profile(json!({"abstract": {"network": network}}))
            };
            let merged = merge(&with(&case[0]), &with(&case[1])).unwrap().network().unwrap();
            let flag = match place {
                "allowRaw" => merged.raw,
                "allowTcp" => merged.tcp,
                _ => merged.udp,
            };
            assert_eq!(json!(flag), case[2], "{place} {case}");
        }
    }
}

/// What the reference's set of paths is asked, and for its `pop`: which pattern is not wanted any more, once the path is in another list.
#[test]
fn patterns_match_what_those_of_the_reference_do() {
    let group = data("apparmor_path_set");
    let mut patterns: Vec<String> = serde_json::from_value(group["patterns"].clone()).unwrap();
    let glob = |text: &str| apparmor::Glob::parse(text).unwrap();
    for step in group["steps"].as_array().unwrap() {
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        if let Some(expected) = step["want"].as_bool() {
            let matched = patterns.iter().any(|pattern| glob(pattern).matches(text("matches").as_bytes()));
            assert_eq!(matched, expected, "{step}");
        } else if step.get("pop").is_some() {
            let found = patterns.iter().position(|pattern| glob(pattern).matches(text("pop").as_bytes()));
            assert_eq!(found.map(|at| patterns.remove(at)), step["want"].as_str().map(str::to_owned));
        } else if step.get("add").is_some() {
            patterns.push(text("add"));
        } else {
            assert_eq!(json!(patterns), step["patterns"]);
        }
    }
}

#[test]
fn w_x_7_what_one_writes_and_the_other_reads_is_written_and_no_denial_takes_it_away() {
    let merged = merge(&files(&["/tmp/x"], &[], &[]), &files(&[], &[], &["/tmp/*"])).unwrap();
    assert_eq!(lists(&merged), [vec![], vec![], vec!["/tmp/*"]]);
    assert!(!text(&merged).contains("/tmp/x"));
    let merged = merge(&files(&["/tmp/x", "/tmp/{y,z}"], &["/tmp/w"], &[]), &files(&[], &[], &["/tmp/*"])).unwrap();
    assert_eq!(lists(&merged), [vec![], vec![], vec!["/tmp/*"]], "each of several patterns");
}

#[test]
fn w_x_8_only_what_is_written_becomes_writable_and_no_denial_overlaps_what_is_permitted() {
    let merged = merge(&files(&["/**"], &[], &[]), &files(&[], &["/c"], &[])).unwrap();
    assert_eq!(lists(&merged), [vec!["/**"], vec![], vec!["/c"]]);
    let rules = read(&text(&merged));
    assert_eq!(["/c", "/d"].map(|path| permitted(&rules, path)), ["rw", "r"]);
}

#[rstest]
#[case::both_lists(files(&["/a"], &[], &[]), files(&[], &["/a"], &[]), "|  | /a")]
#[case::partly(files(&["/d/*.conf"], &[], &[]), files(&[], &[], &["/d/x*"]), "/d/*.conf |  | /d/x* /d/x.conf")]
#[case::crossed(files(&["/srv/*/a"], &[], &[]), files(&[], &["/srv/x/*"], &[]), "/srv/*/a | /srv/x/* | /srv/x/a")]
#[case::an_exception_that_stays(files(&["/d/key"], &[], &["/d/*"]), files(&[], &[], &["/e"]), "/d/key |  | /d/* /e")]
#[case::an_exception_that_goes(files(&["/d/key"], &[], &["/d/*"]), files(&[], &["/d/key"], &[]), "|  | /d/*")]
#[case::device(files(&["/dev/null"], &[], &[]), files(&[], &[], &[]), "|  | /dev/null")]
fn w_x_7_the_merge_permits_what_any_input_permits(
    #[case] base: Profile,
    #[case] other: Profile,
    #[case] expected: &str,
) {
    let merged = merge(&base, &other).unwrap();
    assert_eq!(lists(&merged).map(|list| list.join(" ")).join(" | ").trim(), expected);
    assert!(diff(&merge(&base, &other).unwrap(), &merge(&other, &base).unwrap()).is_empty());
}

#[test]
fn w_nd_28_globs_in_braces_and_characters_of_expressions_are_what_they_are() {
    let merged =
        merge(&files(&["/var/{log/*,run}/x", "/a+b"], &[], &[]), &files(&["/var/log/app/x", "/aab", "/a+b"], &[], &[]))
            .unwrap();
    assert_eq!(lists(&merged)[0], ["/a+b", "/aab", "/var/{log/*,run}/x"]);
}

#[test]
fn an_exception_that_has_no_words_is_refused_with_an_example() {
    let error = merge(&files(&["/d/s/**"], &[], &["/d/**"]), &files(&[], &[], &["/d/s/a"])).unwrap_err();
    let MergeError::Exception { path, example, .. } = &error else { panic!("{error}") };
    assert_eq!(path, "/d/**");
    assert!(example.starts_with("/d/s/") && example != "/d/s/a", "{example}");
    assert!(error.to_string().starts_with("web: what /d/** is an exception of"), "{error}");
}

#[test]
fn all_but_what_is_permitted_is_that_of_the_base() {
    let base = profile(
        json!({"mode": "Complain", "state": "Disabled", "abstract": {"capability": {"allowedCapabilities": ["chown", "kill"]}}}),
    );
    let other = profile(
        json!({"abstract": {"capability": {"allowedCapabilities": ["chown", "bpf"]}, "filesystem": {"readOnlyPaths": ["ptrace (read),"]},
        "executable": {"allowedExecutables": ["/bin/sh"], "allowedLibraries": ["/lib/x.so"]}}}),
    );
    let expected = json!({"mode": "Complain", "state": "Disabled", "abstract": {"capability": {"allowedCapabilities": ["bpf", "chown", "kill"]},
        "filesystem": {"readOnlyPaths": ["ptrace (read),"]}, "executable": {"allowedExecutables": ["/bin/sh"], "allowedLibraries": ["/lib/x.so"]}}});
    assert_eq!(json!(to_spec(&merge(&base, &other).unwrap())), expected);
    let again =
        merge(&base, &profile(json!({"abstract": {"executable": {"allowedExecutables": ["/bin/*"]}}}))).unwrap();
    assert!(merge(&again, &other).unwrap().executables().iter().map(|path| path.as_str()).eq(["/bin/*"]));
}

#[test]
fn differences_are_told_by_pattern_with_an_example() {
    let one = profile(
        json!({"abstract": {"filesystem": {"readOnlyPaths": ["/etc/**"], "readWritePaths": ["/srv/a"]}, "network": {"allowRaw": true},
        "executable": {"allowedExecutables": ["/bin/{sh,ls}"]}, "capability": {"allowedCapabilities": ["kill"]}}}),
    );
    let other = profile(
        json!({"mode": "Complain", "abstract": {"filesystem": {"readOnlyPaths": ["/etc/a*", "ptrace (read),"], "writeOnlyPaths": ["/srv/a"]},
        "executable": {"allowedExecutables": ["/bin/sh"]}}}),
    );
    let found = diff(&one, &other);
    let expected = "the first is in Enforce mode, the second in Complain mode
only the first permits:
  read and run and load /bin/{sh,ls} (for example /bin/ls)
  read /etc/** (for example /etc/b)
  read /srv/a
  network raw
  capability kill
only the second permits:
  ptrace (read)
";
    assert_eq!(found.to_string(), expected);
    let json = json!(found);
    assert_eq!(json["onlyFirst"][1], json!({"kind": "file", "uses": "read", "path": "/etc/**", "example": "/etc/b"}));
    assert!(diff(&one, &one).is_empty());
}

#[rstest]
#[case::order_and_words(files(&["/b", "/a"], &[], &[]), files(&["/{a,b}"], &[], &[]))]
#[case::more_than_needed(files(&["/a/*", "/a/b"], &[], &[]), files(&["/a/*"], &[], &[]))]
#[case::of_every_profile(files(&["/dev/urandom"], &[], &[]), files(&[], &[], &[]))]
#[case::refused_to_all(files(&["/proc/kcore"], &[], &["/proc/sysrq-trigger"]), files(&[], &[], &[]))]
#[case::unset(profile(json!({"abstract": {"network": {"allowRaw": false}}})), profile(json!({})))]
fn profiles_that_permit_the_same_do_not_differ(#[case] one: Profile, #[case] other: Profile) {
    assert!(diff(&one, &other).is_empty(), "{}", diff(&one, &other));
}

#[test]
fn an_exception_is_a_difference() {
    let found = diff(&files(&[], &[], &["/d/*"]), &files(&["/d/key"], &[], &["/d/*"]));
    assert_eq!(found.to_string(), "only the first permits:\n  write /d/* (for example /d/key)\n");
}

/// Patterns of few letters, so that there is something in common.
fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![5 => "[ab]", 1 => Just("*".to_owned()), 1 => Just("**".to_owned()), 1 => Just("?".to_owned()), 1 => "\\{[ab]{1,2},[ab]?\\*?\\}"];
    let name = prop::collection::vec(part, 1..3).prop_map(|parts| parts.concat());
    prop::collection::vec(name, 1..3).prop_map(|names| format!("/{}", names.join("/")))
}

fn any_profile() -> impl Strategy<Value = Profile> {
    prop::array::uniform5(prop::collection::vec(pattern(), 0..3)).prop_map(
        |[executables, libraries, read, write, both]| {
            profile(
                json!({"abstract": {"executable": {"allowedExecutables": executables, "allowedLibraries": libraries},
            "filesystem": {"readOnlyPaths": read, "writeOnlyPaths": write, "readWritePaths": both}}}),
            )
        },
    )
}

/// All paths of up to three such letters in up to two names.
fn paths() -> Vec<String> {
    let names: Vec<String> =
        ["a", "b"].iter().flat_map(|one| ["", "a", "b", "ab"].map(|two| format!("{one}{two}"))).collect();
    let one = names.iter().map(|name| format!("/{name}"));
    let two = names.iter().flat_map(|one| names.iter().map(move |two| format!("/{one}/{two}")));
    one.chain(two).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn w_x_7_a_merge_permits_exactly_what_any_input_permits(base in any_profile(), other in any_profile()) {
        match merge(&base, &other) {
            Ok(merged) => {
                let rules = [&base, &other, &merged].map(|profile| read(&text(profile)));
                for path in paths() {
                    let [one, two, both] = rules.each_ref().map(|rules| permitted(rules, &path));
                    let expected: String = "rwxm".chars().filter(|way| one.contains(*way) || two.contains(*way)).collect();
                    prop_assert_eq!(both, expected, "{}\n{}\n{}\n{}", path, text(&base), text(&other), text(&merged));
                }
                if let Ok(again) = merge(&merged, &base) {
                    prop_assert!(diff(&merged, &again).is_empty());
                }
            }
            // There are exceptions, else there is a union.
            Err(MergeError::Exception { .. }) => prop_assert!([&base, &other].iter().any(|one| exceptions(one))),
            // Some of these patterns are as hard to compare as patterns can be; that is said, and nothing is guessed.
            Err(MergeError::TooHard { .. }) => {}
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn w_sp_1_differences_are_exactly_where_the_texts_permit_different_things(one in any_profile(), other in any_profile()) {
        let found = diff(&one, &other);
        let rules = [&one, &other].map(|profile| read(&text(profile)));
        for path in paths() {
            let [first, second] = rules.each_ref().map(|rules| permitted(rules, &path));
            if found.is_empty() {
                prop_assert_eq!(first, second, "{}\n{}\n{}", path, text(&one), text(&other));
            }
        }
        let examples = [(&found.only_first, 0, 1), (&found.only_second, 1, 0)];
        for (list, has, lacks) in examples {
            for permission in list {
                let apparmor::Permission::File { uses, example: Some(example), .. } = permission else { panic!("{permission}") };
                let ways = [(apparmor::Uses::READ, 'r'), (apparmor::Uses::WRITE, 'w'), (apparmor::Uses::EXECUTE, 'x'), (apparmor::Uses::LOAD, 'm')];
                for (_, way) in ways.into_iter().filter(|(one, _)| uses.contains(*one)) {
                    prop_assert!(permitted(&rules[has], example).contains(way) && !permitted(&rules[lacks], example).contains(way), "{} {}\n{}", way, example, found);
                }
            }
        }
    }

    #[test]
    fn a_profile_goes_to_the_api_and_back(one in any_profile()) {
        let again = apparmor::parse("web".parse().unwrap(), &to_spec(&one)).unwrap();
        prop_assert_eq!(&to_spec(&again), &to_spec(&one));
        prop_assert_eq!(text(&again), text(&one));
    }
}

/// Whether the text denies a path of the profile.
fn exceptions(profile: &Profile) -> bool {
    let of_all = text(&self::profile(json!({}))).matches("deny").count();
    text(profile).matches("deny").count() > of_all
}
