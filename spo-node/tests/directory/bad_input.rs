//! Whatever is in the folder: it is told, with object, field and next step, and the other profiles are served.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use rstest::rstest;

use crate::support::{Node, permits, permitting, profile, text};

/// What a pass over a folder with this file and a good one says about `web`: in its status, or in the log if it has none.
fn complaint(file: &str, content: &str) -> String {
    let node = Node::new();
    node.write(file, content);
    node.write("good.yaml", permits("good", "read"));
    let output = node.once();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(node.content("good"), permitting("read"), "the others are served");
    assert!(node.content("web").is_none());
    if node.status("web").is_some() { node.says("web") } else { text(&output.stderr) }
}

#[rstest]
#[case::malformed("a: [", "web.yaml: is not YAML: ")]
#[case::binary("\0\0", "web.yaml: is not YAML: ")]
#[case::wrong_kind(
    "{apiVersion: v1, kind: Pod, metadata: {name: web}}",
    "web.yaml: Pod/web: kind: \"Pod\" is no kind of profile; expected SeccompProfile, SelinuxProfile, RawSelinuxProfile, AppArmorProfile"
)]
#[case::no_kind("{metadata: {name: web}}", "web.yaml: document 1: kind: is missing; expected SeccompProfile")]
#[case::wrong_group(&permits("web", "read").replace("x-k8s.io/v1", "x-k8s.io/v7"), "web.yaml: SeccompProfile/web: apiVersion: is \"security-profiles-operator.x-k8s.io/v7\"; expected security-profiles-operator.x-k8s.io/v1 or")]
#[case::no_name(&permits("web", "read").replace("{name: web}", "{}"), "web.yaml: SeccompProfile (document 1): metadata.name: is required and missing")]
#[case::a_name_that_leaves_its_folder(&permits("../../web", "read"), "web.yaml: SeccompProfile/../../web: metadata.name: \"../../web\" is not a DNS-1123 subdomain")]
#[case::an_absolute_name(&permits("/etc/web", "read"), "SeccompProfile//etc/web: metadata.name: \"/etc/web\" is not a DNS-1123 subdomain")]
#[case::unknown_field(&profile("web", "{defaultAction: SCMP_ACT_LOG, sycalls: []}"), "Error: spec.sycalls: unknown field; did you mean syscalls?")]
#[case::unknown_action(&profile("web", "{defaultAction: SCMP_ACT_ALOW}"), "Error: spec.defaultAction: \"SCMP_ACT_ALOW\" is no possible value; did you mean SCMP_ACT_ALLOW?")]
#[case::missing_field(&profile("web", "{}"), "Error: spec.defaultAction: is required and missing")]
#[case::wrong_type(&profile("web", "[]"), "Error: spec: expected fields, found a list")]
#[case::unknown_call_refused(&profile("web", "{defaultAction: SCMP_ACT_ALLOW, syscalls: [{names: [opne], action: SCMP_ACT_ERRNO}]}"), "opne")]
#[case::a_seventh_argument(&profile("web", "{defaultAction: SCMP_ACT_ERRNO, syscalls: [{names: [read], action: SCMP_ACT_ALLOW, args: [{index: 6, op: SCMP_CMP_EQ}]}]}"), "Error: spec.syscalls[0].args[0].index")]
#[case::contradictory_arguments(&profile("web", "{defaultAction: SCMP_ACT_ERRNO, syscalls: [{names: [read], action: SCMP_ACT_ALLOW, args: [{index: 0, value: 1, op: SCMP_CMP_EQ}]}, {names: [read], action: SCMP_ACT_LOG, args: [{index: 0, value: 1, op: SCMP_CMP_EQ}]}]}"), "spec.syscalls[1]")]
#[case::missing_base(&profile("web", "{defaultAction: SCMP_ACT_LOG, baseProfileName: nowhere}"), "Error: spec.baseProfileName: base profile nowhere")]
#[case::base_in_a_registry(&profile("web", "{defaultAction: SCMP_ACT_LOG, baseProfileName: 'oci://example.org/x:v1'}"), "make a SeccompProfile of it and name that")]
#[case::itself_as_base(&profile("web", "{defaultAction: SCMP_ACT_LOG, baseProfileName: web}"), "Error: spec.baseProfileName")]
fn what_is_wrong_is_told_and_the_others_are_served(#[case] content: &str, #[case] expected: &str) {
    let said = complaint("web.yaml", content);
    assert!(said.contains(expected), "expected {expected:?} in {said}");
}

#[test]
fn an_unknown_call_that_is_permitted_is_told_and_does_no_harm() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "raed"));
    node.once_well();
    assert!(node.says("web").starts_with("Installed: ") && node.says("web").contains("raed"), "{}", node.says("web"));
}

#[test]
fn a_profile_too_large_for_the_kernel_is_told() {
    let entry = |value: u64| {
        format!("{{names: [ioctl], action: SCMP_ACT_ALLOW, args: [{{index: 1, value: {value}, op: SCMP_CMP_EQ}}]}}")
    };
    let entries: Vec<String> = (0..1000).map(|index| entry(index * 1_000_003)).collect();
    let spec = format!(
        "{{defaultAction: SCMP_ACT_ERRNO, architectures: [SCMP_ARCH_X86_64, SCMP_ARCH_X86], syscalls: [{}]}}",
        entries.join(", ")
    );
    let said = complaint("web.yaml", &profile("web", &spec));
    assert!(said.contains("the kernel takes 4096"), "{said}");
}

#[test]
fn a_file_too_large_is_told() {
    let content = format!("# {}\n{}", "x".repeat(5 << 20), permits("web", "read"));
    let said = complaint("web.yaml", &content);
    assert!(said.contains("web.yaml: has more than 4 MiB"), "{said}");
}

#[test]
fn a_name_too_long_for_a_file_is_told() {
    let node = Node::new();
    node.write("long.yaml", permits(&"x".repeat(252), "read"));
    node.write("web.yaml", permits("web", "read"));
    let output = node.once();
    assert_eq!((output.status.code(), node.names()), (Some(1), vec!["web.json".to_owned()]));
    assert!(
        text(&output.stderr).contains("metadata.name: its file would have a name of 257 bytes"),
        "{}",
        text(&output.stderr)
    );
    let statuses = crate::support::names(&node.path("status"));
    let long = format!("seccompprofile-{}", "x".repeat(180));
    assert!(statuses.len() == 2 && statuses[1].starts_with(&long), "{statuses:?}");
}

#[test]
fn a_half_written_file_leaves_its_profile_installed() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    node.write("web.yaml", &permits("web", "write")[..100]);
    daemon.until("the damage is told", || node.says("web").starts_with("Error: web.yaml: "));
    assert_eq!(node.content("web"), permitting("read"));
    assert!(
        node.says("web").ends_with("operator/web.json stays as an earlier generation left it"),
        "{}",
        node.says("web")
    );
    node.write("web.yaml", permits("web", "write"));
    daemon.until("it is mended", || {
        node.content("web") == permitting("write") && node.says("web").starts_with("Installed")
    });
    assert_eq!(node.generation("web"), 2);
}

#[test]
fn a_file_that_an_editor_replaces_is_never_missed() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    // As vim does: the old file becomes the backup, the new one is written under its name.
    fs::rename(node.profiles().join("web.yaml"), node.profiles().join("web.yaml~")).unwrap();
    node.write("web.yaml", permits("web", "write"));
    daemon.until("the edit arrives", || node.content("web") == permitting("write"));
    assert!(!daemon.log().contains("removed profile"), "{}", daemon.log());
}

#[test]
fn a_file_that_is_being_written_anew_is_waited_for() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    fs::rename(node.profiles().join("web.yaml"), node.profiles().join("web.yaml~")).unwrap();
    let mut file = fs::File::create(node.profiles().join("web.yaml")).unwrap();
    // However long it takes: what the file held before counts until it is closed.
    std::thread::sleep(std::time::Duration::from_millis(300));
    node.write("other.yaml", permits("other", "read"));
    daemon.until("others are served meanwhile", || node.says("other").starts_with("Installed"));
    assert_eq!(node.content("web"), permitting("read"), "{}", daemon.log());
    std::io::Write::write_all(&mut file, permits("web", "write").as_bytes()).unwrap();
    drop(file);
    daemon.until("the edit arrives", || node.content("web") == permitting("write"));
    assert!(!daemon.log().contains("removed profile"), "{}", daemon.log());
}

#[test]
fn a_half_written_file_keeps_its_profile_over_a_restart() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.once_well();
    node.write("web.yaml", "apiVersion: [");
    assert_eq!(node.once().status.code(), Some(1));
    assert_eq!(node.content("web"), permitting("read"));
    assert!(node.says("web").starts_with("Error: web.yaml: "), "{}", node.says("web"));
}

/// A configuration that permits profiles to permit `call`, and nothing else.
fn configuration(call: &str) -> String {
    format!(
        "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SecurityProfilesOperatorDaemon\nmetadata: {{name: spod}}\nspec: {{security: {{allowedSyscalls: [{call}]}}}}\n"
    )
}

#[test]
fn a_half_written_configuration_permits_nothing_that_it_did_not() {
    let node = Node::new();
    node.write("spod.yaml", configuration("read"));
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    node.write("spod.yaml", &configuration("read")[..150]);
    daemon.until("the damage is told", || daemon_log(&node).contains("spod.yaml: is not YAML"));
    node.write("web.yaml", permits("web", "write"));
    daemon.until("it is refused", || node.says("web").starts_with("Error: the cluster's configuration forbids it"));
    assert_eq!(node.content("web"), permitting("read"));
    node.write("spod.yaml", configuration("write"));
    daemon.until("it is permitted", || node.content("web") == permitting("write"));
}

#[test]
fn a_configuration_that_cannot_be_read_at_the_start_permits_nothing_new() {
    let node = Node::new();
    node.write("spod.yaml", configuration("read"));
    node.write("web.yaml", permits("web", "read"));
    node.once_well();
    // So little of it is left that nobody could tell what it was.
    node.write("spod.yaml", &configuration("read")[..40]);
    node.write("new.yaml", permits("new", "read"));
    assert_eq!(node.once().status.code(), Some(1));
    for name in ["web", "new"] {
        let said = node.says(name);
        assert!(said.starts_with("Error: the configuration cannot be used") && said.contains("spod.yaml: "), "{said}");
    }
    assert_eq!(node.names(), ["web.json"], "what is installed stays");
    node.write("spod.yaml", configuration("read"));
    node.once_well();
    assert_eq!(node.names(), ["new.json", "web.json"]);
}

#[test]
fn nothing_is_removed_while_nobody_knows_what_an_unreadable_file_holds() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.once_well();
    // As after a reboot: the statuses are gone.
    fs::remove_dir_all(node.path("status")).unwrap();
    node.write("web.yaml", "apiVersion: [");
    let mut daemon = node.start();
    daemon.until("it is told", || daemon_log(&node).contains("no profile is removed from this node until"));
    assert_eq!(node.content("web"), permitting("read"));
    node.write("web.yaml", permits("other", "read"));
    daemon.until("it is mended", || node.names() == ["other.json"]);
}

fn daemon_log(node: &Node) -> String {
    fs::read_to_string(node.path("log")).unwrap()
}

#[test]
fn a_profile_in_two_files_is_told_and_what_is_installed_stays() {
    let node = Node::new();
    node.write("a.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    node.write("b.yaml", permits("web", "write"));
    daemon.until("both are named", || {
        node.says("web").starts_with("Error: metadata.name: is in a.yaml and in b.yaml; keep one of them")
    });
    assert_eq!(node.content("web"), permitting("read"));
    node.remove("a.yaml");
    daemon.until("the other one counts", || {
        node.content("web") == permitting("write") && node.says("web").starts_with("Installed")
    });
}

#[test]
fn what_is_no_file_is_told_and_waited_for_by_nobody() {
    let node = Node::new();
    node.write("good.yaml", permits("good", "read"));
    fs::create_dir(node.profiles().join("folder.yaml")).unwrap();
    symlink("/nowhere/at/all", node.profiles().join("dangling.yaml")).unwrap();
    let pipe = node.profiles().join("pipe.yaml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let output = node.once();
    let log = text(&output.stderr);
    assert_eq!((output.status.code(), node.names()), (Some(1), vec!["good.json".to_owned()]), "{log}");
    for expected in [
        "folder.yaml: is not a regular file",
        "pipe.yaml: is not a regular file",
        "dangling.yaml: cannot be read: No such file",
    ] {
        assert!(log.contains(expected), "expected {expected:?} in {log}");
    }
}

#[test]
fn hidden_files_and_backups_are_passed_over() {
    let node = Node::new();
    for name in [".web.yaml", ".web.yaml.swp", "web.yaml~", "web.yaml.bak", "README.md"] {
        node.write(name, "a: [");
    }
    node.once_well();
    assert_eq!(node.names().len(), 0);
}

#[test]
fn a_folder_that_cannot_be_used_is_told_at_the_start() {
    let node = Node::new();
    fs::remove_dir(node.profiles()).unwrap();
    let complaint = |node: &Node| {
        let output = node.once();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    assert!(complaint(&node).contains("cannot watch the folder of profiles"), "{}", complaint(&node));
    assert!(complaint(&node).contains("make it, or pass another to --source directory:PATH"), "{}", complaint(&node));
    fs::write(node.profiles(), "a file").unwrap();
    assert!(complaint(&node).contains("Not a directory"), "{}", complaint(&node));
}

/// A pass by somebody who is not root, with a program that they may start.
fn once_as_nobody(node: &Node) -> Output {
    const NOBODY: u32 = 65534;
    fs::set_permissions(node.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    // Another process copies: were the file open for writing here, it could not be started while another test forks.
    let program = node.path("spo-node");
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_spo-node")).arg(&program).status().unwrap().success());
    let mut command = Command::new(program);
    command.args(node.arguments()).arg("--once");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

#[test]
fn a_folder_that_may_not_be_read_is_told_at_the_start() {
    let node = Node::new();
    for mode in [0o000, 0o111] {
        fs::set_permissions(node.profiles(), fs::Permissions::from_mode(mode)).unwrap();
        let output = once_as_nobody(&node);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("cannot watch the folder of profiles {}", node.profiles().display())), "{said}");
        assert!(said.contains("pass another to --source directory:PATH: Permission denied"), "{said}");
    }
}

#[test]
fn a_manifest_that_may_not_be_read_is_told_and_the_others_are_served() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.write("good.yaml", permits("good", "read"));
    fs::set_permissions(node.profiles().join("web.yaml"), fs::Permissions::from_mode(0o000)).unwrap();
    let said = text(&once_as_nobody(&node).stderr);
    assert!(said.contains("web.yaml: cannot be read: Permission denied"), "{said}");
    assert_eq!(node.names(), ["good.json"], "{said}");
}

/// The kernel's answers to the question for filters, as one without them would give them.
const NO_FILTERS: &str = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["prctl"], "action": "SCMP_ACT_ERRNO",
    "errnoRet": 22, "args": [{"index": 0, "value": 22, "op": "SCMP_CMP_EQ"}]}]}"#;

#[test]
fn w_nd_4_a_kernel_without_seccomp_is_told_in_each_status() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    fs::write(node.path("no-filters.json"), NO_FILTERS).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spoc"));
    command.args(["run", "-p"]).arg(node.path("no-filters.json")).arg(env!("CARGO_BIN_EXE_spo-node"));
    let output = command.args(node.arguments()).arg("--once").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(
        node.says("web"),
        "Error: this kernel has no seccomp filters; use a kernel with CONFIG_SECCOMP_FILTER",
        "{}",
        text(&output.stderr)
    );
    assert_eq!(node.names().len(), 0);
}

#[test]
fn a_folder_that_goes_away_takes_nothing_with_it() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    fs::rename(node.profiles(), node.path("elsewhere")).unwrap();
    assert_eq!(daemon.ended().code(), Some(1));
    assert!(daemon.log().contains("was removed or renamed; what is installed stays"), "{}", daemon.log());
    assert_eq!(node.content("web"), permitting("read"));
}

/// A manifest of any kind.
fn manifest(kind: &str, name: &str, spec: &serde_json::Value) -> String {
    format!(
        "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

/// What would end a path, a rule or a profile in the languages of the modules, or begin another.
const INJECTIONS: [&str; 8] = [
    "/x rwx,\n  /** rwx",
    "/x\" r, /** rwx, \"",
    "/x r, } profile all { /** rwx",
    "/x#",
    "/../x\0",
    "x)) (allow process shadow_t (file (read",
    "x\n(typepermissive process)",
    "$(touch /tmp/x)`touch /tmp/x`",
];

#[test]
fn w_nd_11_what_would_be_another_rule_is_refused_in_every_field_of_every_kind_with_a_reason() {
    let node = Node::new();
    node.write("good.yaml", permits("good", "read"));
    let fields = |text: &str| {
        [
            ("AppArmorProfile", serde_json::json!({"abstract": {"filesystem": {"readOnlyPaths": [text]}}})),
            ("AppArmorProfile", serde_json::json!({"abstract": {"executable": {"allowedExecutables": [text]}}})),
            ("AppArmorProfile", serde_json::json!({"abstract": {"capability": {"allowedCapabilities": [text]}}})),
            ("SelinuxProfile", serde_json::json!({"allow": {text: {"file": ["read"]}}})),
            ("SelinuxProfile", serde_json::json!({"allow": {"etc_t": {text: ["read"]}}})),
            ("SelinuxProfile", serde_json::json!({"allow": {"etc_t": {"file": [text]}}})),
            ("SelinuxProfile", serde_json::json!({"inherit": [{"name": text}]})),
            ("RawSelinuxProfile", serde_json::json!({"policy": format!("(blockinherit container) ({text}")})),
            ("SeccompProfile", serde_json::json!({"defaultAction": text})),
        ]
    };
    let mut names = Vec::new();
    for (index, (kind, spec)) in INJECTIONS.iter().flat_map(|text| fields(text)).enumerate() {
        let name = format!("injected-{index}");
        node.write(&format!("{name}.yaml"), manifest(kind, &name, &spec));
        names.push((kind.to_lowercase(), name, spec));
    }
    assert_eq!(node.once().status.code(), Some(1));
    assert_eq!(node.content("good"), permitting("read"), "the others are served");
    for (kind, name, spec) in names {
        let says = node.says_of(&kind, &name);
        assert!(says.starts_with("Error: spec"), "{kind} {spec}: {says:?}");
        assert!(!says.contains("switched off"), "it is refused for itself: {says}");
    }
}

#[test]
fn deep_and_unbalanced_policies_and_many_profiles_of_one_name_are_told() {
    let node = Node::new();
    node.write("good.yaml", permits("good", "read"));
    let raw = |policy: String| serde_json::json!({"policy": policy});
    for (name, policy) in [
        ("deep", format!("{}{}", "(".repeat(10_000), ")".repeat(10_000))),
        ("unbalanced", "(blockinherit container".to_owned()),
        ("large", format!("(blockinherit container){}", "(allow process self (file (read)))".repeat(20_000))),
    ] {
        node.write(&format!("{name}.yaml"), manifest("RawSelinuxProfile", name, &raw(policy)));
    }
    node.write("one.yaml", manifest("SelinuxProfile", "same", &serde_json::json!({})));
    node.write("two.yaml", manifest("RawSelinuxProfile", "same", &raw("(blockinherit container)".to_owned())));
    node.write("three.yaml", manifest("AppArmorProfile", "same", &serde_json::json!({"abstract": {}})));
    assert_eq!(node.once().status.code(), Some(1));
    assert_eq!(node.content("good"), permitting("read"), "the others are served");
    for name in ["deep", "unbalanced", "large"] {
        let says = node.says_of("rawselinuxprofile", name);
        assert!(says.starts_with("Error: spec.policy"), "{name}: {says:?}");
    }
    let says = node.says_of("rawselinuxprofile", "same");
    assert!(says.contains("its file is that of SelinuxProfile/same"), "{says}");
    for kind in ["selinuxprofile", "apparmorprofile"] {
        assert!(node.says_of(kind, "same").contains("switched off"), "{}", node.says_of(kind, "same"));
    }
}
