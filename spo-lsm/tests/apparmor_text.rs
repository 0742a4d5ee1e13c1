//! AppArmor's text read back: ours permits the same again, of that of others what an AppArmorProfile can say, and the rest is told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use spo_api::apparmor::v1::Mode;
use spo_lsm::apparmor::{self, ImportError, Imported, Permission, Profile, diff, parse_text, to_spec, to_text};

mod apparmor_rules;
use apparmor_rules::permitted;

fn profile(spec: Value) -> Profile {
    apparmor::parse("web".parse().unwrap(), &serde_json::from_value(spec).unwrap()).unwrap()
}

fn text(profile: &Profile) -> String {
    to_text(profile, profile.loaded_as())
}

/// A text of these rules that has all that every text of ours has, but for the denials.
fn with(rules: &str) -> String {
    format!(
        "#include <tunables/global>\nprofile web flags=(attach_disconnected,mediate_deleted) {{\n#include <abstractions/base>\n{rules}\n}}\n"
    )
}

fn imported(text: &str) -> Imported {
    parse_text(text.as_bytes()).unwrap()
}

/// What was made of such a text: its lists, and what was told of its rules.
fn read(rules: &str) -> (Value, Vec<String>) {
    let found = imported(&with(rules));
    let mut spec = serde_json::to_value(to_spec(&found.profile)).unwrap();
    (spec["abstract"].take(), found.unread.iter().map(ToString::to_string).collect())
}

fn filesystem(list: &str, path: &str) -> Value {
    json!({"filesystem": {list: [path]}})
}

#[rstest]
#[case("/etc/passwd r,", filesystem("readOnlyPaths", "/etc/passwd"))]
#[case("r /etc/passwd,", filesystem("readOnlyPaths", "/etc/passwd"))]
#[case("file r /etc/passwd,", filesystem("readOnlyPaths", "/etc/passwd"))]
#[case("allow file /etc/passwd r,", filesystem("readOnlyPaths", "/etc/passwd"))]
#[case("\"/srv/My Documents/**\" r, # why", filesystem("readOnlyPaths", "/srv/My Documents/**"))]
#[case("/srv/@{x}/{a,b}/* r,#why", filesystem("readOnlyPaths", "/srv/@{x}/{a,b}/*"))]
#[case("include <abstractions/base> # again\n/etc/passwd r,", filesystem("readOnlyPaths", "/etc/passwd"))]
#[case("/run/a wlk,", filesystem("writeOnlyPaths", "/run/a"))]
#[case("/run/a wlk,/run/a r,", filesystem("readWritePaths", "/run/a"))]
#[case("/run/a rwlk,", filesystem("readWritePaths", "/run/a"))]
#[case("/bin/a rix,", json!({"executable": {"allowedExecutables": ["/bin/a"]}}))]
#[case("/lib/*.so mr,", json!({"executable": {"allowedLibraries": ["/lib/*.so"]}}))]
#[case("ptrace (read trace),", json!({"filesystem": {"readOnlyPaths": ["ptrace (read),", "ptrace (trace),"]}}))]
#[case("ptrace readby,", json!({"filesystem": {"readOnlyPaths": ["ptrace (readby),"]}}))]
#[case("capability chown kill,\n  capability fowner,", json!({"capability": {"allowedCapabilities": ["chown", "fowner", "kill"]}}))]
#[case("network raw,", json!({"network": {"allowRaw": true}}))]
#[case("network tcp,", json!({"network": {"allowedProtocols": {"allowTcp": true}}}))]
#[case("network inet stream, network inet6 stream,", json!({"network": {"allowedProtocols": {"allowTcp": true}}}))]
#[case("network inet6 dgram, network inet udp,", json!({"network": {"allowedProtocols": {"allowUdp": true}}}))]
fn what_can_be_said_is_said_and_nothing_is_told(#[case] rules: &str, #[case] expected: Value) {
    assert_eq!(read(rules), (expected, vec![]));
}

#[rstest]
#[case("signal (send, receive) peer=a,", "line 4: signal (send, receive) peer=a: is left out")]
#[case("\n\nunix (connect) type=stream,", "line 6: unix")]
#[case("dbus send bus=system,", "line 4: dbus")]
#[case("mount options=(rw, bind) /a/ -> /b/,", "line 4: mount options=(rw, bind) /a/ -> /b/: is left out")]
#[case("mount,", "together with the capability sys_rawio")]
#[case("pivot_root,", "line 4: pivot_root: is left out")]
#[case("change_profile -> a,", "line 4: change_profile")]
#[case("set rlimit nofile <= 10,", "line 4: set rlimit")]
#[case("owner /home/* rw,", "whoever owns them")]
#[case("priority=3 /home/* r,", "no priorities")]
#[case("capability,", "names each capability")]
#[case("capability fly,", "\"fly\" is no capability")]
#[case("network netlink raw,", "TCP, UDP and raw")]
#[case("network inet stream,", "in IPv4 and IPv6")]
#[case("ptrace (read) peer=a,", "of any process")]
#[case("ptrace (fly),", "\"fly\" is no rule")]
#[case("/var/log/a a,", "to append")]
#[case("/a[0-9] r,", "is left out: '['")]
#[case("/a\\ b r,", "is left out: '\\\\'")]
#[case("/a/../b r,", "/../")]
#[case("@{HOME}/a r,", "what the variable stands for")]
#[case("/a i,", "not understood")]
#[case("/a rp,", "not understood")]
#[case("/a x,", "leaves the profile")]
#[case("/a Z,", "not understood")]
#[case("fly me,", "not understood")]
#[case("/bin/a Px,", "leaves the profile")]
#[case("/bin/a cix -> b,", "leaves the profile")]
#[case("^hat {\n /a r,\n}", "line 4: ^hat: is a block")]
#[case("profile child /bin/b {\n /a r,\n profile deep {\n }\n }", "line 4: profile child /bin/b: is a block")]
#[case("#include <abstractions/nameservice>", "not looked into")]
#[case("include if exists <local/web>", "not looked into")]
fn what_cannot_be_said_is_told_with_its_line_and_left_out(#[case] rules: &str, #[case] expected: &str) {
    let (spec, told) = read(rules);
    assert!(told.iter().any(|line| line.contains(expected)), "{told:?}");
    assert_eq!(spec, json!({}));
}

#[rstest]
#[case("audit /a r,", "not written to the log", filesystem("readOnlyPaths", "/a"))]
#[case("/a rk,", "to lock", filesystem("readOnlyPaths", "/a"))]
#[case("/a rPx,", "running is left out", filesystem("readOnlyPaths", "/a"))]
#[case("/a rw,", "may be locked and linked, too", filesystem("readWritePaths", "/a"))]
#[case("/a ix,", "may be read, too", json!({"executable": {"allowedExecutables": ["/a"]}}))]
#[case("capability sys_rawio,", "permits mounting", json!({"capability": {"allowedCapabilities": ["sys_rawio"]}}))]
#[case("network stream,", "TCP, UDP", json!({"network": {"allowedProtocols": {"allowTcp": true}}}))]
fn what_is_taken_over_as_more_or_less_is_told(#[case] rules: &str, #[case] expected: &str, #[case] spec: Value) {
    let (found, told) = read(rules);
    assert!(matches!(told.as_slice(), [one] if one.contains(expected)), "{told:?}");
    assert_eq!(found, spec);
}

#[rstest]
#[case::repeats_the_default("/a r, deny /b rw, deny capability kill, deny network, deny mount,", &[])]
#[case::an_exception_of_ours("/a/** rwlk, /a/b r, audit deny /a/b wlk,", &[])]
#[case::takes_something_away("/a/** r, deny /a/b r,", &["more is permitted"])]
#[case::a_capability("capability kill, deny capability kill,", &["more is permitted"])]
#[case::the_network("network tcp, deny network inet stream,", &["more is permitted"])]
#[case::of_owners("/a/** r, owner deny /a/b r, deny owner /a/c r,", &["more is permitted", "more is permitted"])]
#[case::tracing_that_nothing_permits("deny ptrace (trace) peer=x,", &[])]
#[case::tracing_that_base_permits("deny ptrace, deny ptrace (readby),", &["more is permitted", "more is permitted"])]
#[case::what_base_permits("deny /etc/ld.so.cache r,", &["more is permitted"])]
#[case::what_base_lets_be_loaded("deny /usr/lib/x86_64-linux-gnu/libc.so.6 m, deny /a m,", &["more is permitted"])]
#[case::what_base_lets_be_run("deny /*/.Private/bin/** x, deny /*/.Private/x rw, deny /srv/bin x,", &["more is permitted", "more is permitted"])]
#[case::no_exception_in_the_text("/a/** rwlk, /a/b r,", &[])]
#[case::no_exception_of_a_part("/a/*b rwlk, /a/b* r,", &["makes an exception"])]
#[case::what_we_deny("/proc/** rwlk,", &["every AppArmorProfile denies"])]
fn a_denial_is_kept_or_told(#[case] rules: &str, #[case] expected: &[&str]) {
    let (_, told) = read(rules);
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(told.iter().zip(expected).all(|(one, part)| one.contains(part)), "{told:?}");
}

#[test]
fn a_path_that_is_also_permitted_by_a_wider_rule_makes_no_exception() {
    let (spec, _) = read("/a/** rwlk, /a/b r,");
    assert_eq!(spec, filesystem("readWritePaths", "/a/**"));
}

#[test]
fn a_denial_in_complain_mode_is_told() {
    let text = with("deny /b r,").replace("flags=(", "flags=(complain,");
    let found = imported(&text);
    assert_eq!(found.profile.mode(), Mode::Complain);
    assert!(found.unread[0].reason.contains("complain mode"), "{:?}", found.unread);
}

#[test]
fn a_profile_of_a_program_is_named_after_it() {
    let found = imported("abi <abi/3.0>,\n@{X}=/a /b\n/usr/bin/My_App flags=(complain) {\n  @{X}/c r,\n}\n");
    assert_eq!((found.profile.name().as_str(), found.name.as_str()), ("my-app", "/usr/bin/My_App"));
    let told: Vec<(usize, &str)> = found.unread.iter().map(|unread| (unread.line, unread.reason.as_str())).collect();
    for (line, part) in [
        (1, "outside"),
        (2, "variable"),
        (3, "is called my-app"),
        (3, "mediate_deleted"),
        (3, "abstractions/base"),
        (4, "@{X} is defined"),
    ] {
        assert!(told.iter().any(|(at, reason)| *at == line && reason.contains(part)), "{line} {part}: {told:?}");
    }
}

#[rstest]
#[case("", "no profile in it")]
#[case("# nothing\n", "no profile in it")]
#[case("profile a {\n /b r\n}", "line 2: a rule without the comma")]
#[case("profile a {\n /b r,\n", "line 1: the profile that begins here is not closed")]
#[case("profile a {\n}\n}", "line 3: a brace closes")]
#[case("profile a {\n}\nprofile b {\n}", "line 3: another profile")]
#[case("profile a {\n \"/b r,\n}", "line 2: a quote")]
#[case("profile \"***\" {\n}", "no name of an object")]
#[case("{\n}", "a brace without a profile")]
fn what_is_no_profile_is_refused_with_its_line(#[case] text: &str, #[case] expected: &str) {
    let message = parse_text(text.as_bytes()).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn bytes_and_too_much_text_are_refused() {
    assert!(matches!(parse_text(b"profile a { \xff }"), Err(ImportError::NotText(_))));
    assert_eq!(parse_text(&vec![b' '; (4 << 20) + 1]), Err(ImportError::TooLong((4 << 20) + 1)));
}

#[test]
fn what_is_told_has_an_end_and_is_counted() {
    let found = imported(&with(&"fly,\n".repeat(1000)));
    assert_eq!(found.unread.len(), 256);
    assert!(found.unread[255].reason.ends_with("and 744 more are not told"), "{}", found.unread[255]);
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![5 => "[ab]", 1 => Just("*".to_owned()), 1 => Just("**".to_owned()), 1 => Just("?".to_owned()), 1 => Just(" ".to_owned()), 1 => "\\{[ab]{1,2},[ab]?\\*?\\}"];
    let name = prop::collection::vec(part, 1..3).prop_map(|parts| parts.concat());
    let own = prop::collection::vec(name, 1..3).prop_map(|names| format!("/{}", names.join("/")));
    prop_oneof![12 => own, 1 => Just("/sbin/fsck".to_owned()), 1 => Just("/sbin/**".to_owned()), 1 => Just("/proc/kcore".to_owned())]
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let lists = prop::array::uniform5(prop::collection::vec(pattern(), 0..3));
    let flag = || prop::option::of(any::<bool>());
    let capabilities = prop::collection::vec(prop::sample::select(vec!["kill", "chown", "sys_rawio"]), 0..3);
    let tracing = prop::option::of(prop::sample::select(vec!["ptrace (read),", "ptrace (tracedby),"]));
    let mode = prop::sample::select(vec!["Enforce", "Complain"]);
    (lists, [flag(), flag(), flag()], capabilities, tracing, mode).prop_map(
        |([executables, libraries, mut read, write, both], [raw, tcp, udp], capabilities, tracing, mode)| {
            read.extend(tracing.map(str::to_owned));
            profile(json!({"mode": mode, "abstract": {
                "executable": {"allowedExecutables": executables, "allowedLibraries": libraries},
                "filesystem": {"readOnlyPaths": read, "writeOnlyPaths": write, "readWritePaths": both},
                "network": {"allowRaw": raw, "allowedProtocols": {"allowTcp": tcp, "allowUdp": udp}},
                "capability": {"allowedCapabilities": capabilities},
            }}))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn our_own_text_is_read_back_as_what_it_permits(profile in any_profile()) {
        let text = text(&profile);
        let found = parse_text(text.as_bytes()).unwrap();
        prop_assert!(found.unread.is_empty(), "{:?}\n{}", found.unread, text);
        let difference = diff(&profile, &found.profile);
        // What is too much to compare is no difference; that the texts are equal decides it below.
        let mut all = difference.only_first.iter().chain(&difference.only_second);
        let undecided = all.all(|one| matches!(one, Permission::File { example: None, .. }));
        prop_assert!(difference.modes.is_none() && undecided, "{}\n{}\n{:?}", difference, text, found.profile);
        // The same by a reader that knows nothing of the model: in complain mode, there are no denials that it could miss.
        let again = self::text(&found.profile);
        prop_assert_eq!(&again, &text);
        let rules = [&text, &again].map(|text| apparmor_rules::read(text));
        for path in ["/a", "/b", "/ab", "/a/a", "/a/b", "/b/ab", "/a /b", "/sbin/fsck", "/sbin/fsck.ext4", "/sbin/a", "/proc/kcore"] {
            let [one, two] = rules.each_ref().map(|rules| permitted(rules, path));
            prop_assert_eq!(one, two, "{}\n{}\n{}", path, text, again);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "(profile a|[{},#\"() \n\\\\@=/]|/a r,|deny |include <a>|flags=\\(|@\\{X\\}=|é){0,40}") {
        let _ = parse_text(text.as_bytes());
    }
}

#[test]
fn a_profile_for_containers_is_read_as_far_as_it_can_be_said_and_the_rest_is_told_line_by_line() {
    let found = imported(include_str!("../../fuzz/corpus/apparmor_text/container.apparmor"));
    let spec = serde_json::to_value(to_spec(&found.profile)).unwrap();
    let all = ["/{**,}"];
    assert_eq!(
        spec["abstract"],
        json!({"executable": {"allowedExecutables": all}, "filesystem": {"readWritePaths": all},
            "network": {"allowRaw": true, "allowedProtocols": {"allowTcp": true, "allowUdp": true}}})
    );
    // Of the denials, those that every AppArmorProfile has and that of mounts, which nothing permits, are not told.
    let lines: Vec<usize> = found.unread.iter().map(|unread| unread.line).collect();
    assert_eq!(lines, [2, 4, 5, 6, 7, 8, 12, 13], "{:?}", found.unread);
}

#[test]
fn a_profile_of_a_service_is_read_as_far_as_it_can_be_said_and_the_rest_is_told_line_by_line() {
    let found = imported(include_str!("../../fuzz/corpus/apparmor_text/plain.apparmor"));
    let spec = serde_json::to_value(to_spec(&found.profile)).unwrap();
    assert_eq!(
        spec["abstract"],
        json!({"filesystem": {"readOnlyPaths": ["/etc/filed/{a,b}.conf"], "readWritePaths": ["/srv/My Documents/*"]},
            "network": {"allowedProtocols": {"allowTcp": true}}, "capability": {"allowedCapabilities": ["chown", "setuid"]}})
    );
    let mut lines: Vec<usize> = found.unread.iter().map(|unread| unread.line).collect();
    lines.dedup();
    assert_eq!(lines, [2, 4, 6, 8, 12, 13, 14, 15, 16, 18, 19, 20, 21], "{:?}", found.unread);
}

#[test]
fn as_many_exceptions_as_fit_are_read_in_time() {
    let rules: String = (0..8000).map(|n| format!("/srv/**{n} wlk,\n/srv/{n} r,\n")).collect();
    let (_, told) = read(&rules);
    assert!(told.iter().any(|told| told.contains("more are not told")), "{told:?}");
}
