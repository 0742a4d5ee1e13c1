//! RawSelinuxProfiles: which statements act inside of their block, and the module that comes of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;
use spo_api::ProfileName;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_lsm::selinux::raw::PERMITTED;
use spo_lsm::selinux::{Limits, cil};
use spo_lsm::{Policy, Profile, check, parse, render};

fn parsed(policy: &str) -> Result<Profile, Vec<String>> {
    let spec = RawSelinuxProfileSpec { policy: Some(policy.to_owned()), ..RawSelinuxProfileSpec::default() };
    parse("web".parse().unwrap(), &spec).map_err(texts)
}

fn checked(text: &str, policy: &Policy) -> Result<String, Vec<String>> {
    let checked = check(&parsed(text)?, policy).map_err(texts)?;
    Ok(String::from_utf8(render(&checked).bytes).unwrap())
}

fn texts(violations: Vec<spo_api::Violation>) -> Vec<String> {
    violations.iter().map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    parsed(text).unwrap().warnings().iter().map(ToString::to_string).collect()
}

fn limits(change: impl FnOnce(&mut Limits)) -> Policy {
    let mut policy = Policy::default();
    change(&mut policy.selinux);
    policy
}

fn data() -> Value {
    serde_json::from_str(include_str!("data/raw_selinux.json")).unwrap()
}

#[test]
fn w_op_25_the_cases_of_the_reference() {
    let group = &data()["raw_selinux_policy"];
    for case in group["cases"].as_array().unwrap().iter().chain(group["ours"].as_array().unwrap()) {
        let text = case["policy"].as_str().unwrap();
        let ours =
            case["note"].as_str().is_some_and(|note| note.contains("must be accepted by ours") || note == "same");
        let want = case["want"].as_str().filter(|_| !ours);
        match (parsed(text), want) {
            (Ok(_), None) => {}
            (Err(found), Some(want)) => assert!(found.iter().any(|it| it.contains(want)), "{text:?}: {found:?}"),
            (result, want) => panic!("{text:?}: {result:?}, but {want:?} is wanted"),
        }
    }
    assert!(matches!(cil::parse(b"\xff\xfe\xfd"), Err(cil::CilError::NotText(0))));
}

#[test]
fn w_op_25_what_the_reference_restricts_is_restricted_but_for_blockinherit() {
    for head in data()["raw_selinux_restricted"].as_array().unwrap().iter().map(|head| head.as_str().unwrap()) {
        let capitals = head.to_uppercase();
        for text in
            [format!("({head} x)"), format!("(\t\n {capitals} x)"), format!("(\"{head}\" x)"), format!("(({head} x))")]
        {
            let restricted =
                parsed(&text).is_err_and(|found| found.iter().any(|it| it.contains(&format!("restricted {head}:"))));
            // A template in capitals, or in a list of its own, is no statement either.
            assert_eq!(restricted, head != "blockinherit", "{text}");
        }
    }
}

#[rstest]
#[case::in_a_comment("; (user x) (block y\n(allow process a_t (file (read)))")]
#[case::in_quotes("(typetransition process a_t file \"user (x\" process)")]
#[case::as_an_argument("(allow typepermissive class (user (read)))")]
#[case::as_a_class_of_the_kernel("(allow process a_t (context (contains translate)))")]
fn w_op_25_a_restricted_word_that_is_no_statement_is_accepted(#[case] text: &str) {
    assert!(parsed(text).is_ok(), "{:?}", parsed(text));
}

#[test]
fn w_op_25_the_example_of_the_reference_is_accepted() {
    let text = "(blockinherit container)\n(allow process var_log_t ( dir ( open read getattr lock search ioctl add_name remove_name write ))) \n(allow process var_log_t ( sock_file ( getattr read write append open  ))) \n";
    let module = checked(text, &Policy::default()).unwrap();
    assert!(
        module.starts_with("(block web\n    (blockinherit container)\n    (allow process var_log_t ( dir ("),
        "{module}"
    );
    assert_eq!(warnings(text), Vec::<String>::new());
}

#[rstest]
#[case::container("container", None)]
#[case::from_the_top(".container", None)]
#[case::existing_profile("base", None)]
#[case::missing_profile(
    "nope",
    Some(
        "line 1, column 15: nope is not among the cluster's allowedSystemProfiles (container), nor a SelinuxProfile that exists"
    )
)]
#[case::other_template("net_container", Some("line 1, column 15: net_container is not among"))]
#[case::itself("web", Some("line 1, column 15: a profile cannot inherit itself"))]
#[case::itself_from_the_top(".web", Some("line 1, column 15: a profile cannot inherit itself"))]
fn w_op_25_blockinherit_takes_templates_that_are_allowed_and_profiles_that_exist(
    #[case] name: &str,
    #[case] expected: Option<&str>,
) {
    let base: ProfileName = "base".parse().unwrap();
    let policy = limits(|limits| limits.profiles = Some([(base, Vec::new())].into()));
    let found = checked(&format!("(blockinherit {name})"), &policy).err().unwrap_or_default();
    assert_eq!(found.len(), usize::from(expected.is_some()), "{found:?}");
    assert!(found.iter().all(|it| it.starts_with(&format!("spec.policy: {}", expected.unwrap()))), "{found:?}");
}

#[test]
fn where_nobody_knows_the_profiles_only_what_cannot_be_one_is_refused() {
    assert!(checked("(blockinherit base)", &Policy::default()).is_ok());
    assert!(checked("(blockinherit net_container)", &Policy::default()).is_err());
    let none = limits(|limits| limits.system_profiles.clear());
    assert!(checked("(blockinherit container)", &none).is_err());
}

/// What the reference lets through although it acts outside of the block (`spec/limits.md` 2.3).
#[rstest]
#[case("(typeattributeset domain (process))", "puts types into domain, which the profile does not declare")]
#[case("(typeattributeset .domain (process))", "puts types into .domain")]
#[case("(typealias secrets) (typealiasactual secrets shadow_t)", "gives another name to shadow_t")]
#[case("(typealias secrets (shadow_t))", "gives another name to shadow_t")]
#[case("(roleattributeset r (system_r))", "restricted roleattributeset:")]
#[case("(in container (allow process shadow_t (file (read))))", "restricted in:")]
#[case("(macro m ((type x)) (allow x x (file (read))))", "restricted macro:")]
#[case("(call m (process))", "restricted call:")]
#[case("(mlsconstrain (file (read)) (eq t1 t2))", "restricted mlsconstrain:")]
#[case("(constrain (file (read)) (eq t1 t2))", "restricted constrain:")]
#[case("(validatetrans file (eq t1 t2))", "restricted validatetrans:")]
#[case("(deny domain shadow_t (file (read)))", "restricted deny:")]
#[case("(neverallow domain shadow_t (file (read)))", "would forbid something to domain")]
#[case("(selinuxuser u system_u ((s0) (s0)))", "restricted selinuxuser:")]
#[case("(handleunknown allow)", "restricted handleunknown:")]
#[case("(boolean secure true)", "restricted boolean:")]
#[case("(typebounds process sshd_t)", "sets bounds to sshd_t")]
#[case("(expandtypeattribute (domain) false)", "changes domain")]
#[case("(rangetransition sshd_t bin_t process ((s0) (s0)))", "would change the level of sshd_t")]
#[case("(classpermissionset all_of_it (file (read)))", "adds to all_of_it")]
#[case("(allow process shadow_t all_of_it)", "all_of_it is a set of permissions that the profile does not declare")]
#[case("(allowx process a_t all_ioctls)", "all_ioctls is a set of permissions")]
#[case("(<src_info> cil 1 (allow process a_t (file (read))))", "\"<src_info>\" is no statement that a profile may use")]
#[case("(web.block x)", "\"web.block\" is no statement that a profile may use")]
#[case(
    "(ALLOW process a_t (file (read)))",
    "\"ALLOW\" is no statement, since CIL tells capitals from small letters; write allow"
)]
#[case("allow (type a)", "line 1, column 1: allow stands outside of all statements")]
fn what_acts_outside_of_the_block_is_refused(#[case] text: &str, #[case] expected: &str) {
    let found = parsed(text).unwrap_err();
    assert!(found.iter().any(|it| it.contains(expected)), "{found:#?}");
}

#[rstest]
#[case("(type mine) (typealias also) (typealiasactual also mine)")]
#[case("(type mine) (typeattribute ours) (typeattributeset ours (process mine .web.mine))")]
#[case("(typeattribute ours) (expandtypeattribute (ours) true)")]
#[case("(type mine) (typebounds sshd_t mine)")]
#[case("(neverallow process a_t (file (write)))")]
#[case("(rangetransition web.process bin_t process ((s0) (s0)))")]
#[case("(classpermission some) (classpermissionset some (file (read))) (allow process a_t some)")]
#[case("(permissionx some (ioctl file (range 0x1 0x2))) (allowx process a_t some)")]
#[case("(allowx process a_t (ioctl file ((range 0x1 0x2))))")]
#[case("(typetransition process tmp_t file \"name\" process) (typechange process a_t file process)")]
#[case("(allow container_runtime_t process (key (create)))")]
#[case("(dontaudit process self (process (ptrace))) (auditallow process a_t (file ((and (read) (write)))))")]
fn what_a_profile_does_with_its_own_is_accepted(#[case] text: &str) {
    let module = checked(&format!("(blockinherit container) {text}"), &Policy::default());
    assert!(module.is_ok(), "{module:?}");
}

#[rstest]
#[case::target(
    "(allow container_t shadow_t (file (read open)))",
    "line 1, column 20: no profile may name the type shadow_t"
)]
#[case::from_the_top(
    "(allow process ..shadow_t (file (read)))",
    "line 1, column 16: no profile may name the type shadow_t"
)]
#[case::quoted(
    "(allow process \"shadow_t\" (file (read)))",
    "line 1, column 16: no profile may name the type shadow_t"
)]
#[case::source("(allow kernel_t process (file (read)))", "line 1, column 8: no profile may name the type kernel_t")]
#[case::class(
    "(allow process self (capability (sys_admin)))",
    "line 1, column 22: no profile may name the class capability"
)]
#[case::permission(
    "(allow process a_t (dir (read mounton)))",
    "line 1, column 31: no profile may name the permission mounton"
)]
#[case::permission_in_an_expression(
    "(allow process a_t (dir ((and (read) (mounton)))))",
    "line 1, column 39: no profile may name the permission mounton"
)]
#[case::all("(allow process a_t (dir (all)))", "line 1, column 26: all stands for permissions that are not named")]
#[case::not(
    "(allow process a_t (dir (not (read))))",
    "line 1, column 26: not stands for permissions that are not named"
)]
#[case::auditallow("(auditallow process shadow_t (file (read)))", "line 1, column 21: no profile")]
#[case::dontaudit("(dontaudit process shadow_t (file (read)))", "line 1, column 20: no profile")]
#[case::allowx("(allowx process shadow_t (ioctl file (0x1)))", "line 1, column 17: no profile")]
#[case::transition_target("(typetransition process shadow_t file process)", "line 1, column 25: no profile")]
#[case::transition_result("(typetransition process a_t file shadow_t)", "line 1, column 34: no profile")]
#[case::attribute(
    "(typeattribute a) (typeattributeset a (or (shadow_t) (a_t)))",
    "line 1, column 44: no profile may name the type shadow_t"
)]
#[case::attribute_of_all(
    "(typeattribute a) (typeattributeset a (all))",
    "line 1, column 40: all stands for types that are not named"
)]
#[case::attribute_of_all_but(
    "(typeattribute a) (typeattributeset a (not (a_t)))",
    "line 1, column 40: not stands for types"
)]
#[case::named_permissions(
    "(classpermission c) (classpermissionset c (security (load_policy)))",
    "line 1, column 44: no profile may name the class security"
)]
#[case::later_line(
    "(blockinherit container)\n  (allow process shadow_t (file (read)))",
    "line 2, column 18: no profile"
)]
#[case::after_blanks("\n\n  (allow process shadow_t (file (read)))", "line 3, column 18: no profile")]
fn what_no_profile_may_name_is_refused_wherever_it_is_named(#[case] text: &str, #[case] expected: &str) {
    let found = checked(text, &Policy::default()).unwrap_err();
    assert!(found[0].starts_with(&format!("spec.policy: {expected}")), "{found:#?}");
}

#[test]
fn a_configuration_denies_more_and_permits_more() {
    let denies = limits(|limits| _ = limits.denied.types.insert("var_log_t".to_owned()));
    assert!(checked("(allow process var_log_t (file (read)))", &denies).is_err());
    let permits = limits(|limits| {
        limits.denied.types.clear();
        limits.denied.permissions.clear();
    });
    assert!(checked("(typeattribute a) (typeattributeset a (all)) (allow process a (file (all)))", &permits).is_ok());
}

#[test]
fn a_cluster_may_do_without_raw_profiles() {
    let found = checked("(blockinherit container)", &limits(|limits| limits.raw = false)).unwrap_err();
    assert!(
        found[0].starts_with("kind: RawSelinuxProfiles are switched off by selinux.enableRawSelinuxProfiles"),
        "{found:?}"
    );
}

#[rstest]
#[case::empty("")]
#[case::blank(" \n\t ")]
#[case::blank_for_unicode("\u{a0}\u{2003}\u{85}")]
fn a_policy_without_anything_is_refused(#[case] text: &str) {
    assert!(parsed(text).unwrap_err()[0].starts_with("spec.policy: the policy must not be empty"));
}

#[test]
fn an_absent_policy_is_an_empty_one() {
    let found = parse("web".parse().unwrap(), &RawSelinuxProfileSpec::default()).unwrap_err();
    assert!(found[0].to_string().starts_with("spec.policy: the policy must not be empty"), "{found:?}");
}

#[rstest]
#[case("(allow process a_t)", "line 1, column 1: expected (allow SOURCE TARGET (CLASS (PERMISSION ...)))")]
#[case("(allow process (a_t) (file (read)))", "line 1, column 1: expected (allow ")]
#[case("(blockinherit a b)", "line 1, column 1: expected (blockinherit TEMPLATE)")]
#[case("(type)", "line 1, column 1: expected (type NAME)")]
#[case("(typetransition process a_t file)", "line 1, column 1: expected (typetransition SOURCE TARGET CLASS RESULT)")]
fn a_statement_of_another_form_is_refused(#[case] text: &str, #[case] expected: &str) {
    let found = parsed(text).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&format!("spec.policy: {expected}")), "{found:?}");
}

#[rstest]
#[case("(allow process a_t (file (read)))", "spec.policy: neither declares the type process nor inherits it")]
#[case(
    "(blockinherit container) (allow sshd_t process (file (read)))",
    "spec.policy: line 1, column 33: allow is about what sshd_t does"
)]
#[case(
    "(blockinherit container) (blockinherit container)",
    "spec.policy: line 1, column 40: container is inherited twice"
)]
#[case("(blockinherit container) ()", "spec.policy: line 1, column 26: () is no statement")]
fn what_only_surprises_is_a_warning(#[case] text: &str, #[case] expected: &str) {
    let warnings = warnings(text);
    assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:#?}");
}

#[test]
fn w_nd_14_the_module_is_the_text_indented_in_a_block_named_as_the_profile() {
    let text = "\n(blockinherit container)\r\n\n  ;;* lms 1 x  \n(type mine) ; )";
    let module = "(block web\n    (blockinherit container)\n\n      ;;* lms 1 x\n    (type mine) ; )\n)\n";
    assert_eq!(checked(text, &Policy::default()).unwrap(), module);
    let nodes = cil::parse(module.as_bytes()).unwrap();
    assert_eq!(nodes[0].to_string(), "(block web (blockinherit container) (type mine))");
}

#[test]
fn a_text_of_nothing_but_mistakes_is_told_in_a_few_lines() {
    let found = parsed(&"(x)".repeat(160_000)).unwrap_err();
    assert_eq!(found.len(), 100);
}

#[test]
fn a_name_that_makes_no_block_is_refused_with_all_else() {
    let spec = RawSelinuxProfileSpec { policy: Some("(user x)".to_owned()), ..RawSelinuxProfileSpec::default() };
    let found = texts(parse("0.web".parse().unwrap(), &spec).unwrap_err());
    assert!(found.len() == 2 && found[0].starts_with("metadata.name: "), "{found:?}");
}

/// Text made of what statements are made of.
fn statements() -> impl Strategy<Value = String> {
    let words = [
        "(", ")", " ", "\n", ";", "\"", "process", "shadow_t", ".", "file", "read", "all", "not", "self", "web.",
        "user", "x",
    ];
    let word = prop_oneof![prop::sample::select(words.to_vec()), prop::sample::select(PERMITTED.to_vec())];
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn whatever_is_accepted_is_one_block_without_restricted_heads(text in statements()) {
        let Ok(module) = checked(&text, &Policy::default()) else { return Ok(()) };
        let nodes = cil::parse(module.as_bytes()).unwrap();
        prop_assert_eq!(nodes.len(), 1, "{}", module);
        let cil::Node::List(block) = &nodes[0] else { panic!("{module}") };
        for statement in &block.items[2..] {
            let printed = statement.to_string();
            let head = printed[1..].split([' ', ')']).next().unwrap().trim_matches('"').to_owned();
            prop_assert!(PERMITTED.contains(&head.as_str()) || printed.chars().all(|c| "() ".contains(c)), "{}", printed);
            let gives = ["(allow ", "(allowx ", "(auditallow "].iter().any(|rule| printed.starts_with(rule));
            prop_assert!(!gives || printed.contains('"') || !printed.contains("shadow_t"), "{}", printed);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = checked(&text, &Policy::default());
    }
}
