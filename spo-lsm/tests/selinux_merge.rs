//! SelinuxProfiles merged, compared, and read back from their modules.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_lsm::selinux::{Imported, Profile, diff, from_cil, merge, parse, to_spec};
use spo_lsm::{Policy, check, render};

fn profile(name: &str, fields: Value) -> Profile {
    parse(name.parse().unwrap(), &serde_json::from_value(fields).unwrap()).unwrap()
}

/// The module of a profile, whatever it names.
fn module(profile: &Profile) -> String {
    let mut policy = Policy::default();
    policy.selinux.denied.permissions.clear();
    policy.selinux.system_profiles.extend(["net_container".to_owned(), "tools".to_owned()]);
    String::from_utf8(render(&check(&spo_lsm::Profile::Selinux(profile.clone()), &policy).unwrap()).bytes).unwrap()
}

fn templates() -> BTreeSet<String> {
    BTreeSet::from(["container".to_owned(), "net_container".to_owned(), "tools".to_owned()])
}

fn imported(text: &str) -> Imported {
    from_cil(text.as_bytes(), &templates()).unwrap()
}

fn unread(text: &str) -> Vec<String> {
    imported(text).unread.iter().map(ToString::to_string).collect()
}

fn merged(base: Value, other: Value) -> Value {
    let merged = merge(&profile("web", base), &profile("other", other)).unwrap();
    serde_json::to_value(to_spec(&merged)).unwrap()["allow"].clone()
}

fn refused(base: Value, other: Value) -> String {
    merge(&profile("web", base), &profile("other", other)).unwrap_err().to_string()
}

#[rstest]
#[case::absent(json!({}), json!({}), json!({}))]
#[case::null(json!({"allow": null}), json!({"allow": {"a_t": null}}), json!({}))]
#[case::null_class_map(json!({"allow": {"a_t": null}}), json!({"allow": {"a_t": {"file": ["read"]}}}), json!({"a_t": {"file": ["read"]}}))]
#[case::null_permissions(json!({"allow": {"a_t": {"file": null}}}), json!({"allow": {"a_t": {"file": ["read"]}}}), json!({"a_t": {"file": ["read"]}}))]
#[case::other_is_empty(json!({"allow": {"a_t": {"file": ["read"]}}}), json!({}), json!({"a_t": {"file": ["read"]}}))]
fn w_x_6_what_is_absent_or_null_merges_as_empty(#[case] base: Value, #[case] other: Value, #[case] expected: Value) {
    assert_eq!(merged(base, other), expected);
}

#[rstest]
#[case::permissions(
    json!({"allow": {"a_t": {"file": ["read", "open"]}}}),
    json!({"allow": {"a_t": {"file": ["write", "read"], "dir": ["search"]}, "b_t": {"dir": ["open"]}}}),
    json!({"a_t": {"dir": ["search"], "file": ["open", "read", "write"]}, "b_t": {"dir": ["open"]}})
)]
#[case::its_own_type_is_that_of_the_base(
    json!({"allow": {"@self": {"tcp_socket": ["listen"]}}}),
    json!({"allow": {"other.process": {"tcp_socket": ["accept"]}, "@self": {"udp_socket": ["bind"]}}}),
    json!({"@self": {"tcp_socket": ["accept", "listen"], "udp_socket": ["bind"]}})
)]
#[case::its_own_type_by_name_stays_so(
    json!({"allow": {"web.process": {"tcp_socket": ["listen"]}}}),
    json!({"allow": {"@self": {"tcp_socket": ["accept"]}}}),
    json!({"web.process": {"tcp_socket": ["accept", "listen"]}})
)]
fn merging_permits_what_either_permits(#[case] base: Value, #[case] other: Value, #[case] expected: Value) {
    assert_eq!(merged(base, other), expected);
}

#[test]
fn w_op_27_what_either_inherits_is_inherited() {
    let net = json!({"inherit": [{"name": "net_container"}]});
    let base = json!({"inherit": [{"kind": "SelinuxProfile", "name": "base"}, {"name": "net_container"}]});
    let merged = merge(&profile("web", json!({})), &profile("other", net)).unwrap();
    assert_eq!(module(&merged), "(block web\n(blockinherit container)\n(blockinherit net_container)\n)\n");
    let merged = merge(&merged, &profile("other", base)).unwrap();
    assert_eq!(module(&merged), "(block web\n(blockinherit net_container)\n(blockinherit base)\n)\n");
}

#[test]
fn a_profile_that_builds_on_the_base_merges_into_it_without_a_circle() {
    let other = json!({"inherit": [{"kind": "SelinuxProfile", "name": "web"}], "allow": {"a_t": {"file": ["read"]}}});
    let merged = merge(&profile("web", json!({})), &profile("other", other)).unwrap();
    assert_eq!(module(&merged), "(block web\n(blockinherit container)\n(allow process a_t ( file ( read )))\n)\n");
}

#[rstest]
#[case::modes(
    json!({"mode": "Permissive"}), json!({}),
    "other is Enforcing and web is Permissive; set spec.mode of both"
)]
#[case::bases(
    json!({"inherit": [{"kind": "SelinuxProfile", "name": "a"}]}), json!({"inherit": [{"kind": "SelinuxProfile", "name": "b"}]}),
    "one inherits the SelinuxProfile a and the other b"
)]
fn what_cannot_be_merged_says_what_would_help(#[case] base: Value, #[case] other: Value, #[case] expected: &str) {
    let reason = refused(base, other);
    assert!(reason.starts_with(expected), "{reason}");
}

#[test]
fn what_would_be_too_large_is_refused() {
    let allow = |kind: &str| {
        (0..9_000).map(|n| (format!("{kind}{n}"), json!({"file": ["read"]}))).collect::<serde_json::Map<_, _>>()
    };
    let reason = refused(json!({"allow": allow("a")}), json!({"allow": allow("b")}));
    assert!(reason.starts_with("together they have more rules than a profile may have (16384 classes"), "{reason}");
}

#[rstest]
#[case::order_and_repetition(
    json!({"allow": {"a_t": {"file": ["write", "read", "read"]}}}), json!({"allow": {"a_t": {"file": ["read", "write"]}}}), ""
)]
#[case::container_is_inherited_anyway(json!({}), json!({"inherit": []}), "")]
#[case::its_own_type(json!({"allow": {"@self": {"file": ["read"]}}}), json!({"allow": {"self": {"file": ["read"]}}}), "")]
#[case::from_the_top(json!({"allow": {".a_t": {"file": ["read"]}}}), json!({"allow": {"a_t": {"file": ["read"]}}}), "")]
#[case::all_of_them(json!({"allow": {"a_t": {"file": ["all", "read"]}}}), json!({"allow": {"a_t": {"file": ["all"]}}}), "")]
#[case::state(json!({"state": "Disabled"}), json!({}), "")]
#[case::mode(json!({"mode": "Permissive"}), json!({}), "- mode Permissive\n+ mode Enforcing\n")]
#[case::rules(
    json!({"allow": {"a_t": {"file": ["read", "open"]}, "c_t": {"dir": ["all"]}}, "inherit": [{"name": "container"}, {"name": "net_container"}]}),
    json!({"allow": {"a_t": {"file": ["read", "write", "append"]}, "c_t": {"dir": ["search"]}}}),
    "- inherit net_container\n- allow a_t file: open\n- allow c_t dir: all\n+ allow a_t file: append write\n"
)]
fn a_diff_is_about_what_is_permitted(#[case] first: Value, #[case] second: Value, #[case] expected: &str) {
    let found = diff(&profile("web", first), &profile("web", second));
    assert_eq!(found.to_string(), expected);
    assert_eq!(found.is_empty(), expected.is_empty());
}

#[test]
fn a_diff_is_written_for_programs_too() {
    let found = diff(
        &profile("web", json!({"allow": {"a_t": {"file": ["read"]}}})),
        &profile("web", json!({"mode": "Permissive"})),
    );
    let expected = json!({
        "modes": ["Enforcing", "Permissive"],
        "onlyFirst": {"allow": [{"label": "a_t", "class": "file", "permissions": ["read"]}]},
        "onlySecond": {},
    });
    assert_eq!(serde_json::to_value(found).unwrap(), expected);
}

#[test]
fn a_block_of_others_is_read_as_far_as_a_profile_can_say_it() {
    let text = "; by hand
(typeattributeset domain (x))
(block my_app
    (blockinherit container)
    (blockinherit restricted_net_container)
    (typepermissive my_app.process)
    (allow process process (capability (chown)))
    (allow .my_app.process var_log_t (file (read \"open\")))
    (allow my_app.process var_log_t (file (write)))
    (allow process etc_t (file (not (write))))
    (allow process etc_t (file (all)))
    (allow process etc_t readable)
    (allow other_t etc_t (file (read)))
    (dontaudit process etc_t (file (read)))
)";
    let found = imported(text);
    let spec = serde_json::to_value(to_spec(&found.profiles[0])).unwrap();
    assert_eq!(found.profiles[0].name().as_str(), "my-app");
    assert_eq!(
        spec,
        json!({
            "mode": "Permissive",
            "inherit": [{"kind": "System", "name": "container"}, {"kind": "System", "name": "restricted_net_container"}],
            "allow": {
                "@self": {"capability": ["chown"]},
                "etc_t": {"file": ["all"]},
                "var_log_t": {"file": ["open", "read", "write"]},
            },
        })
    );
    assert_eq!(
        unread(text),
        [
            "line 2, column 1: (typeattributeset) is left out: it stands outside of all blocks",
            "line 3, column 8: the block my_app becomes the profile my-app, whose type is my-app.process",
            "line 10, column 5: (allow) is left out: it has not, and a profile lists permissions one by one",
            "line 12, column 5: (allow) is left out: it names a set of permissions, and a profile names the permissions",
            "line 13, column 5: (allow) is left out: it is about what other_t may do, and a profile is about its own type",
            "line 14, column 5: (dontaudit) is left out: it is nothing that a SelinuxProfile can say; a RawSelinuxProfile may",
        ]
    );
}

#[test]
fn a_block_that_declares_its_own_type_is_told_to_gain_what_container_permits() {
    let told = unread("(block web (type process) (allow process a_t (file (read))))");
    assert!(told[0].starts_with("line 1, column 12: (type) is left out"), "{told:?}");
    assert!(told[1].ends_with("the profile inherits container, and permits what that permits"), "{told:?}");
}

#[rstest]
#[case::no_text("\u{0}", "line 1, column 1: null bytes")]
#[case::no_block("(allow a b (file (read)))", "there is no (block NAME ...)")]
#[case::no_name("(block a.b)", "block a.b: metadata.name: an SELinux module has no dot in its name")]
#[case::no_name_at_all("(block \"x y\")", "line 1, column 8: a profile cannot be called \"x y\"")]
#[case::itself("(block web (blockinherit web))", "block web: spec.inherit[0].name: a profile cannot inherit itself")]
fn a_text_without_a_profile_says_why(#[case] text: &str, #[case] expected: &str) {
    let reason = from_cil(text.as_bytes(), &templates()).unwrap_err().to_string();
    assert!(reason.starts_with(expected), "{reason}");
}

/// Profiles as they may be written, with every way to name the own type.
fn any_profile() -> impl Strategy<Value = Profile> {
    let word = |words: &'static [&'static str]| prop::sample::select(words).prop_map(str::to_owned);
    let permissions = prop::collection::vec(word(&["read", "open", "write", "all", "name_bind"]), 0..4);
    let classes = prop::collection::btree_map(word(&["file", "dir", "tcp_socket"]), permissions, 0..3);
    let label = word(&["@self", "self", "process", "web.process", "a_t", ".a_t", "b.c-d", "container.process"]);
    let allow = prop::collection::btree_map(label, classes, 0..5);
    let system = prop::collection::vec(word(&["container", "net_container", "tools"]), 0..3);
    let base = prop::option::of(word(&["base", "other"]));
    (any::<bool>(), system, base, allow).prop_map(|(permissive, system, base, allow)| {
        let base = base.map(|name| json!({"kind": "SelinuxProfile", "name": name}));
        let inherit: Vec<Value> = system.iter().map(|name| json!({"name": name})).chain(base).collect();
        let mode = if permissive { "Permissive" } else { "Enforcing" };
        profile("web", json!({"mode": mode, "inherit": inherit, "allow": allow}))
    })
}

/// What the profiles above can permit, by the names that the host knows things by.
fn everything() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let permissions = ["read", "open", "write", "name_bind", "listen"];
    let classes =
        ["file", "dir", "tcp_socket"].into_iter().flat_map(move |class| permissions.map(|name| (class, name)));
    classes.flat_map(|(class, name)| {
        ["web.process", "a_t", "b.c-d", "container.process"].map(|label| (label, class, name))
    })
}

/// Whether a profile called web permits something, as the kernel would see it.
fn permits(profile: &Profile, label: &str, class: &str, permission: &str) -> bool {
    let real = |written: &str| match written {
        "@self" | "self" | "process" => "web.process".to_owned(),
        written => written.trim_start_matches('.').to_owned(),
    };
    let classes = profile
        .rules()
        .iter()
        .filter(|(written, _)| real(written) == label)
        .filter_map(|(_, classes)| classes.get(class));
    classes.flatten().any(|name| name == permission || name == "all")
}

proptest! {
    #[test]
    fn what_was_rendered_is_read_back_whole(profile in any_profile()) {
        let text = module(&profile);
        let found = imported(&text);
        prop_assert_eq!(&found.unread, &[]);
        prop_assert!(diff(&profile, &found.profiles[0]).is_empty());
        prop_assert!(diff(&found.profiles[0], &imported(&module(&found.profiles[0])).profiles[0]).is_empty());
    }

    #[test]
    fn a_profile_becomes_its_spec_and_that_the_profile(profile in any_profile()) {
        let again = parse(profile.name().clone(), &to_spec(&profile)).unwrap();
        prop_assert_eq!(to_spec(&again), to_spec(&profile));
        prop_assert_eq!(again.rules(), profile.rules());
        prop_assert_eq!(again.inherits(), profile.inherits());
        let json = serde_json::to_value(to_spec(&profile)).unwrap();
        prop_assert_eq!(serde_json::from_value::<SelinuxProfileSpec>(json).unwrap(), to_spec(&profile));
    }

    #[test]
    fn w_x_6_merging_takes_nothing_away_and_adds_nothing_of_its_own(one in any_profile(), other in any_profile()) {
        let Ok(merged) = merge(&one, &other) else { return Ok(()) };
        prop_assert!(diff(&merge(&one, &one).unwrap(), &one).is_empty());
        prop_assert!(diff(&merge(&merged, &other).unwrap(), &merged).is_empty());
        prop_assert!(diff(&merge(&other, &one).unwrap(), &merged).is_empty());
        for (label, class, permission) in everything() {
            let permits = |profile| permits(profile, label, class, permission);
            prop_assert_eq!(permits(&merged), permits(&one) || permits(&other), "{} {} {}", label, class, permission);
        }
    }
}
