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
    assert_eq!(said.stdout, RAW.trim_end());
    said.tells("Successfully wrote raw profile to /dev/stdout.");
}

#[test]
fn a_converted_file_is_for_its_owner_only() {
    let place = Place::new();
    place.file("p.yaml", MANIFEST);
    place.run(&["c", "-o", "raw.json", "p.yaml"]).succeeded().tells("Successfully wrote raw profile to raw.json.");
    assert_eq!(place.read("raw.json"), RAW.trim_end());
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
#[case("kind: SelinuxProfile\nmetadata: {name: x}\nspec: {}\n", "kind is SelinuxProfile")]
#[case("kind: Deployment\n", "kind is \"Deployment\", which is no profile")]
#[case("spec: {}\n", "it has no kind")]
#[case("{", "it is no YAML")]
#[case("kind: SeccompProfile\n---\nkind: SeccompProfile\n", "not one document, but several")]
#[case("kind: SeccompProfile\nmetadata: {name: x}\nspec: {defaultAction: SCMP_ACT_NEVER}\n", "SCMP_ACT_NEVER")]
fn what_cannot_be_converted_is_named(#[case] manifest: &str, #[case] expected: &str) {
    let place = Place::new();
    place.file("p.yaml", manifest);
    let said = place.run(&["convert", "p.yaml"]).failed().tells("profile p.yaml: ").tells(expected);
    assert_eq!(said.stdout, "");
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
