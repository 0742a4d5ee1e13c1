//! What profiles make of containers, by each class of rule.

use rstest::rstest;
use serde_json::{Value, json};
use spo_tests::guest::{Container, Guest, all};

use crate::node::{done, holds, loaded, profile, remove};

/// What busybox needs to start, and to say something.
fn busybox(more: Value) -> Value {
    let mut spec = json!({"abstract": {
        "executable": {"allowedExecutables": ["/bin/busybox", "/bin/*"], "allowedLibraries": ["/lib/**"]},
        "filesystem": {"readOnlyPaths": ["/", "/bin/", "/proc/**"]},
    }});
    merge(&mut spec, more);
    spec
}

/// Puts the fields of one object into another; lists are joined.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

/// What a container prints that runs a script under a profile.
fn run(name: &str, container: Container, script: &str) -> String {
    all(&container.apparmor(name).run(script))
}

#[test]
fn r11_a_profile_in_complain_mode_that_allows_nothing_lets_everything_be_done() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let step = profile("r11", json!({"mode": "Complain", "abstract": {}}));
    done(std::slice::from_ref(&step));
    assert_eq!(loaded("r11").as_deref(), Some("r11 (complain)"));
    assert!(holds(&step));
    let printed = run("r11", Container::busybox(), "cat /proc/self/attr/current; echo x >/tmp/x && echo written");
    assert!(printed.contains("r11 (complain)") && printed.contains("written"), "{printed}");
    done(&[remove("r11")]);
    assert_eq!(loaded("r11"), None);
}

#[rstest]
#[case::a_file_that_may_be_read("read", json!({"filesystem": {"readOnlyPaths": ["/etc/allowed"]}}),
    "cat /etc/allowed && echo yes; cat /etc/other || echo no; echo x >/etc/allowed || echo no-write", &["yes", "no", "no-write"])]
#[case::a_file_that_may_be_written("write", json!({"filesystem": {"writeOnlyPaths": ["/etc/allowed"]}}),
    "echo x >/etc/allowed && echo yes; cat /etc/allowed || echo no; echo x >/etc/other || echo no-write", &["yes", "no", "no-write"])]
#[case::a_file_that_may_be_both("both", json!({"filesystem": {"readWritePaths": ["/etc/allowed"]}}),
    "echo x >/etc/allowed && cat /etc/allowed && echo yes; cat /etc/other || echo no", &["yes", "no"])]
#[case::a_pattern_with_braces("braces", json!({"filesystem": {"readOnlyPaths": ["/etc/{allowed,more}"]}}),
    "cat /etc/allowed && echo yes; cat /etc/other || echo no", &["yes", "no"])]
#[case::an_executable("exec", json!({"executable": {"allowedExecutables": ["/etc/busybox-yes"]}}),
    "/etc/busybox-yes echo yes; /etc/busybox-no echo other || echo no", &["yes", "no"])]
fn each_class_of_rule_about_files_is_enforced(
    #[case] name: &str,
    #[case] rules: Value,
    #[case] script: &str,
    #[case] expected: &[&str],
) {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let name = format!("files-{name}");
    done(&[profile(&name, busybox(json!({"abstract": rules})))]);
    let container = Container::busybox();
    for file in ["allowed", "other"] {
        std::fs::write(container.root().join("etc").join(file), "content\n").expect("a file can be written");
    }
    for tool in ["busybox-yes", "busybox-no"] {
        std::fs::copy("/usr/bin/busybox", container.root().join("etc").join(tool)).expect("a program can be copied");
    }
    let printed = run(&name, container, script);
    for line in expected {
        assert!(printed.lines().any(|printed| printed == *line), "{line} is not in:\n{printed}");
    }
    assert_eq!(loaded(&name), Some(format!("{name} (enforce)")));
    done(&[remove(&name)]);
}

#[test]
fn the_network_is_what_the_profile_says() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let network = |name: &str, network: Value| profile(name, busybox(json!({"abstract": {"network": network}})));
    let steps = [
        network("net-none", json!({"allowRaw": false})),
        network("net-tcp", json!({"allowedProtocols": {"allowTcp": true}})),
        profile(
            "net-raw",
            busybox(json!({"abstract": {
                "network": {"allowRaw": true}, "capability": {"allowedCapabilities": ["net_raw"]},
            }})),
        ),
    ];
    done(&steps);
    // A socket that may not be made is told so; one that may be made only finds nobody.
    let tcp = "nc -w 1 127.0.0.1 9 </dev/null 2>&1; echo ended";
    let denied = |name: &str| run(name, Container::busybox(), tcp).contains("ermission denied");
    assert_eq!(["net-none", "net-tcp"].map(denied), [true, false]);
    let ping = |name: &str| {
        run(name, Container::busybox().capabilities(&["CAP_NET_RAW"]), "ping -c 1 -w 1 127.0.0.1 2>&1; echo ended")
    };
    let printed = ["net-tcp", "net-raw"].map(ping);
    let refused = |text: &String| text.contains("ermission denied") || text.contains("not permitted");
    assert_eq!(printed.each_ref().map(refused), [true, false], "{printed:#?}");
    done(&["net-none", "net-tcp", "net-raw"].map(remove));
}

#[test]
fn a_capability_works_only_where_the_profile_has_it() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let with = json!({"abstract": {"capability": {"allowedCapabilities": ["CHOWN", "fowner"]}, "filesystem": {"readWritePaths": ["/tmp/**"]}}});
    let without = json!({"abstract": {"filesystem": {"readWritePaths": ["/tmp/**"]}}});
    done(&[profile("cap-with", busybox(with)), profile("cap-without", busybox(without))]);
    let script = "echo x >/tmp/x; chmod 600 /tmp/x; chown 5:5 /tmp/x && echo changed || echo refused";
    let run = |name: &str| {
        let container = Container::busybox().capabilities(&["CAP_CHOWN", "CAP_FOWNER"]);
        std::os::unix::fs::symlink("busybox", container.root().join("bin/chown")).expect("a link can be made");
        run(name, container, script)
    };
    let printed = ["cap-with", "cap-without"].map(run);
    assert!(printed[0].contains("changed"), "{}", printed[0]);
    assert!(printed[1].contains("refused"), "{}", printed[1]);
    done(&["cap-with", "cap-without"].map(remove));
}

#[test]
fn mounts_are_for_those_that_may_reach_raw_devices() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let capable = |names: &[&str]| {
        busybox(json!({"abstract": {
            "capability": {"allowedCapabilities": names}, "filesystem": {"readWritePaths": ["/tmp/", "/tmp/**"]},
        }}))
    };
    done(&[
        profile("mount-with", capable(&["sys_admin", "sys_rawio"])),
        profile("mount-without", capable(&["sys_admin"])),
    ]);
    let script = "mkdir /tmp/m; mount -t tmpfs none /tmp/m && echo mounted || echo refused";
    let run = |name: &str| run(name, Container::busybox().capabilities(&["CAP_SYS_ADMIN"]), script);
    let printed = ["mount-with", "mount-without"].map(run);
    assert!(printed[0].contains("mounted"), "{}", printed[0]);
    assert!(printed[1].contains("Permission denied") && printed[1].contains("refused"), "{}", printed[1]);
    done(&["mount-with", "mount-without"].map(remove));
}
