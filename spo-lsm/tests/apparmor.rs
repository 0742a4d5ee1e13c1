//! AppArmorProfiles: what is accepted, what is refused with which message, and the text that comes of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_lsm::apparmor::{self, Capability, Name, Pattern};
use spo_lsm::{Policy, check, render};

mod apparmor_rules;
use apparmor_rules::{Rule, read};

fn parsed(spec: Value) -> Result<apparmor::Profile, Vec<String>> {
    let spec: AppArmorProfileSpec = serde_json::from_value(spec).unwrap();
    apparmor::parse("web".parse().unwrap(), &spec).map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn files(list: &str, paths: &[&str]) -> Value {
    json!({"abstract": {"filesystem": {list: paths}}})
}

fn executables(paths: &[&str]) -> Value {
    json!({"abstract": {"executable": {"allowedExecutables": paths}}})
}

fn capabilities(names: &[&str]) -> Value {
    json!({"abstract": {"capability": {"allowedCapabilities": names}}})
}

fn text(spec: Value) -> String {
    let profile = parsed(spec).unwrap();
    let artifact = render(&check(&spo_lsm::Profile::AppArmor(profile), &Policy::default()).unwrap());
    assert_eq!((artifact.file_name.as_str(), artifact.export_name().as_str()), ("web", "web.apparmor"));
    String::from_utf8(artifact.bytes).unwrap()
}

fn warnings(spec: Value) -> Vec<String> {
    parsed(spec).unwrap().warnings().iter().map(ToString::to_string).collect()
}

fn data(group: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("data/apparmor.json")).unwrap();
    let lists = ["cases", "ours"].map(|list| all[group][list].as_array().cloned().unwrap_or_default());
    lists.concat()
}

#[test]
fn paths_of_files_are_those_of_the_reference_without_its_holes() {
    for case in data("apparmor_file_path") {
        let path = case["path"].as_str().unwrap();
        // The notes of these two say that the reference should refuse them, and does so for executables.
        let expected = case["valid"].as_bool().unwrap() && !["", "/a/../b"].contains(&path);
        for list in ["readOnlyPaths", "writeOnlyPaths", "readWritePaths"] {
            let result = parsed(files(list, &[path]));
            assert_eq!(result.is_ok(), expected, "{path:?}: {result:?}");
        }
    }
}

#[test]
fn paths_of_executables_are_those_of_the_reference() {
    for case in data("apparmor_executable_path") {
        let path = case["path"].as_str().unwrap();
        assert_eq!(parsed(executables(&[path])).is_ok(), case["valid"].as_bool().unwrap(), "{path:?}");
        let libraries = json!({"abstract": {"executable": {"allowedLibraries": [path]}}});
        assert_eq!(parsed(libraries).is_ok(), case["valid"].as_bool().unwrap(), "{path:?}");
    }
}

#[test]
fn names_and_their_files_are_those_of_the_reference() {
    for case in data("apparmor_name") {
        let name = case["name"].as_str().unwrap();
        assert_eq!(name.parse::<Name>().is_ok(), case["valid"].as_bool().unwrap(), "{name:?}");
    }
    for case in data("apparmor_policy_file_name") {
        let name: Name = case["name"].as_str().unwrap().parse().unwrap();
        assert_eq!(name.file_name(), case["want"].as_str().unwrap());
    }
    assert!(
        "".parse::<Name>().is_err()
            && "unconfined".parse::<Name>().is_err()
            && "x".repeat(256).parse::<Name>().is_err()
    );
}

#[test]
fn capabilities_are_those_of_the_reference_in_one_spelling() {
    for case in data("apparmor_capability") {
        let name = case["cap"].as_str().unwrap();
        assert_eq!(parsed(capabilities(&[name])).is_ok(), case["valid"].as_bool().unwrap(), "{name:?}");
    }
    let spec = capabilities(&[" DAC_override ", "dac_override", "chown"]);
    let lines: Vec<String> =
        text(spec.clone()).lines().filter(|line| line.contains("capability")).map(str::to_owned).collect();
    assert_eq!(lines, ["  capability chown,", "  capability dac_override,"]);
    assert_eq!(warnings(spec), ["spec.abstract.capability.allowedCapabilities[1]: dac_override is named twice"]);
    let hint = "CAP_CHOWN".parse::<Capability>().unwrap_err().to_string();
    assert_eq!(hint, "\"CAP_CHOWN\" is no capability of Linux; write chown");
}

#[test]
fn texts_hold_what_those_of_the_reference_hold() {
    for case in data("apparmor_text") {
        let spec = json!({"mode": case["mode"], "abstract": {"filesystem": {"readOnlyPaths": case["readOnly"]}}});
        let text = apparmor::to_text(&parsed(spec).unwrap(), &case["name"].as_str().unwrap().parse().unwrap());
        let list = |key: &str| case[key].as_array().cloned().unwrap_or_default();
        // Differs on purpose: what nothing permits is refused anyway, and a denial would keep it out of the log.
        let differs = |part: &&Value| part.as_str() != Some("deny /etc/passwd wlk,");
        assert!(list("contains").iter().filter(differs).all(|part| text.contains(part.as_str().unwrap())), "{text}");
        assert!(!list("absent").iter().any(|part| text.contains(part.as_str().unwrap())), "{text}");
    }
}

#[rstest]
#[case("/var/log/{kern.log,syslog}")]
#[case("/a{b,}")]
#[case("/a{b,{c,d}}/**")]
#[case("/{@{HOME},srv}/x")]
#[case("/{a b,c}")]
fn w_x_10_alternatives_in_balanced_braces_are_accepted(#[case] path: &str) {
    let text = text(files("readWritePaths", &[path]));
    let written = if path.contains(' ') { format!("\"{path}\"") } else { path.to_owned() };
    assert!(text.contains(&format!("\n  {written} rwlk,\n")), "{text}");
    assert!(parsed(executables(&[path])).is_ok());
}

#[rstest]
#[case::comma_outside("/a,b", "',' cannot stand in a path")]
#[case::comma_after_braces("/{a,b},c", "',' cannot stand in a path")]
#[case::comma_in_a_variable("/@{a,b}", "',' cannot stand in a path")]
#[case::never_closed("/{a,b", "a brace without its other half")]
#[case::never_opened("/a,b}", "',' cannot stand")]
#[case::closed_twice("/{a,b}}", "a brace without its other half")]
#[case::single("/{a}", "braces around a single alternative")]
#[case::variable_without_name("/@{}/x", "a variable without a name")]
#[case::deep(&format!("/{}{}", "{a,".repeat(17), "}".repeat(17)), "braces are nested deeper than 16")]
fn w_x_10_other_braces_and_commas_are_refused(#[case] path: &str, #[case] expected: &str) {
    let found = parsed(files("readOnlyPaths", &[path])).unwrap_err();
    assert!(found[0].starts_with(&format!("spec.abstract.filesystem.readOnlyPaths[0]: {expected}")), "{found:?}");
}

#[rstest]
#[case::empty(files("writeOnlyPaths", &["/a", ""]), "spec.abstract.filesystem.writeOnlyPaths[1]: an empty path")]
#[case::parent(files("readWritePaths", &["/a/../b"]), "spec.abstract.filesystem.readWritePaths[0]: a path with /../ names no file")]
#[case::above(files("readOnlyPaths", &["/../etc"]), "spec.abstract.filesystem.readOnlyPaths[0]: a path with /../")]
#[case::relative(executables(&["bin/sh"]), "spec.abstract.executable.allowedExecutables[0]: a path begins with '/'")]
#[case::long(files("readOnlyPaths", &[&format!("/{}", "x".repeat(4096))]), "spec.abstract.filesystem.readOnlyPaths[0]: a path of 4097 bytes")]
#[case::quote(files("readOnlyPaths", &["/a\" r, /b"]), "spec.abstract.filesystem.readOnlyPaths[0]: '\"' cannot stand in a path")]
#[case::new_rule(files("readOnlyPaths", &["/a r,\n  capability sys_admin"]), "spec.abstract.filesystem.readOnlyPaths[0]: ',' cannot stand")]
#[case::tab(files("readOnlyPaths", &["/a\tr"]), "spec.abstract.filesystem.readOnlyPaths[0]: '\\t' cannot stand")]
#[case::ptrace_word(files("readWritePaths", &["ptrace (look),"]), "spec.abstract.filesystem.readWritePaths[0]: is no rule of the form ptrace (ACCESS),")]
#[case::ptrace_as_program(executables(&["ptrace (read),"]), "spec.abstract.executable.allowedExecutables[0]: a path begins with '/'")]
#[case::ptrace_with_a_second_line(files("readWritePaths", &["ptrace (read), #\n/etc/shadow r,"]), "spec.abstract.filesystem.readWritePaths[0]: is no rule")]
#[case::capability(capabilities(&["chown, net_admin"]), "spec.abstract.capability.allowedCapabilities[0]: \"chown, net_admin\" is no capability of Linux; write its name in small letters")]
#[case::too_many(json!({"abstract": {"filesystem": {"readOnlyPaths": vec!["/a"; 16_385]}}}), "spec.abstract: 16385 paths of 32770 bytes are too many")]
#[case::too_long(json!({"abstract": {"filesystem": {"readOnlyPaths": vec![format!("/{}", "a".repeat(4000)); 300]}}}), "spec.abstract: 300 paths of 1200300 bytes are too many")]
fn what_is_wrong_says_where_and_what_would_be_right(#[case] spec: Value, #[case] expected: &str) {
    let found = parsed(spec).unwrap_err();
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:#?}");
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let spec = json!({"abstract": {"filesystem": {"readOnlyPaths": ["", "a"]}, "executable": {"allowedLibraries": ["/a/../b"]},
        "capability": {"allowedCapabilities": ["x"]}}});
    assert_eq!(parsed(spec).unwrap_err().len(), 4);
}

#[test]
fn a_profile_cannot_have_the_name_of_what_is_not_confined() {
    let found = apparmor::parse("unconfined".parse().unwrap(), &AppArmorProfileSpec::default()).unwrap_err();
    assert!(found[0].to_string().starts_with("metadata.name: unconfined is what AppArmor calls"), "{found:?}");
}

#[rstest]
#[case(files("readOnlyPaths", &["/a/.."]), "spec.abstract.filesystem.readOnlyPaths[0]: ends with /..")]
#[case(files("readOnlyPaths", &["/a", "/a"]), "spec.abstract.filesystem.readOnlyPaths[1]: is named twice")]
#[case(files("readOnlyPaths", &["ptrace (read), # for a debugger"]), "spec.abstract.filesystem.readOnlyPaths[0]: is no path; the rule is taken over")]
#[case(json!({"abstract": {"filesystem": {"readOnlyPaths": ["/a"], "writeOnlyPaths": ["/a"]}}}), "spec.abstract.filesystem: /a is in two lists")]
fn what_only_surprises_is_a_warning(#[case] spec: Value, #[case] expected: &str) {
    let warnings = warnings(spec);
    assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:#?}");
}

/// Every field, each with a value.
fn full() -> Value {
    json!({"mode": "Enforce", "abstract": {
        "executable": {"allowedExecutables": ["/bin/sh"], "allowedLibraries": ["/lib/**"]},
        "filesystem": {"readOnlyPaths": ["/My Documents/x", "ptrace (trace),"], "writeOnlyPaths": ["/var/log/x"], "readWritePaths": ["/tmp/*"]},
        "network": {"allowRaw": false, "allowedProtocols": {"allowTcp": true, "allowUdp": true}},
        "capability": {"allowedCapabilities": ["sys_rawio", "chown"]},
    }})
}

#[test]
fn a_text_is_what_was_agreed_upon() {
    let expected = r#"# Made by the Security Profiles Operator from an AppArmorProfile, which is what to change.
#include <tunables/global>

profile web flags=(enforce,attach_disconnected,mediate_deleted) {
  #include <abstractions/base>

  /bin/sh ixr,
  /lib/** mr,
  /sbin/fsck ixr,
  /sbin/fsck.ext4 ixr,
  "/My Documents/x" r,
  /var/log/x wlk,
  /tmp/* rwlk,
  ptrace (trace),
  network tcp,
  network udp,
  capability chown,
  capability sys_rawio,
  mount,
  remount,
  umount,
  audit deny @{PROC}/* w,
  audit deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,
  audit deny @{PROC}/sys/[^k]** w,
  audit deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  audit deny @{PROC}/sysrq-trigger rwklx,
  audit deny @{PROC}/mem rwklx,
  audit deny @{PROC}/kmem rwklx,
  audit deny @{PROC}/kcore rwklx,
  audit deny /sys/firmware/efi/efivars/** rwklx,
}
"#;
    assert_eq!(text(full()), expected);
}

#[test]
fn complain_mode_denies_nothing_since_the_kernel_would_enforce_it() {
    let mut spec = full();
    spec["mode"] = "Complain".into();
    let text = text(spec);
    assert!(text.contains("flags=(complain,attach_disconnected,mediate_deleted)") && !text.contains("deny"), "{text}");
}

#[test]
fn a_profile_without_rules_is_one_with_none_of_them() {
    assert_eq!(text(json!({"mode": "Enforce"})), text(json!({"mode": "Enforce", "abstract": {}})));
    assert_eq!(text(json!({})), text(json!({"abstract": {}})));
}

#[rstest]
#[case::absent(json!({"abstract": {}}), &[])]
#[case::nothing(json!({"abstract": {"network": {}}}), &[])]
#[case::refused(json!({"abstract": {"network": {"allowRaw": false}}}), &[])]
#[case::raw(json!({"abstract": {"network": {"allowRaw": true}}}), &["network raw"])]
#[case::udp(json!({"mode": "Complain", "abstract": {"network": {"allowedProtocols": {"allowUdp": true}}}}), &["network udp"])]
fn networks_are_mentioned_where_the_profile_does(#[case] spec: Value, #[case] expected: &[&str]) {
    let text = text(spec);
    let rules: Vec<&str> =
        text.lines().filter(|line| line.contains("network")).map(|line| line.trim().trim_end_matches(',')).collect();
    assert_eq!(rules, expected);
}

#[rstest]
#[case::alone("/data/**", &[], false)]
#[case::elsewhere("/data/**", &["/srv/x"], false)]
#[case::a_folder_of_it("/data/**", &["/data/tmp/*"], false)]
#[case::all_but("/**", &["/tmp/x"], false)]
#[case::a_file_of_it("/data/*", &["/data/x"], false)]
#[case::deeper_than_it("/data/*", &["/data/x/y"], false)]
#[case::wider_than_it("/data/*", &["/data/**"], true)]
#[case::the_same("/data/**", &["/data/**", "/data/x"], true)]
#[case::the_same_in_other_words("/data/{a,b}", &["/data/{b,a}"], true)]
#[case::an_exception("/data/x", &["/data/**"], true)]
#[case::an_exception_by_braces("/data/{x,y}", &["/{data,srv}/*"], true)]
#[case::part_of_a_name("/data/x*", &["/data/xy"], false)]
#[case::partly("/data/*.conf", &["/data/x*"], true)]
#[case::only_the_folder_itself("/data/**", &["/data/"], false)]
#[case::a_process_of_all("/proc/@{pid}/x", &["/proc/**"], true)]
#[case::perhaps("/@{HOME}/x", &["/root/*"], true)]
fn a_denial_is_an_exception_and_takes_away_nothing_that_is_permitted_inside(
    #[case] read: &str,
    #[case] written: &[&str],
    #[case] denied: bool,
) {
    for list in ["writeOnlyPaths", "readWritePaths"] {
        let text = text(json!({"abstract": {"filesystem": {"readOnlyPaths": [read], list: written}}}));
        assert_eq!(text.contains(&format!("  audit deny {read} wlk,")), denied, "{text}");
    }
    let text = text(
        json!({"abstract": {"filesystem": {"writeOnlyPaths": [read]}, "executable": {"allowedLibraries": written}}}),
    );
    assert_eq!(text.contains(&format!("  audit deny {read} r,")), denied, "{text}");
}

#[rstest]
#[case::written_by_all(files("readOnlyPaths", &["/dev/null"]), "audit deny /dev/null wlk,", true)]
#[case::read_by_all(files("writeOnlyPaths", &["/usr/lib/x.so"]), "audit deny /usr/lib/x.so r,", true)]
#[case::all_devices(files("readOnlyPaths", &["/dev/**"]), "audit deny /dev/** wlk,", false)]
#[case::everything(files("readOnlyPaths", &["/**"]), "audit deny /** wlk,", false)]
fn what_every_profile_permits_counts_too(#[case] spec: Value, #[case] rule: &str, #[case] denied: bool) {
    let text = text(spec);
    assert_eq!(text.contains(rule), denied, "{text}");
}

#[test]
fn thousands_of_paths_and_of_globs_are_looked_at_in_a_moment() {
    let (read, written): (Vec<String>, Vec<String>) =
        (0..4000).map(|at| (format!("/srv/*{at}/a*"), format!("/srv/{at}*/*b"))).unzip();
    let spec = json!({"abstract": {"filesystem": {"readOnlyPaths": read, "readWritePaths": written}}});
    assert!(text(spec).lines().count() > 8000);
}

#[test]
fn the_order_of_writing_does_not_show_in_the_text() {
    let one = text(files("readOnlyPaths", &["/b", "/a"]));
    assert_eq!(one, text(files("readOnlyPaths", &["/a", "/b", "/a"])));
}

/// Texts near to what is accepted, with what could end a path or begin another rule.
fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "/[a-z0-9_./*?+@{}, -]{0,20}",
        1 => "/?[a-z/ ,\"\\\\\n#;{}$()]{0,20}",
        1 => "ptrace ?\\([a-z]{1,5}\\),( *# .{0,5})?",
    ]
}

fn lists() -> impl Strategy<Value = [Vec<String>; 5]> {
    prop::array::uniform5(prop::collection::vec(path(), 0..4))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_text_reads_as_the_rules_that_are_meant_and_no_others(lists in lists(), complain in any::<bool>(), caps in prop::collection::btree_set("[a-z_]{3,6}|chown|SYS_admin", 0..3)) {
        let kept = lists.map(|list| list.into_iter().filter(|path| parsed(files("readOnlyPaths", &[path])).is_ok()).collect::<Vec<_>>());
        let [executables, libraries, read_only, write_only, read_write] = kept;
        let is_path = |path: &&String| path.starts_with('/');
        let programs = |list: Vec<String>| list.iter().filter(is_path).cloned().collect::<Vec<_>>();
        let (executables, libraries) = (programs(executables), programs(libraries));
        let caps: Vec<String> = caps.into_iter().filter(|name| name.parse::<Capability>().is_ok()).collect();
        let text = text(json!({"mode": if complain { "Complain" } else { "Enforce" }, "abstract": {
            "executable": {"allowedExecutables": executables, "allowedLibraries": libraries},
            "filesystem": {"readOnlyPaths": read_only, "writeOnlyPaths": write_only, "readWritePaths": read_write},
            "capability": {"allowedCapabilities": caps},
        }}));
        let allowed = |list: &[String], access: &str| list.iter().filter(is_path).map(|path| Rule::Allow(path.clone(), access.to_owned())).collect::<Vec<_>>();
        let mut meant = [allowed(&executables, "ixr"), allowed(&libraries, "mr"), allowed(&read_only, "r"), allowed(&write_only, "wlk"), allowed(&read_write, "rwlk")].concat();
        meant.extend(caps.iter().map(|name| Rule::Other(format!("capability {}", name.to_lowercase()))));
        let traces = [&read_only, &write_only, &read_write].into_iter().flatten().filter(|path| !path.starts_with('/'));
        meant.extend(traces.map(|rule| Rule::Other(format!("ptrace ({})", rule.split(['(', ')']).nth(1).unwrap()))));
        meant.sort();
        meant.dedup();
        let (denied, mut found): (Vec<Rule>, Vec<Rule>) = read(&text).into_iter().partition(|rule| matches!(rule, Rule::Deny(..)));
        found.sort();
        prop_assert_eq!(found, meant, "{}", &text);
        prop_assert_eq!(denied.is_empty(), complain);
        let named = |path: &String| read_only.contains(path) || write_only.contains(path);
        let ours = |rule: &&Rule| matches!(rule, Rule::Deny(path, _) if !named(path));
        prop_assert_eq!(denied.iter().filter(ours).count(), if complain { 0 } else { 9 }, "{}", &text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(path in ".{0,60}") {
        let _ = path.parse::<Pattern>();
        let _ = path.parse::<Name>();
        let _ = path.parse::<Capability>();
        let _ = parsed(files("readOnlyPaths", &[&path]));
    }
}
