//! `spo-node non-root-enabler`: the real program below a root of its own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says on standard output why it is skipped"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

fn enable(root: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spo-node"))
        .args(["non-root-enabler", "--root"])
        .arg(root)
        .args(more)
        .env_remove("KUBELET_DIR")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("KUBECONFIG")
        .output()
        .unwrap()
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn s1_a_node_is_prepared_for_a_daemon_without_privilege() {
    if !is_root() {
        return;
    }
    let (root, configured) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // As a ConfigMap is mounted.
    fs::create_dir(configured.path().join("..data")).unwrap();
    fs::write(configured.path().join("..data/security-profiles-operator.json"), "{}").unwrap();
    symlink("..data/security-profiles-operator.json", configured.path().join("security-profiles-operator.json"))
        .unwrap();

    for _twice in 0..2 {
        let output = enable(root.path(), &["--profiles", configured.path().to_str().unwrap(), "--runtime=containerd"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    let seccomp = root.path().join("var/lib/kubelet/seccomp");
    let state = root.path().join("var/lib/security-profiles-operator");
    assert_eq!(fs::read_link(seccomp.join("operator")).unwrap(), Path::new("/var/lib/security-profiles-operator"));
    let metadata = fs::metadata(&state).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o744, 65535, 65535));
    assert_eq!(fs::metadata(&seccomp).unwrap().mode() & 0o7777, 0o744);
    assert_eq!(fs::read_to_string(state.join("kubelet-config.json")).unwrap(), r#"{"kubeletDir":"/var/lib/kubelet"}"#);
    assert_eq!(fs::metadata(state.join("kubelet-config.json")).unwrap().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_to_string(seccomp.join("security-profiles-operator.json")).unwrap(), "{}");
    let mut names: Vec<_> = fs::read_dir(&seccomp).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["operator", "security-profiles-operator.json"], "nothing else is left");
}

#[test]
fn a_prepared_node_is_served_through_the_link() {
    if !is_root() {
        return;
    }
    let (root, profiles) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(enable(root.path(), &["--kubelet-dir", "/data/kubelet"]).status.success());
    let manifest = "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nmetadata: {name: web}\nspec: {defaultAction: SCMP_ACT_LOG}\n";
    fs::write(profiles.path().join("web.yaml"), manifest).unwrap();
    let daemon = Command::new(env!("CARGO_BIN_EXE_spo-node"))
        .args(["daemon", "--once", "--source", &format!("directory:{}", profiles.path().display()), "--root"])
        .arg(root.path())
        .env_remove("KUBELET_DIR")
        .output()
        .unwrap();
    assert!(daemon.status.success(), "{}", text(&daemon));
    let state = root.path().join("var/lib/security-profiles-operator");
    assert!(state.join("web.json").is_file() && state.join("kubelet-config.json").is_file());
    assert!(!root.path().join("var/lib/kubelet").exists(), "what the init step wrote down counts");
}

#[test]
fn the_mode_of_the_kubelets_folder_is_let_be_and_that_of_ours_is_set() {
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let [seccomp, state] =
        ["var/lib/kubelet/seccomp", "var/lib/security-profiles-operator"].map(|name| root.path().join(name));
    for folder in [&seccomp, &state] {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let output = enable(root.path(), &[]);
    assert!(output.status.success(), "{}", text(&output));
    let mode = |folder: &Path| fs::metadata(folder).unwrap().mode() & 0o7777;
    assert_eq!((mode(&seccomp), mode(&state)), (0o700, 0o744));
}

#[test]
fn a_link_to_somewhere_else_is_refused() {
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let seccomp = root.path().join("var/lib/kubelet/seccomp");
    fs::create_dir_all(&seccomp).unwrap();
    symlink("/etc", seccomp.join("operator")).unwrap();
    let output = enable(root.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output)
            .contains("is a link to /etc, and should be one to /var/lib/security-profiles-operator; remove it"),
        "{}",
        text(&output)
    );
}

#[test]
fn version_and_completions_are_printed() {
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_spo-node")).args(words).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["version"]).contains(env!("CARGO_PKG_VERSION")));
    let json: serde_json::Value = serde_json::from_str(&run(&["v", "--json"])).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert!(run(&["completions", "bash"]).contains("non-root-enabler"));
    assert!(run(&["daemon", "--help"]).contains("Examples:"));
}
