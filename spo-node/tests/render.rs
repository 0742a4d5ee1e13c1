//! `spo-node render`: the real program on folders of manifests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn render(more: &[&str], input: &Path, output: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spo-node")).arg("render").args(more).args([input, output]).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn data() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/render"))
}

#[test]
fn what_is_rendered_is_what_was_agreed_upon() {
    let out = tempfile::tempdir().unwrap();
    let output = render(&[], &data().join("in"), out.path());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(text(&output.stdout).contains("SeccompProfile/switched-off is not installed: switched off by spec.state"));
    let expected = data().join("out");
    assert_eq!(names(out.path()), names(&expected));
    for name in names(&expected) {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(read(out.path()), read(&expected).trim_end(), "{name}");
    }
}

#[test]
fn what_is_refused_is_listed_with_its_reasons_and_gives_status_1() {
    let out = tempfile::tempdir().unwrap();
    let output = render(&[], &data().join("refused"), &out.path().join("new"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(names(&out.path().join("new")), ["db.json", "good.json"]);
    let expected = fs::read_to_string(data().join("refused.txt")).unwrap();
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn each_kind_becomes_a_file_of_its_own() {
    let out = tempfile::tempdir().unwrap();
    let output = render(&[], &data().join("modules/in"), out.path());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let expected = data().join("modules/out");
    assert_eq!(names(out.path()), names(&expected));
    for name in names(&expected) {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(read(out.path()), read(&expected), "{name}");
    }
}

#[test]
fn what_a_profile_of_another_module_may_not_say_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let output = render(&[], &data().join("modules/refused"), out.path());
    assert_eq!((output.status.code(), names(out.path())), (Some(1), vec!["web.cil".to_owned()]));
    assert_eq!(text(&output.stderr), fs::read_to_string(data().join("modules/refused.txt")).unwrap());
}

#[test]
fn nothing_is_rendered_while_it_is_not_known_what_the_configuration_permits() {
    let (input, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::copy(data().join("refused/good.yaml"), input.path().join("good.yaml")).unwrap();
    fs::write(input.path().join("spod.yaml"), "kind: SecurityProfilesOperatorDaemon\nspec: {security: {").unwrap();
    let output = render(&[], input.path(), out.path());
    assert_eq!((output.status.code(), names(out.path()).len()), (Some(1), 0));
    let said = text(&output.stderr);
    assert!(said.contains("so that nothing new is permitted: spod.yaml: is not YAML"), "{said}");
}

#[test]
fn json_says_the_same_to_programs() {
    let out = tempfile::tempdir().unwrap();
    let output = render(&["--json"], &data().join("refused"), out.path());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let written = |name: &str| json!({"profile": format!("SeccompProfile/{name}"), "file": out.path().join(format!("{name}.json"))});
    assert_eq!(said["written"], json!([written("db"), written("good")]));
    let refused = said["refused"].as_array().unwrap();
    assert!(refused.contains(&json!({"file": "pod.yaml", "object": "Pod/web", "reasons": ["kind: \"Pod\" is no kind of profile; expected SeccompProfile, SelinuxProfile, RawSelinuxProfile, AppArmorProfile"]})), "{said}");
}

#[test]
fn one_file_is_rendered_as_well_as_a_folder() {
    let out = tempfile::tempdir().unwrap();
    let output = render(&[], &data().join("refused/good.yaml"), out.path());
    assert_eq!((output.status.code(), names(out.path())), (Some(0), vec!["good.json".to_owned()]));
    assert!(text(&output.stdout).starts_with("SeccompProfile/good -> "), "{}", text(&output.stdout));
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let out = tempfile::tempdir().unwrap();
    let output = render(&[], Path::new("/nowhere/at/all"), out.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("cannot read /nowhere/at/all; pass a folder of manifests"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_daemon_installs_the_same_bytes() {
    let (out, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(render(&[], &data().join("in"), out.path()).status.success());
    let source = format!("directory:{}", data().join("in").display());
    let installed = Command::new(env!("CARGO_BIN_EXE_spo-node"))
        .args(["daemon", "--once", "--kubelet-dir", "/k", "--source", &source, "--root"])
        .arg(root.path())
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", text(&installed.stderr));
    let folder = root.path().join("k/seccomp/operator");
    // By which the daemon keeps others away.
    fs::remove_file(folder.join(".lock")).unwrap();
    assert!(names(&folder).iter().all(|name| names(out.path()).contains(name)));
    for name in names(&folder) {
        assert_eq!(fs::read(folder.join(&name)).unwrap(), fs::read(out.path().join(&name)).unwrap(), "{name}");
    }
}
