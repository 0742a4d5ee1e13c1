//! What the modules' own compilers say of what is rendered: `secilc` of libsepol, and AppArmor's parser.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use spo_lsm::{Policy, Profile, Spec, check, parse, render};

fn rendered<S: Spec + serde::de::DeserializeOwned>(spec: Value) -> String {
    let spec: S = serde_json::from_value(spec).unwrap();
    let profile: Profile = parse("web".parse().unwrap(), &spec).unwrap();
    String::from_utf8(render(&check(&profile, &Policy::default()).unwrap()).bytes).unwrap()
}

/// Where a program is; says that the test is skipped if it is nowhere.
fn find(program: &str) -> Option<PathBuf> {
    let path = ["/usr/bin", "/usr/sbin", "/sbin"].iter().map(|folder| Path::new(folder).join(program));
    let found = path.into_iter().find(|path| path.exists());
    if found.is_none() {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Compiles a module with the smallest policy that it can be a part of, and says what is wrong.
fn secilc(module: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.cil");
    std::fs::write(&file, module).unwrap();
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/base.cil");
    let output = Command::new("secilc")
        .current_dir(folder.path())
        .args(["-o", "policy", "-f", "contexts"])
        .args([&base, &file])
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn modules_of_selinux_profiles_compile() {
    if find("secilc").is_none() {
        return;
    }
    use spo_api::selinux::v1::SelinuxProfileSpec;
    for spec in [
        json!({}),
        json!({"mode": "Permissive", "inherit": []}),
        json!({"inherit": [{"name": "container"}, {"name": "container"}]}),
        json!({"inherit": [{"kind": "SelinuxProfile", "name": "base"}, {"name": "container"}]}),
        json!({"allow": {"@self": {"file": ["read"]}, "var_log_t": {"file": ["write", "read", "write"], "dir": []}}}),
    ] {
        assert_eq!(secilc(&rendered::<SelinuxProfileSpec>(spec.clone())), Ok(()), "{spec}");
    }
}

#[test]
fn w_op_25_modules_of_raw_profiles_compile() {
    if find("secilc").is_none() {
        return;
    }
    use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
    for text in [
        "(blockinherit container)\n(allow process var_log_t (file (read))) ; (user x) )",
        "(blockinherit base)\n;;* lms 1 x\n(type mine)",
        "(blockinherit .container)(typetransition process var_log_t file \"a(b\" process)",
        "(blockinherit container)(type mine)(typealias also)(typealiasactual also mine)(allow process also (file (read)))",
        "(blockinherit container)(typeattribute ours)(typeattributeset ours (process))(allow process ours (file (read)))",
        "(blockinherit container)(classpermission some)(classpermissionset some (file (read)))(allow process self some)",
        "(blockinherit container)(neverallow process var_log_t (file (write)))",
        "(blockinherit container)(rangetransition web.process var_log_t process ((s0)(s0)))",
    ] {
        assert_eq!(secilc(&rendered::<RawSelinuxProfileSpec>(json!({"policy": text}))), Ok(()), "{text}");
    }
}

/// What our reader and its judgement rely on: if libsepol changes its mind, these say so.
#[test]
fn w_op_25_libsepol_reads_what_we_take_it_to_read() {
    if find("secilc").is_none() {
        return;
    }
    let compiles = |inside: &str| secilc(&format!("(block web (blockinherit container)\n{inside}\n)")).is_ok();
    assert!(compiles("(\"typepermissive\" process)"), "a quoted word is the word");
    assert!(compiles("(allow process ..shadow_t (file (read)))"), "dots in front begin at the top");
    assert!(compiles("(allow process self (.capability (sys_admin)))"), "of a class, too");
    assert!(compiles("(allow process shadow_t ( file ( all )))"), "all is every permission");
    assert!(compiles("(allow process shadow_t ( file ( not read )))"), "not is every other permission");
    assert!(!compiles("; x \r (nonsense)"), "a carriage return ends a comment");
    assert!(compiles("; \" \r (nonsense) \""), "but not between quotes");
    assert!(!compiles("((typepermissive process))"), "a list at the head of a list is nothing");
    assert!(!compiles("(allow process shadow_t (file ()))"), "nor is a class without permissions (W-X-9)");
    assert!(!compiles("(blockinherit container)"), "nothing is inherited twice");
}

#[test]
fn texts_of_apparmor_profiles_parse() {
    let Some(parser) = find("apparmor_parser") else { return };
    if !Path::new("/etc/apparmor.d/abstractions/base").exists() {
        println!("skipped: the abstractions that come with apparmor_parser are not there");
        return;
    }
    use spo_api::apparmor::v1::AppArmorProfileSpec;
    let paths = [
        "/My Documents/{a b,c}/**",
        "/a{b,}",
        "/{@{HOME},x}/.bashrc",
        "/proc/@{pid}/a?b",
        "/a@b+c-d",
        "ptrace (tracedby), # x",
        "/x ",
        "/a/..",
    ];
    for mode in ["Enforce", "Complain"] {
        let spec = json!({"mode": mode, "abstract": {
            "executable": {"allowedExecutables": ["/bin/{a,b}"], "allowedLibraries": ["/lib/** x"]},
            "filesystem": {"readOnlyPaths": paths, "writeOnlyPaths": ["/**"], "readWritePaths": ["/tmp/*"]},
            "network": {"allowRaw": true, "allowedProtocols": {"allowTcp": true, "allowUdp": true}},
            "capability": {"allowedCapabilities": ["sys_rawio", "checkpoint_restore"]},
        }});
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web");
        std::fs::write(&file, rendered::<AppArmorProfileSpec>(spec)).unwrap();
        let output = Command::new(&parser).args(["--skip-kernel-load", "--skip-cache"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
