//! `cargo xtask check`: everything about the tree that needs no root, no kernel feature and no cluster.
//!
//! A list of steps, each a function. Continuous integration runs the same command.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::machine::{Package, require};
use crate::run::{Run, complain, print, root, say};
use crate::{bpf, generate, tidy};

mod deny;
mod readme;
mod wasm;

/// Checks format, lints, docs, generated files, licences, dependency directions.
///
/// Stops at the first step that fails, unless told to keep going; ends with a list of steps and how long each took.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Only these steps; all of them without a name.
    steps: Vec<String>,
    /// Goes on after a step that failed.
    #[arg(long)]
    keep_going: bool,
    /// Lists the steps and runs none.
    #[arg(long)]
    list: bool,
}

/// One thing to check.
#[derive(Debug)]
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

/// Every step, cheap ones first: who made a small mistake learns of it soon.
const STEPS: &[Step] = &[
    Step { name: "format", about: "cargo fmt leaves every crate as it is", run: format },
    Step { name: "tidy", about: "the rules of `cargo xtask tidy` hold", run: tidy },
    Step { name: "generate", about: "generated files are what the generators write", run: generated },
    Step { name: "clippy", about: "no warnings in any crate, its tests, its fuzz targets", run: clippy },
    Step { name: "doc", about: "the documentation builds without warnings", run: doc },
    Step {
        name: "alone",
        about: "each library builds by itself, leaning on no feature that a sibling asks for",
        run: alone,
    },
    Step { name: "readme", about: "examples of READMEs are programs outside of this workspace", run: readme::run },
    Step { name: "wasm", about: "the pure libraries build for WebAssembly", run: wasm::run },
    Step {
        name: "deny",
        about: "licences and sources of dependencies are allowed; advisories are shown",
        run: deny::run,
    },
    Step { name: "bpf", about: "the committed eBPF object is what its sources give", run: bpf },
];

/// What is built by itself: each library, as it is published, each module of spo-lsm, and the node without its command line.
const ALONE: [&[&str]; 8] = [
    &["spo-api"],
    &["spo-convert"],
    &["spo-lsm"],
    &["spo-lsm", "--no-default-features", "--features", "seccomp"],
    &["spo-lsm", "--no-default-features", "--features", "apparmor"],
    &["spo-lsm", "--no-default-features", "--features", "selinux"],
    &["spo-recorder"],
    &["spo-node", "--no-default-features"],
];

/// Packages of their own beside the workspace.
const OUTSIDE: [&str; 1] = ["spo-recorder/ebpf"];

impl Check {
    pub(crate) fn run(self) -> Result<()> {
        let steps = chosen(&self.steps)?;
        if self.list {
            return steps.iter().try_for_each(|step| print(&format!("{:10} {}", step.name, step.about)));
        }
        require(BUILD, "building the workspace")?;
        let mut done = Vec::new();
        for step in steps {
            done.push(Done::of(step));
            if done.last().is_some_and(|done| done.error.is_some()) && !self.keep_going {
                break;
            }
        }
        summary(&done)
    }
}

/// What the crates link with.
const BUILD: &[Package] = &[Package { name: "gcc", file: "cc" }];

fn chosen(names: &[String]) -> Result<Vec<&'static Step>> {
    if names.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    let find = |name: &String| STEPS.iter().find(|step| step.name == name);
    names.iter().map(|name| find(name).with_context(|| format!("there is no step {name}; see check --list"))).collect()
}

/// What became of a step.
#[derive(Debug)]
struct Done {
    name: &'static str,
    took: Duration,
    error: Option<anyhow::Error>,
}

impl Done {
    fn of(step: &'static Step) -> Self {
        say(&format!("── {}: {}", step.name, step.about));
        let start = Instant::now();
        let error = (step.run)().err();
        if let Some(error) = &error {
            complain(&format!("{}: {error:#}", step.name));
        }
        Self { name: step.name, took: start.elapsed(), error }
    }
}

fn summary(done: &[Done]) -> Result<()> {
    say("──");
    for step in done {
        let result = if step.error.is_some() { "FAILED" } else { "ok" };
        say(&format!("{:10} {:6.1} s  {result}", step.name, step.took.as_secs_f64()));
    }
    let failed: Vec<&str> = done.iter().filter(|step| step.error.is_some()).map(|step| step.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}. Repeat one by `cargo xtask check {}`", failed.join(", "), failed[0])
}

/// Names the files that would change; how they would is shown by `cargo fmt` and a diff.
fn format() -> Result<()> {
    let list = ["--", "--check", "--files-with-diff"];
    let all = Run::cargo().args(["fmt", "--all"]).args(list).dir(root());
    all.run().context("the files above are not formatted: run cargo fmt --all")?;
    for manifest in outside() {
        let one = Run::cargo().args(["fmt", "--manifest-path", &manifest]).args(list).dir(root());
        one.run().with_context(|| format!("not formatted: run cargo fmt --manifest-path {manifest}"))?;
    }
    Ok(())
}

/// Manifests of the packages beside the workspace that exist.
fn outside() -> Vec<String> {
    let manifests = OUTSIDE.map(|dir| format!("{dir}/Cargo.toml"));
    manifests.into_iter().filter(|manifest| root().join(manifest).is_file()).collect()
}

fn tidy() -> Result<()> {
    tidy::check(&root())
}

fn generated() -> Result<()> {
    generate::Generate::checking().run()
}

fn bpf() -> Result<()> {
    bpf::Bpf::checking().run()
}

fn clippy() -> Result<()> {
    let clippy = Run::cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    clippy.dir(root()).run()
}

fn doc() -> Result<()> {
    let doc = Run::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings");
    doc.dir(root()).run()
}

fn alone() -> Result<()> {
    for package in ALONE {
        let clippy = Run::cargo().args(["clippy", "--package"]).args(package);
        clippy.args(["--", "--deny", "warnings"]).dir(root()).run()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_not_exist_is_named() {
        let error = chosen(&["clipy".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("clipy"), "{error}");
    }

    #[test]
    fn without_names_every_step_is_run_in_order() {
        let names: Vec<&str> = chosen(&[]).unwrap().iter().map(|step| step.name).collect();
        assert_eq!(names[0], "format");
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn the_summary_fails_when_a_step_did() {
        let step = |error| Done { name: "clippy", took: Duration::ZERO, error };
        assert!(summary(&[step(None)]).is_ok());
        assert!(summary(&[step(None), step(Some(anyhow::anyhow!("x")))]).unwrap_err().to_string().contains("clippy"));
    }
}
