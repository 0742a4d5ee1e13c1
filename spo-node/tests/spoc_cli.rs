//! The rest of the `spoc` command line: `convert`, `version`, help, completions, manual pages.

mod spoc;

use std::os::unix::fs::PermissionsExt;

use rstest::rstest;
use spoc::Place;

const MANIFEST: &str = include_str!("data/spoc/convert.yaml");
const RAW: &str = include_str!("data/spoc/convert.json");

#[test]
fn a_manifest_is_converted_to_what_a_runtime_reads() {
    let place = Place::new();
    place.file("p.yaml", MANIFEST);
    let said = place.run(&["convert", "p.yaml"]).succeeded();
    assert_eq!(said.stdout, RAW);
    said.tells("Successfully wrote raw profile to /dev/stdout.");
}

#[test]
fn a_converted_file_is_for_its_owner_only() {
    let place = Place::new();
    place.file("p.yaml", MANIFEST);
    place.run(&["c", "-o", "raw.json", "p.yaml"]).succeeded().tells("Successfully wrote raw profile to raw.json.");
    assert_eq!(place.read("raw.json"), RAW);
    assert_eq!(place.path("raw.json").metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_was_converted_can_be_run() {
    let place = Place::new();
    let profile = spoc::all_but(&spoc::MKDIR, "SCMP_ACT_ERRNO");
    place.file("p.yaml", &profile);
    place.run(&["convert", "-o", "raw.json", "p.yaml"]).succeeded();
    place.run(&["run", "-p", "raw.json", "mkdir", "one"]).failed().tells("Seccomp: mkdir");
}

#[rstest]
#[case("kind: Deployment\n", "kind is \"Deployment\", which is no profile")]
#[case("spec: {}\n", "it has no kind")]
#[case("{", "it is no YAML")]
#[case("kind: SeccompProfile\n---\nkind: SeccompProfile\n", "several documents")]
#[case("kind: SeccompProfile\nmetadata: {name: x}\nspec: {defaultAction: SCMP_ACT_NEVER}\n", "SCMP_ACT_NEVER")]
fn what_cannot_be_converted_is_named(#[case] manifest: &str, #[case] expected: &str) {
    let place = Place::new();
    place.file("p.yaml", manifest);
    let said = place.run(&["convert", "p.yaml"]).failed().tells("profile p.yaml: ").tells(expected);
    assert_eq!(said.stdout, "");
}

const SELINUX: &str = "kind: SelinuxProfile\nmetadata: {name: x}\nspec: {allow: {var_log_t: {file: [write]}}}\n";

#[test]
fn a_selinux_profile_becomes_a_module_and_a_module_a_profile() {
    let place = Place::new();
    place.file("p.yaml", SELINUX);
    place.run(&["convert", "-o", "x.cil", "p.yaml"]).succeeded();
    assert!(place.read("x.cil").contains("(allow process var_log_t ( file ( write )))"), "{}", place.read("x.cil"));
    place.run(&["convert", "-o", "again.yaml", "x.cil"]).succeeded();
    assert_eq!(place.run(&["diff", "p.yaml", "again.yaml"]).succeeded().stdout, "");
}

#[test]
fn an_apparmor_profile_becomes_a_text_and_a_text_a_profile_with_what_it_cannot_say_named() {
    let place = Place::new();
    place.file(
        "p.yaml",
        "kind: AppArmorProfile\nmetadata: {name: x}\nspec: {abstract: {filesystem: {readOnlyPaths: [/etc/a b]}}}\n",
    );
    place.run(&["convert", "-o", "x", "-p", "x", "p.yaml"]).succeeded();
    place.run(&["convert", "-o", "again.yaml", "x"]).succeeded();
    place.run(&["convert", "-o", "again", "-p", "x", "again.yaml"]).succeeded();
    assert_eq!(place.read("again"), place.read("x"));
    let text = place.read("x").replace("}\n", "  signal (receive),\n}\n");
    place.file("y", &text);
    place
        .run(&["convert", "-o", "signal.yaml", "y"])
        .succeeded()
        .tells("line 17: ")
        .tells("signal (receive): is left out");
    place.file("z", "profile x {\n  /a r\n}\n");
    place.run(&["convert", "z"]).failed().tells("profile z: line 2: a rule without the comma that ends it");
}

fn permits(calls: &str) -> String {
    format!(
        "kind: SeccompProfile\nmetadata: {{name: web}}\nspec: {{defaultAction: SCMP_ACT_ERRNO, architectures: [SCMP_ARCH_X86_64], syscalls: [{{names: [{calls}], action: SCMP_ACT_ALLOW}}]}}\n"
    )
}

#[test]
fn w_sp_1_a_base_that_permits_all_of_it_is_up_to_date_however_it_is_written() {
    let place = Place::new();
    place.file("base.yaml", &permits("read, write, read"));
    place.file("part.yaml", &permits("write"));
    place.file("more.yaml", &permits("write, openat"));
    place.run(&["merge", "--check", "base.yaml", "part.yaml"]).succeeded().tells("Base profile is up-to-date.");
    let said = place.run(&["merge", "--check", "base.yaml", "more.yaml"]);
    assert_eq!(said.status, Some(1));
    said.tells("Base profile needs an update.").tells("openat");
    place.run(&["m", "-o", "merged.yaml", "base.yaml", "more.yaml"]).succeeded();
    place.run(&["merge", "--check", "merged.yaml", "base.yaml", "more.yaml"]).succeeded();
}

#[test]
fn w_x_6_a_base_without_rules_is_merged() {
    let place = Place::new();
    place.file("empty.yaml", "kind: SelinuxProfile\nmetadata: {name: x}\nspec: {}\n");
    place.file("rules.yaml", SELINUX);
    place.run(&["merge", "-o", "merged.yaml", "empty.yaml", "rules.yaml"]).succeeded();
    assert!(place.read("merged.yaml").contains("var_log_t"), "{}", place.read("merged.yaml"));
}

#[test]
fn differences_are_told_and_give_status_1() {
    let place = Place::new();
    place.file("one.yaml", &permits("read, openat"));
    place.file("two.yaml", &permits("read"));
    let said = place.run(&["diff", "one.yaml", "two.yaml"]);
    assert!(said.status == Some(1) && said.stdout.contains("openat"), "{said:#?}");
    let said = place.run(&["diff", "--json", "one.yaml", "two.yaml"]);
    assert_eq!(said.status, Some(1));
    serde_json::from_str::<serde_json::Value>(&said.stdout).unwrap();
    assert_eq!(place.run(&["diff", "one.yaml", "missing.yaml"]).status, Some(2));
    place.run(&["diff", "one.yaml", "one.yaml"]).succeeded();
}

#[rstest]
#[case("install")]
#[case("rm")]
fn what_cannot_be_installed_by_hand_is_told(#[case] command: &str) {
    let place = Place::new();
    place.file("p.yaml", SELINUX);
    place.run(&[command, "p.yaml"]).failed().tells("SelinuxProfile is not installed by spoc");
    place.file("a.yaml", "kind: AppArmorProfile\nmetadata: {name: x}\nspec: {abstract: {}}\n");
    if !std::path::Path::new("/sys/kernel/security/apparmor").exists() {
        place.run(&[command, "a.yaml"]).failed().tells("insufficient permissions or AppArmor is unavailable");
    }
}

#[test]
fn version_is_a_table_or_json() {
    let place = Place::new();
    let table = place.run(&["version"]).succeeded().stdout;
    assert!(table.contains(&format!("Version:        {}\n", env!("CARGO_PKG_VERSION"))), "{table}");
    for words in [["version", "--json"], ["v", "-j"]] {
        let json: serde_json::Value = serde_json::from_str(&place.run(&words).succeeded().stdout).unwrap();
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(json["compiler"], "rustc");
    }
    let short = place.run(&["--version"]).succeeded().stdout;
    assert_eq!(short, format!("spoc {}\n", env!("CARGO_PKG_VERSION")));
}

#[rstest]
#[case(&["--help"], "A profile in four steps:")]
#[case(&["record", "--help"], "Examples:")]
#[case(&["run", "--help"], "Examples:")]
#[case(&["convert", "--help"], "Examples:")]
fn help_teaches_by_example_and_is_no_error(#[case] words: &[&str], #[case] expected: &str) {
    let said = Place::new().run(words).succeeded();
    assert!(said.stdout.contains(expected), "{said:#?}");
}

#[test]
fn without_a_command_help_is_shown_and_it_is_an_error() {
    let said = Place::new().run(&[]);
    assert_eq!(said.status, Some(1));
    said.tells("Usage: spoc");
}

#[test]
fn an_unknown_command_is_an_error_that_suggests() {
    Place::new().run(&["recrd", "ls"]).failed().tells("record");
}

#[test]
fn completions_and_manual_pages_are_made() {
    let place = Place::new();
    let completions = place.run(&["completions", "bash"]).succeeded().stdout;
    assert!(completions.contains("--no-base-syscalls"), "{completions}");
    std::fs::create_dir(place.path("man")).unwrap();
    place.run(&["man", "man"]).succeeded();
    for page in ["man/spoc.1", "man/spoc-record.1", "man/spoc-run.1"] {
        assert!(place.read(page).contains(".TH"), "{page}");
    }
    place.run(&["man", "missing"]).failed().tells("the folder must exist");
}

#[test]
fn spo_node_runs_the_spoc_beside_it_and_ends_as_it_ends() {
    let spo_node =
        |words: &[&str]| spoc::said(std::process::Command::new(env!("CARGO_BIN_EXE_spo-node")).arg("spoc").args(words));
    assert_eq!(spo_node(&["--version"]).succeeded().stdout, format!("spoc {}\n", env!("CARGO_PKG_VERSION")));
    spo_node(&["convert", "missing.yaml"]).failed().tells("cannot read profile missing.yaml");
}

#[test]
fn nothing_is_coloured_where_nobody_looks() {
    Place::new().run(&["run", "-p", "missing.yaml", "true"]).failed().does_not_tell("\u{1b}[");
}
