//! What AppArmor's globs match, and how they relate: held against a reader that tries everything.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;
use spo_lsm::apparmor::{Glob, InvalidGlob, Pattern};

mod apparmor_rules;

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

#[rstest]
#[case("/a", "/a", true)]
#[case("/a", "/ab", false)]
#[case("/a/*", "/a/b", true)]
#[case("/a/*", "/a/b/c", false)]
#[case::a_star_alone_is_not_nothing("/a/*", "/a/", false)]
#[case("/a/b*", "/a/b", true)]
#[case("/a/*/c", "/a//c", false)]
#[case("/a/**", "/a/b/c/", true)]
#[case::two_stars_alone_are_not_nothing("/a/**", "/a/", false)]
#[case::in_braces_they_may_be("/a/{**,b}", "/a/", true)]
#[case("/a/{,**}", "/a/", true)]
#[case("/a**", "/a", true)]
#[case("/a?", "/ab", true)]
#[case("/a?", "/a/", false)]
#[case::a_dot_is_a_dot("/a.b", "/axb", false)]
#[case::a_plus_is_a_plus("/a+", "/aa", false)]
#[case("/{a,b}/c", "/b/c", true)]
#[case::globs_in_braces("/{a*,b?}/c", "/bx/c", true)]
#[case::braces_in_braces("/{a,{b,c*}d}", "/cxxd", true)]
#[case("/[abc]", "/b", true)]
#[case("/[a-c]x", "/bx", true)]
#[case("/[^a-c]", "/b", false)]
#[case("/[^a-c]", "/d", true)]
#[case::a_class_may_hold_a_slash("/a[^b]c", "/a/c", true)]
#[case::escaped(r"/a\*", "/a*", true)]
#[case::escaped_star(r"/a\*", "/ab", false)]
#[case::escaped_in_a_class(r"/[\]a]", "/]", true)]
#[case::slashes_are_one("/a//b", "/a/b", true)]
#[case::processes("@{PROC}/@{pid}/fd/", "/proc/4711/fd/", true)]
#[case::a_slash_before_one_value("/@{PROC}/mem", "/proc/mem", false)]
#[case::a_slash_in_the_middle_before_one_value("/host/@{PROC}/mem", "/host/proc/mem", true)]
#[case::a_slash_before_several_values("/@{run}/x", "/run/x", true)]
#[case::no_process("@{PROC}/@{pid}/fd/", "/proc/self/fd/", false)]
#[case::two_values("@{run}/x", "/var/run/x", true)]
#[case::behind_a_slash("/@{run}/x", "/run/x", true)]
#[case::a_variable_that_is_not_known_may_be_anything("/@{HOME}/x", "/home/me/x", true)]
fn w_nd_28_a_glob_matches_what_apparmor_does(#[case] pattern: &str, #[case] path: &str, #[case] expected: bool) {
    assert_eq!(glob(pattern).matches(path.as_bytes()), expected);
}

#[rstest]
#[case("/a{b,c", InvalidGlob::Brace)]
#[case("/ab}", InvalidGlob::Brace)]
#[case("/a{b}", InvalidGlob::Brace)]
#[case("/@{}", InvalidGlob::Brace)]
#[case("/[a", InvalidGlob::Class)]
#[case("/[]", InvalidGlob::Class)]
#[case("/a]", InvalidGlob::Class)]
#[case("/a\\", InvalidGlob::Escape)]
#[case(&"{a,".repeat(60), InvalidGlob::TooDeep)]
#[case(&"a".repeat(4097), InvalidGlob::TooLong)]
fn what_is_no_glob_is_told(#[case] text: &str, #[case] expected: InvalidGlob) {
    assert_eq!(Glob::parse(text), Err(expected));
}

/// The expressions that the reference makes of globs, as examples of what they match and do not.
#[test]
fn globs_match_what_the_expressions_of_the_reference_match() {
    let data: Value = serde_json::from_str(include_str!("data/apparmor.json")).unwrap();
    let examples: &[(&str, &str, &[&str], &[&str])] = &[
        ("/bin/ls", r"^/bin/ls$", &["/bin/ls"], &["/bin/lss", "/bin"]),
        ("/usr/bin/*", r"^/usr/bin/[^/\000]*$", &["/usr/bin/env"], &["/usr/bin/a/b"]),
        ("/home/**/docs", r"^/home/[^\000]*/docs$", &["/home/a/b/docs"], &["/home/docs", "/home/a/docs/b"]),
        ("/var/log/{kern.log,syslog}", r"^/var/log/(kern\.log|syslog)$", &["/var/log/syslog"], &["/var/log/kernxlog"]),
        (
            "/srv/scratch/file?.txt",
            r"^/srv/scratch/file[^/]\.txt$",
            &["/srv/scratch/file1.txt"],
            &["/srv/scratch/file/.txt"],
        ),
    ];
    let cases = data["apparmor_glob_to_expression"]["cases"].as_array().unwrap();
    assert_eq!(cases.len(), examples.len());
    for (case, (text, expression, matched, others)) in cases.iter().zip(examples) {
        assert_eq!((case["glob"].as_str().unwrap(), case["want"].as_str().unwrap()), (*text, *expression));
        assert!(matched.iter().all(|path| glob(text).matches(path.as_bytes())), "{text}");
        assert!(!others.iter().any(|path| glob(text).matches(path.as_bytes())), "{text}");
    }
}

#[rstest]
#[case("/**", "/a", true)]
#[case("/**", "/a/*/b{c,d}", true)]
#[case("/a/*", "/a/b*", true)]
#[case("/a/b*", "/a/*", false)]
#[case("/a/*", "/a/**", false)]
#[case("/{a,b}", "/a", true)]
#[case("/{a,b}*", "/a{x,y}", true)]
#[case("/{a,b}", "/[ab]", true)]
#[case("/[a-z]", "/[^/]", false)]
#[case::a_path_has_no_two_slashes("/a/*", "/a/?*", true)]
#[case("/proc/**", "@{PROC}/@{pid}/maps", true)]
#[case("/proc/[1-9]*/maps", "@{PROC}/@{pid}/maps", true)]
#[case::a_variable_is_what_it_is("/@{HOME}/*", "/@{HOME}/x", true)]
#[case::two_stars_are_any_value("/**/x", "/a/@{HOME}/x", true)]
#[case::one_star_may_not_be("/a/*/x", "/a/@{HOME}/x", false)]
#[case::not_sure("/@{HOME}/x", "/root/x", false)]
fn w_nd_28_a_glob_covers_another_if_it_surely_matches_all_of_it(
    #[case] one: &str,
    #[case] other: &str,
    #[case] expected: bool,
) {
    assert_eq!(glob(one).covers(&glob(other)), expected);
}

#[rstest]
#[case("/a/*", "/*/b", true)]
#[case("/a*", "/b*", false)]
#[case("/a/*", "/a/b/*", false)]
#[case("/*a", "/b*", true)]
#[case::perhaps("/@{HOME}/x", "/root/x", true)]
#[case("/@{HOME}/x", "/root/y", false)]
fn w_nd_28_globs_overlap_unless_they_surely_have_nothing_in_common(
    #[case] one: &str,
    #[case] other: &str,
    #[case] expected: bool,
) {
    assert_eq!((glob(one).overlaps(&glob(other)), glob(other).overlaps(&glob(one))), (expected, expected));
}

#[test]
fn globs_that_are_made_to_be_hard_have_no_answer_and_take_no_time() {
    let hard = |end: char| glob(&format!("/{}{end}", "{a,b,*a?}*".repeat(40)));
    // Whether or not it is so, it is not claimed: that one covers the other, or that they have nothing in common.
    assert!(!glob(&format!("/{}{}", "*a".repeat(3), "?".repeat(200))).covers(&hard('x')));
    assert!(hard('x').overlaps(&glob("/**x")));
}

/// Patterns of few letters, so that there is something in common.
fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![4 => "[ab]", 2 => Just("/".to_owned()), 1 => Just("*".to_owned()), 1 => Just("**".to_owned()),
        1 => Just("?".to_owned()), 1 => "\\{[ab*/]{0,2},[ab?]{0,2}\\}"];
    prop::collection::vec(part, 0..6).prop_map(|parts| format!("/{}", parts.concat()))
}

/// All paths of up to five such letters.
fn paths() -> Vec<String> {
    let mut paths = vec!["/".to_owned()];
    let mut at = 0;
    while at < paths.len() {
        let path = paths[at].clone();
        at += 1;
        if path.len() < 6 {
            let more = ['a', 'b', '/'].into_iter().filter(|c| *c != '/' || !path.ends_with('/'));
            paths.extend(more.map(|c| format!("{path}{c}")));
        }
    }
    paths
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn w_nd_28_the_matcher_agrees_with_one_that_tries_everything(text in pattern()) {
        // Slashes behind slashes are one, which the other reader does not know.
        prop_assume!(!text.contains("//"));
        for path in paths() {
            prop_assert_eq!(glob(&text).matches(path.as_bytes()), apparmor_rules::matches(&text, &path), "{} {}", text, path);
        }
    }

    #[test]
    fn w_nd_28_covering_and_overlapping_are_what_the_paths_say(one in pattern(), other in pattern()) {
        prop_assume!(!one.contains("//") && !other.contains("//"));
        let [first, second] = [&one, &other].map(|text| paths().into_iter().filter(|path| apparmor_rules::matches(text, path)).collect::<Vec<_>>());
        if glob(&one).covers(&glob(&other)) {
            prop_assert!(second.iter().all(|path| first.contains(path)), "{} {}", one, other);
        } else {
            // What it has beyond may be longer than the paths that are looked at, for globs only.
            prop_assert!(other.contains(['*', '?', '{']) || second.iter().any(|path| !first.contains(path)), "{} {}", one, other);
        }
        if second.iter().any(|path| first.contains(path)) {
            prop_assert!(glob(&one).overlaps(&glob(&other)), "{} {}", one, other);
        }
        if !one.contains('*') && !other.contains('*') && one.len() < 6 {
            prop_assert_eq!(glob(&one).overlaps(&glob(&other)), second.iter().any(|path| first.contains(path)), "{} {}", one, other);
        }
    }

    #[test]
    fn every_pattern_of_the_api_is_a_glob(text in "/[a-b_./*?+@{}, -]{0,20}") {
        if text.parse::<Pattern>().is_ok() {
            prop_assert!(Glob::parse(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_the_reader_of_globs_panic(text in "\\PC{0,40}|[/a*?{},@\\[\\]^\\\\-]{0,40}") {
        if let Ok(glob) = Glob::parse(&text) {
            glob.matches(text.as_bytes());
            glob.covers(&glob);
        }
    }
}
