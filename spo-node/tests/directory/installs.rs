//! Profiles reach the node, and stay as they should be.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::Value;

use crate::support::{Node, permits, permitting, profile, text};

#[test]
fn w_nd_1_a_profile_is_installed_and_told_in_the_first_pass() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.once_well();
    assert_eq!(node.content("web"), permitting("read"));
    assert_eq!(fs::metadata(node.file("web")).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(fs::metadata(node.installed()).unwrap().permissions().mode() & 0o7777, 0o744);

    let status = node.status("web").unwrap();
    assert_eq!(status["kind"], "SecurityProfileNodeStatus");
    assert_eq!(status["spec"]["nodeName"], "node1");
    assert_eq!(status["metadata"]["labels"]["spo.x-k8s.io/profile-id"], "SeccompProfile-web");
    assert_eq!(status["metadata"]["labels"]["spo.x-k8s.io/profile-state"], "Installed");
    let ready = &status["status"]["conditions"][0];
    assert_eq!(
        (ready["type"].as_str(), ready["status"].as_str(), ready["reason"].as_str()),
        (Some("Ready"), Some("True"), Some("Available"))
    );
    assert_eq!((node.says("web").as_str(), node.generation("web")), ("Installed: installed as operator/web.json", 1));
}

#[test]
fn s1_the_file_says_what_the_object_says() {
    let node = Node::new();
    let specs = [
        ("profile-allow", "{defaultAction: SCMP_ACT_ALLOW}"),
        (
            "profile-complain",
            "{defaultAction: SCMP_ACT_LOG, architectures: [SCMP_ARCH_X86_64], flags: [SECCOMP_FILTER_FLAG_LOG]}",
        ),
        (
            "profile-block",
            "{defaultAction: SCMP_ACT_ERRNO, syscalls: [{names: [exit_group, clone], action: SCMP_ACT_ALLOW}, {names: [clone], action: SCMP_ACT_ALLOW, args: [{index: 0, value: 2080505856, valueTwo: 0, op: SCMP_CMP_MASKED_EQ}]}, {names: [ptrace], action: SCMP_ACT_ERRNO, errnoRet: 38}]}",
        ),
    ];
    let manifests: String = specs.iter().map(|(name, spec)| profile(name, spec)).collect();
    node.write("examples.yml", manifests);
    node.once();
    for (name, spec) in specs {
        let spec: Value = serde_saphyr::from_str(spec).unwrap();
        assert_eq!(without_zero(node.content(name).unwrap()), without_zero(spec), "{name}");
        assert!(node.says(name).starts_with("Installed: "), "{}", node.says(name));
    }
}

/// A `valueTwo` of 0 says what its absence says, and is left out by some writers.
fn without_zero(mut value: Value) -> Value {
    if let Some(arg) = value.pointer_mut("/syscalls/1/args/0").and_then(Value::as_object_mut) {
        arg.retain(|key, value| key == "index" || *value != 0);
    }
    value
}

#[test]
fn an_edit_reaches_the_file_and_raises_the_generation() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.content("web") == permitting("read") && node.generation("web") == 1);
    node.write("web.yaml", permits("web", "write"));
    daemon.until("the edit is installed", || node.content("web") == permitting("write") && node.generation("web") == 2);
    node.write("web.yaml", format!("# a comment\n{}", permits("web", "write")));
    node.write(
        "new.json",
        serde_json::to_string(&serde_saphyr::from_str::<Value>(&permits("new", "read")).unwrap()).unwrap(),
    );
    daemon.until("the next is installed", || node.says("new").starts_with("Installed"));
    assert_eq!(node.generation("web"), 2, "the profile says the same");
}

#[test]
fn a_file_that_goes_takes_profile_and_status_with_it() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read") + &permits("db", "read"));
    let mut daemon = node.start();
    daemon.until("both are installed", || node.names() == ["db.json", "web.json"]);
    node.write("web.yaml", permits("web", "read"));
    daemon.until("one is gone", || node.names() == ["web.json"] && node.status("db").is_none());
    node.remove("web.yaml");
    daemon.until("both are gone", || node.names().is_empty() && node.status("web").is_none());
}

#[test]
fn what_was_deleted_while_the_daemon_was_away_goes_at_its_start() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.write("db.yaml", permits("db", "read"));
    node.once_well();
    node.remove("web.yaml");
    node.once_well();
    assert_eq!((node.names(), node.status("web")), (vec!["db.json".to_owned()], None));
}

#[test]
fn a_file_without_an_object_goes_and_what_is_not_ours_stays() {
    let node = Node::new();
    fs::create_dir_all(node.installed()).unwrap();
    for name in ["left.json", "kubelet-config.json", "notes.txt", "Upper.json"] {
        fs::write(node.installed().join(name), "{}").unwrap();
    }
    node.once_well();
    assert_eq!(node.names(), ["Upper.json", "kubelet-config.json", "notes.txt"]);
}

#[test]
fn a_file_that_was_tampered_with_is_restored() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    let is_right = || node.content("web") == permitting("read");

    fs::write(node.file("web"), "{}").unwrap();
    daemon.until("new content is undone", is_right);
    fs::remove_file(node.file("web")).unwrap();
    daemon.until("a removal is undone", is_right);
    fs::rename(node.file("web"), node.installed().join("moved.json")).unwrap();
    daemon.until("a new name is undone", || is_right() && node.names() == ["web.json"]);
    fs::set_permissions(node.file("web"), fs::Permissions::from_mode(0o666)).unwrap();
    daemon.until("a new mode is undone", || fs::metadata(node.file("web")).unwrap().mode() & 0o7777 == 0o644);
    assert!(daemon.log().contains("restored a file that something else changed"), "{}", daemon.log());
    assert_eq!(node.generation("web"), 1);
}

#[test]
fn a_file_that_was_tampered_with_while_the_daemon_was_away_is_restored() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.once_well();
    fs::write(node.file("web"), "{}").unwrap();
    node.once_well();
    assert_eq!(node.content("web"), permitting("read"));
}

#[test]
fn a_planted_link_is_replaced_and_never_followed() {
    let node = Node::new();
    let target = node.path("target");
    fs::write(&target, "precious").unwrap();
    fs::create_dir_all(node.installed()).unwrap();
    symlink(&target, node.file("web")).unwrap();
    symlink(&target, node.file("stray")).unwrap();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed") && node.names() == ["web.json"]);
    assert!(node.file("web").symlink_metadata().unwrap().is_file());

    // In one step, or the daemon may have restored the file in between.
    symlink(&target, node.path("link")).unwrap();
    fs::rename(node.path("link"), node.file("web")).unwrap();
    daemon
        .until("the link is replaced", || node.file("web").symlink_metadata().is_ok_and(|metadata| metadata.is_file()));
    symlink(&target, node.file("stray")).unwrap();
    daemon.until("the stray is gone", || node.names() == ["web.json"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn a_profiles_folder_that_goes_away_is_made_again() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    fs::rename(node.installed(), node.path("elsewhere")).unwrap();
    daemon.until("it is installed again", || node.content("web") == permitting("read"));
    fs::remove_file(node.file("web")).unwrap();
    // Unless the daemon was faster, the folder is empty, and nobody is told of its end.
    if fs::remove_dir(node.installed()).is_ok() {
        daemon.until("it is installed once more", || node.content("web") == permitting("read"));
    }
    fs::write(node.file("web"), "{}").unwrap();
    daemon.until("the new folder is watched", || node.content("web") == permitting("read"));
}

#[test]
fn a_changed_base_reaches_what_builds_on_it_at_once() {
    let node = Node::new();
    node.write("base.yaml", permits("base", "read"));
    node.write("web.yaml", profile("web", "{defaultAction: SCMP_ACT_ERRNO, baseProfileName: base}"));
    let mut daemon = node.start();
    let names = || text(&fs::read(node.file("web")).unwrap_or_default());
    daemon.until("it is installed", || names().contains("\"read\""));
    node.write("base.yaml", permits("base", "write"));
    daemon.until("the base arrives", || names().contains("\"write\""));
    node.remove("base.yaml");
    daemon.until("its absence is told", || node.says("web").starts_with("Error: spec.baseProfileName"));
    assert!(names().contains("\"write\""), "what is installed stays: {}", node.says("web"));
}

#[test]
fn disabled_and_partial_profiles_are_not_on_the_node() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.names() == ["web.json"]);
    node.write("web.yaml", profile("web", "{defaultAction: SCMP_ACT_LOG, state: Disabled}"));
    daemon.until("it is gone", || node.names().is_empty() && node.says("web").starts_with("Disabled"));
    node.write(
        "web.yaml",
        permits("web", "read").replace("{name: web}", "{name: web, labels: {spo.x-k8s.io/partial: 'true'}}"),
    );
    daemon.until("it is partial", || node.says("web").starts_with("Partial"));
    node.write("web.yaml", permits("web", "read"));
    daemon.until("it is back", || node.names() == ["web.json"] && node.says("web").starts_with("Installed"));
}

#[test]
fn the_configuration_of_the_folder_is_obeyed() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let mut daemon = node.start();
    daemon.until("it is installed", || node.says("web").starts_with("Installed"));
    node.write("spod.yaml", "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SecurityProfilesOperatorDaemon\nmetadata: {name: spod}\nspec: {security: {allowedSyscalls: [write]}}");
    daemon.until("it is refused", || {
        node.says("web").starts_with("Error: the cluster's configuration forbids it: spec.syscalls[0].names[0]")
    });
    node.remove("spod.yaml");
    daemon.until("it is permitted", || node.says("web").starts_with("Installed"));
}

#[test]
fn a_folder_that_changes_by_a_link_as_configmaps_do_is_read_anew() {
    let node = Node::new();
    for (version, call) in [("..one", "read"), ("..two", "write")] {
        fs::create_dir(node.profiles().join(version)).unwrap();
        node.write(&format!("{version}/web.yaml"), permits("web", call));
    }
    symlink("..one", node.profiles().join("..data")).unwrap();
    symlink("..data/web.yaml", node.profiles().join("web.yaml")).unwrap();
    let mut daemon = node.start();
    daemon.until("the first is installed", || node.content("web") == permitting("read"));
    symlink("..two", node.profiles().join("..tmp")).unwrap();
    fs::rename(node.profiles().join("..tmp"), node.profiles().join("..data")).unwrap();
    daemon.until("the second is installed", || node.content("web") == permitting("write"));
}

#[test]
fn a_status_that_could_not_be_written_is_written_in_a_while() {
    let node = Node::new();
    let mut daemon = node.start();
    let log = node.path("log");
    daemon.until("it runs", || fs::read_to_string(&log).unwrap().contains("installing profiles"));
    fs::remove_dir(node.path("status")).unwrap();
    node.write("web.yaml", permits("web", "read"));
    daemon.until("it is told", || fs::read_to_string(&log).unwrap().contains("1 statuses are not written"));
    fs::create_dir(node.path("status")).unwrap();
    daemon.until("it is written, though nothing else happens", || node.says("web").starts_with("Installed"));
}

#[test]
fn statuses_are_written_only_when_they_change() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    node.once_well();
    let status = node.path("status/seccompprofile-web.yaml");
    let before = (fs::metadata(&status).unwrap().ino(), fs::metadata(node.file("web")).unwrap().ino());
    node.once_well();
    assert_eq!((fs::metadata(&status).unwrap().ino(), fs::metadata(node.file("web")).unwrap().ino()), before);
}
