//! `spoc migrate`: manifests of any release become `v1`, and it is said what changed.

mod spoc;

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rstest::rstest;
use serde_json::{Value, json};
use spoc::{Place, Said};

const GROUP: &str = "security-profiles-operator.x-k8s.io";

/// A profile of 0.8 as it was written, with a comment and an order of its own.
const OLD: &str = "\
# What the web server needs.
apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata:
  namespace: shop
  name: web
spec:
  defaultAction: SCMP_ACT_ERRNO
  disabled: true
  syscalls:
  - names: [read, write]
    action: SCMP_ACT_ALLOW
";

/// The same in `v1`.
const NEW: &str = "\
apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SeccompProfile
metadata:
  name: web
spec:
  defaultAction: SCMP_ACT_ERRNO
  syscalls:
  - names:
    - read
    - write
    action: SCMP_ACT_ALLOW
  state: Disabled
";

const POD: &str = "# A pod.\napiVersion: v1\nkind:   Pod\nmetadata: {name: web}\n";

#[test]
fn a_manifest_of_an_earlier_release_becomes_v1_and_says_what_changed() {
    let place = Place::new();
    place.file("old.yaml", OLD);
    let said = place.run(&["migrate", "old.yaml"]).succeeded();
    assert_eq!(said.stdout, NEW);
    said.tells("old.yaml: SeccompProfile web, from v1beta1 to v1\n")
        .tells("  metadata.namespace: removed, was \"shop\"\n")
        .tells("  spec.disabled: removed, was true\n")
        .tells("  spec.state: added, \"Disabled\"\n")
        .tells("Comments in the documents that changed are gone")
        .tells("Migrated 1 of 1 objects");
}

#[test]
fn what_is_in_v1_already_and_what_is_not_ours_keeps_its_text() {
    let place = Place::new();
    let text = format!("{POD}---\n# Mine.\n{NEW}---\n");
    place.file("mixed.yaml", &text);
    let said = place.run(&["migrate", "mixed.yaml"]).succeeded();
    assert_eq!(said.stdout, text);
    said.tells("Migrated 0 of 1 objects").does_not_tell("Comments");
}

#[test]
fn only_the_documents_that_change_are_written_anew() {
    let place = Place::new();
    place.file("mixed.yaml", &format!("{POD}---\n{OLD}"));
    let said = place.run(&["migrate", "-o", "out.yaml", "mixed.yaml"]).succeeded();
    assert_eq!((said.stdout.as_str(), place.read("out.yaml").as_str()), ("", format!("{POD}---\n{NEW}").as_str()));
}

#[test]
fn files_are_written_back_with_their_modes_and_only_if_something_changed() {
    let place = Place::new();
    let old = place.file("old.yaml", OLD);
    let new = place.file("new.yaml", &NEW.replace("name: web", "name: api"));
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o640)).unwrap();
    let untouched = new.metadata().unwrap().modified().unwrap();
    place.run(&["migrate", "--in-place", "old.yaml", "new.yaml"]).succeeded().tells("Migrated 1 of 2 objects");
    assert_eq!(place.read("old.yaml"), NEW);
    assert_eq!(old.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(new.metadata().unwrap().modified().unwrap(), untouched);
    place.run(&["migrate", "--check", "old.yaml", "new.yaml"]).succeeded();
}

#[test]
fn a_check_writes_nothing_and_fails_if_anything_would_change() {
    let place = Place::new();
    place.file("old.yaml", OLD);
    place.file("new.yaml", &NEW.replace("name: web", "name: api"));
    let said = place.run(&["migrate", "--check", "old.yaml", "new.yaml"]).failed();
    assert_eq!((said.stdout.as_str(), place.read("old.yaml").as_str()), ("", OLD));
    said.tells("spec.disabled: removed").tells("1 of 2 objects would change: run spoc migrate --in-place");
}

#[test]
fn a_report_for_programs_has_a_line_for_each_object() {
    let place = Place::new();
    place.file("old.yaml", &format!("{OLD}---\n{}", NEW.replace("name: web", "name: api")));
    let said = place.run(&["migrate", "--json", "-o", "out.yaml", "old.yaml"]).succeeded();
    let lines: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let changes = json!([
        {"field": "metadata.namespace", "was": "shop"},
        {"field": "spec.disabled", "was": true},
        {"field": "spec.state", "is": "Disabled"},
    ]);
    let about = |name: &str, namespace: Value, from: &str, changes: Value| json!({"file": "old.yaml", "kind": "SeccompProfile", "name": name, "namespace": namespace, "from": from, "to": "v1", "changes": changes});
    assert_eq!(lines, [about("web", json!("shop"), "v1beta1", changes), about("api", Value::Null, "v1", json!([]))]);
    place.run(&["migrate", "--json", "old.yaml"]).failed().tells("both go to standard output");
}

#[test]
fn what_kubectl_prints_can_be_applied_again() {
    let place = Place::new();
    let mut export = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [{
        "apiVersion": format!("{GROUP}/v1alpha2"), "kind": "SelinuxProfile",
        "metadata": {
            "name": "errorlogger", "namespace": "shop", "uid": "u", "resourceVersion": "5", "generation": 2,
            "creationTimestamp": "2023-01-01T00:00:00Z", "managedFields": [{"manager": "kubectl"}], "labels": {"a": "b"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}, "finalizers": ["node1-deleted", "in-use-by-active-pods", "example.org/mine"],
        },
        "spec": {"permissive": true, "inherit": [{"name": "container"}], "allow": {"var_log_t": {"file": ["open"]}}},
        "status": {"status": "Installed", "usage": "errorlogger_shop.process"},
    }]});
    place.file("export.json", &export.to_string());
    let said = place.run(&["migrate", "export.json"]).succeeded();
    export["items"][0] = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "SelinuxProfile",
        "metadata": {"name": "errorlogger", "labels": {"a": "b"}, "finalizers": ["example.org/mine"]},
        "spec": {"mode": "Permissive", "inherit": [{"name": "container"}], "allow": {"var_log_t": {"file": ["open"]}}},
    });
    assert_eq!(serde_json::from_str::<Value>(&said.stdout).unwrap(), export);
}

#[test]
fn the_configuration_of_an_earlier_release_gets_its_groups() {
    let place = Place::new();
    place.file(
        "spod.yaml",
        &format!(
            "apiVersion: {GROUP}/v1alpha1\nkind: SecurityProfilesOperatorDaemon\nmetadata: {{name: spod, namespace: security-profiles-operator}}\n\
             spec: {{enableSelinux: true, logEnricherSource: bpf, tolerations: [{{operator: Exists}}], verbosity: 1}}\n"
        ),
    );
    let said = place.run(&["migrate", "spod.yaml"]).succeeded();
    let expected = format!(
        "apiVersion: {GROUP}/v1\nkind: SecurityProfilesOperatorDaemon\nmetadata:\n  name: spod\n  namespace: security-profiles-operator\n\
         spec:\n  verbosity: 1\n  selinux:\n    enable: true\n  enricher:\n    logEnricherSource: Bpf\n  scheduling:\n    tolerations:\n    - operator: Exists\n"
    );
    assert_eq!(said.stdout, expected);
    said.tells("  spec.tolerations: is now spec.scheduling.tolerations\n");
}

#[test]
fn text_of_several_lines_stays_readable() {
    let place = Place::new();
    let policy = "(allow process var_log_t\n  (file (open read)))\n";
    let spec = json!({"policy": policy}).to_string();
    place.file(
        "raw.yaml",
        &format!("apiVersion: {GROUP}/v1alpha2\nkind: RawSelinuxProfile\nmetadata: {{name: raw}}\nspec: {spec}\n"),
    );
    let said = place.run(&["migrate", "raw.yaml"]).succeeded();
    assert!(
        said.stdout.ends_with("  policy: |\n    (allow process var_log_t\n      (file (open read)))\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn standard_input_is_read() {
    let place = Place::new();
    let input = place.file("old.yaml", OLD);
    let mut command = place.spoc(&["migrate", "-"]);
    command.stdin(Stdio::from(std::fs::File::open(input).unwrap()));
    let said: Said = spoc::said(&mut command);
    assert_eq!(said.succeeded().stdout, NEW);
}

#[test]
fn profiles_that_only_their_namespaces_told_apart_are_refused() {
    let place = Place::new();
    place.file("a.yaml", OLD);
    place.file("b.yaml", &OLD.replace("namespace: shop", "namespace: bank"));
    place
        .run(&["migrate", "--in-place", "a.yaml", "b.yaml"])
        .failed()
        .tells("SeccompProfile \"web\" is in namespace shop (a.yaml) and in namespace bank (b.yaml): profiles belong to the whole cluster")
        .tells("nothing was written");
    assert_eq!(place.read("a.yaml"), OLD);
}

#[rstest]
#[case::kind_that_is_gone("v1alpha1", "SelinuxPolicy", "{}", "there is no such kind in v1; write a RawSelinuxProfile")]
#[case::kind_that_never_was("v1beta1", "SecompProfile", "{}", "there is no such kind in v1; look for a misspelt word")]
#[case::version_that_is_too_old(
    "v1alpha1",
    "SeccompProfile",
    "{}",
    "v1alpha1 is older than what can be converted, which is v1beta1; write it anew"
)]
#[case::text_for_apparmor(
    "v1alpha1",
    "AppArmorProfile",
    "{policy: 'profile x {}'}",
    "spec.policy holds text for AppArmor itself"
)]
#[case::wrong_type(
    "v1beta1",
    "SeccompProfile",
    "{disabled: 'yes'}",
    "spec.disabled: expected true or false, found \"yes\""
)]
fn what_cannot_be_migrated_is_named_with_the_next_step(
    #[case] version: &str,
    #[case] kind: &str,
    #[case] spec: &str,
    #[case] expected: &str,
) {
    let place = Place::new();
    place
        .file("p.yaml", &format!("apiVersion: {GROUP}/{version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n"));
    let said = place.run(&["migrate", "p.yaml"]).failed().tells(&format!("p.yaml: {kind} \"x\": ")).tells(expected);
    assert_eq!(said.stdout, "");
}

#[rstest]
#[case(&["migrate", "missing.yaml"], "cannot read missing.yaml")]
#[case(&["migrate", "bad.yaml"], "bad.yaml: it is no YAML")]
#[case(&["migrate", "--check", "--in-place", "bad.yaml"], "cannot be used with")]
#[case(&["migrate", "--in-place", "-"], "standard input cannot be written back")]
fn what_cannot_be_read_or_written_is_named(#[case] words: &[&str], #[case] expected: &str) {
    let place = Place::new();
    place.file("bad.yaml", "a: [");
    let input = place.file("old.yaml", OLD);
    let mut command = place.spoc(words);
    command.stdin(Stdio::from(std::fs::File::open(input).unwrap()));
    spoc::said(&mut command).failed().tells(expected);
}
