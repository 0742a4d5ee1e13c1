//! What a daemon without privilege has installed by the installer.

use spo_tests::guest::{Container, Containerd, Guest, Pair, all};

use crate::node::loaded;

const PROFILE: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1
kind: AppArmorProfile
metadata: {name: by-daemon}
spec: {mode: Complain, abstract: {}}
";

#[test]
fn w_nd_9_a_daemon_without_privilege_has_a_profile_loaded_switched_off_and_on_and_removed() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    let pair = Pair::start(&guest, "--with-apparmor");
    pair.write("profile.yaml", PROFILE);
    pair.until("it is loaded", || pair.says("apparmorprofile", "by-daemon").contains("installed as by-daemon"));
    assert_eq!(loaded("by-daemon").as_deref(), Some("by-daemon (complain)"));
    let printed = all(&Container::busybox().apparmor("by-daemon").run("cat /proc/self/attr/current"));
    assert!(printed.contains("by-daemon (complain)"), "{printed}");
    pair.write("profile.yaml", &PROFILE.replace("mode: Complain", "mode: Enforce"));
    pair.until("it is enforced", || loaded("by-daemon").as_deref() == Some("by-daemon (enforce)"));
    pair.write("profile.yaml", &PROFILE.replace("mode: Complain", "state: Disabled"));
    pair.until("it is switched off", || loaded("by-daemon").is_none());
    pair.write("profile.yaml", PROFILE);
    pair.until("it is loaded again", || loaded("by-daemon").is_some());
    pair.take_away("profile.yaml");
    pair.until("it is removed", || loaded("by-daemon").is_none());
}

#[test]
fn a_file_that_somebody_removes_is_written_again() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    let pair = Pair::start(&guest, "--with-apparmor");
    pair.write("profile.yaml", &PROFILE.replace("by-daemon", "restored"));
    pair.until("it is loaded", || pair.says("apparmorprofile", "restored").contains("installed as restored"));
    let file = "/etc/apparmor.d/restored";
    let text = std::fs::read_to_string(file).expect("it is there");
    std::fs::write(file, text.replace("/abstractions", "/abstractions/")).expect("it can be changed");
    pair.until("it is as it was", || std::fs::read_to_string(file).is_ok_and(|now| now == text));
    pair.take_away("profile.yaml");
    pair.until("it is removed", || loaded("restored").is_none());
}

const STANDALONE: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SeccompProfile
metadata: {name: standalone-calls}
spec: {defaultAction: SCMP_ACT_ALLOW, syscalls: [{names: [mkdir, mkdirat], action: SCMP_ACT_ERRNO}]}
---
apiVersion: security-profiles-operator.x-k8s.io/v1
kind: AppArmorProfile
metadata: {name: standalone-files}
spec:
  abstract:
    executable: {allowedExecutables: [/bin/*], allowedLibraries: [/lib/**]}
    filesystem: {readOnlyPaths: [/, /bin/, /proc/**], readWritePaths: [/tmp/**]}
";

#[test]
fn s1_r11_without_kubernetes_a_container_of_crun_and_one_of_containerd_are_confined_by_what_the_folder_holds() {
    let Some(guest) = Guest::entered("apparmor") else { return };
    let pair = Pair::start(&guest, "--with-apparmor");
    pair.write("profiles.yaml", STANDALONE);
    pair.until("both are installed", || {
        pair.says("seccompprofile", "standalone-calls").contains("installed as")
            && pair.says("apparmorprofile", "standalone-files").contains("installed as")
    });
    let container = || {
        let container = Container::busybox().apparmor("standalone-files");
        std::fs::write(container.root().join("etc/secret"), "content").expect("a file can be written");
        container.seccomp(&pair.seccomp_file("standalone-calls"))
    };
    let script =
        "exec 2>&1; cat /proc/self/attr/current; echo x >/tmp/x && echo written; mkdir /tmp/d; cat /etc/secret";
    let expected = "standalone-files (enforce)\nwritten\n\
        mkdir: can't create directory '/tmp/d': Operation not permitted\ncat: can't open '/etc/secret': Permission denied\n";
    assert_eq!(all(&container().run(script)), expected);
    let containerd = Containerd::start();
    assert_eq!(all(&container().run_by(&containerd, script)), expected);
    drop(containerd);
    pair.take_away("profiles.yaml");
    pair.until("it is removed", || loaded("standalone-files").is_none());
}
