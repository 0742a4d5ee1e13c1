//! Building every test program, once, and asking cargo what it built.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::run::{Run, root};

/// A test program.
#[derive(Debug, Clone, Default)]
pub(super) struct Built {
    pub(super) package: String,
    pub(super) target: String,
    /// From a package's folder `tests`, as opposed to the tests inside its sources.
    pub(super) is_integration: bool,
    pub(super) program: PathBuf,
    /// The package's folder, in which its tests run.
    pub(super) dir: PathBuf,
}

/// All that was built.
#[derive(Debug, Default)]
pub(super) struct All {
    pub(super) tests: Vec<Built>,
    /// Programs that are no tests, and that tests start.
    pub(super) programs: Vec<PathBuf>,
}

/// Builds all, or of the test programs only those whose names `only` describes. Always as part of the whole workspace: with less of it, features
/// of shared dependencies would differ, and so would the builds.
pub(super) fn all(only: &[&str]) -> Result<All> {
    let mut cargo = Run::cargo().args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    let beside: &[&str] = if only.is_empty() { &[] } else { BESIDE };
    for name in only.iter().chain(beside) {
        cargo = cargo.args(["--test", name]);
    }
    let mut child = cargo.dir(root()).into_command().stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let out = child.stdout.take().context("the output of cargo was asked for")?;
    let mut built = All::default();
    for line in BufReader::new(out).lines() {
        let line = line.context("cannot read what cargo says")?;
        built.tests.extend(artifact(&line));
        built.programs.extend(program(&line));
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("cargo test --no-run ended with {status}");
    }
    Ok(built)
}

/// A test program of each package that has programs: with it, cargo builds those as well.
const BESIDE: &[&str] = &["enabler", "command_line"];

#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// The test program that a message of cargo tells of, if it does.
fn artifact(line: &str) -> Option<Built> {
    let message: Message = serde_json::from_str(line).ok()?;
    if message.reason != "compiler-artifact" || !message.profile?.test {
        return None;
    }
    let (target, dir) = (message.target?, message.manifest_path?.parent()?.to_owned());
    Some(Built {
        package: package(&dir)?,
        is_integration: target.kind.iter().any(|kind| kind == "test"),
        target: target.name,
        program: message.executable?,
        dir,
    })
}

/// The program that is no test that a message of cargo tells of, if it does.
fn program(line: &str) -> Option<PathBuf> {
    let message: Message = serde_json::from_str(line).ok()?;
    let is_program = message.reason == "compiler-artifact" && !message.profile?.test;
    message.executable.filter(|_| is_program && message.target.is_some_and(|target| target.kind == ["bin"]))
}

/// Folders are named after their packages, but for two that go without the `spo-`.
fn package(dir: &std::path::Path) -> Option<String> {
    let name = dir.file_name()?.to_str()?;
    Some(if ["tests", "fuzz"].contains(&name) { format!("spo-{name}") } else { name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_is_read_from_a_message_of_cargo() {
        let line = r#"{"reason":"compiler-artifact","package_id":"x","manifest_path":"/c/spo-node/Cargo.toml","target":{"kind":["test"],
            "crate_types":["bin"],"name":"spoc","src_path":"/c/spo-node/tests/spoc.rs"},"profile":{"test":true},"executable":"/t/spoc-1"}"#;
        let built = artifact(line).unwrap();
        assert_eq!((built.package.as_str(), built.target.as_str(), built.is_integration), ("spo-node", "spoc", true));
    }

    #[test]
    fn libraries_and_ordinary_programs_are_no_tests() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/c/x/Cargo.toml","target":{"kind":["bin"],"name":"x"},
            "profile":{"test":false},"executable":"/t/x"}"#;
        assert!(artifact(line).is_none());
        assert_eq!(program(line), Some("/t/x".into()));
        assert!(artifact(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
