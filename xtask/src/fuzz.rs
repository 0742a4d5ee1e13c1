//! `cargo xtask fuzz`: libFuzzer on the targets in `fuzz/`.
//!
//! Neither cargo-fuzz nor a nightly compiler is needed: any compiler can be told to note which code ran, and libFuzzer comes with
//! the crate `libfuzzer-sys`. What a run found is kept outside the clone and begins the next one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::machine::{Package, require};
use crate::run::{Run, cache, print, root, say};

mod build;
mod hunt;
mod output;

use hunt::{Hunt, Hunted};

/// Looks for inputs that make a parser fail: all targets in turn, or one.
///
/// A target begins with its inputs in fuzz/corpus and with what earlier runs found, which is kept in ~/.cache/spo/fuzz. An input
/// that makes it fail is written to fuzz/artifacts, and the end says how to see it again and how to make it smaller.
///
/// The first run builds all code anew, with notes of what ran; that takes some minutes. `cargo xtask test` runs every target over
/// its inputs and some thousand changes of them; this is for finding what nobody thought of.
#[derive(Debug, clap::Args)]
pub(crate) struct Fuzz {
    /// One target; all of them without a name.
    target: Option<String>,
    /// How long each target is fuzzed.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// How many processes work on a target at once.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u16,
    /// Instead: makes an input that fails as small as it gets.
    #[arg(long, value_name = "FILE", requires = "target")]
    minimise: Option<PathBuf>,
    /// Lists the targets and runs none.
    #[arg(long)]
    list: bool,
}

/// What builds libFuzzer.
const BUILD: &[Package] = &[Package { name: "gcc", file: "cc" }, Package { name: "g++", file: "c++" }];

impl Fuzz {
    pub(crate) fn run(self) -> Result<()> {
        let targets = chosen(&targets()?, self.target.as_deref())?;
        if self.list {
            return targets.iter().try_for_each(|target| print(target));
        }
        require(BUILD, "fuzzing")?;
        let programs = build::programs(&targets)?;
        if let Some(file) = &self.minimise {
            return minimise(&programs.join(&targets[0]), &targets[0], file, self.seconds);
        }
        let mut hunted = Vec::new();
        for target in &targets {
            hunted.push(self.hunt(target, &programs)?.run()?);
        }
        close(&hunted)
    }

    fn hunt(&self, target: &str, programs: &Path) -> Result<Hunt> {
        let made = |dir: PathBuf| {
            std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
            Ok::<_, anyhow::Error>(dir)
        };
        made(root().join(artifacts(target)))?;
        Ok(Hunt {
            target: target.to_owned(),
            program: programs.join(target),
            known: made(cache()?.join("fuzz").join(target))?,
            seconds: self.seconds,
            jobs: self.jobs,
        })
    }
}

/// The targets: the programs of the crate.
fn targets() -> Result<Vec<String>> {
    let dir = root().join("fuzz/src/bin");
    let entries = std::fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", dir.display()))?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn chosen(targets: &[String], name: Option<&str>) -> Result<Vec<String>> {
    match name {
        None => Ok(targets.to_vec()),
        Some(name) if targets.iter().any(|target| target == name) => Ok(vec![name.to_owned()]),
        Some(name) => bail!("there is no target {name}; there are: {}", targets.join(", ")),
    }
}

/// Where the inputs are that a target begins with, below the root.
fn corpus(target: &str) -> String {
    format!("fuzz/corpus/{target}")
}

/// Where inputs go that make a target fail, below the root.
fn artifacts(target: &str) -> String {
    format!("fuzz/artifacts/{target}")
}

fn minimise(program: &Path, target: &str, file: &Path, seconds: u64) -> Result<()> {
    let file = file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?;
    let small = format!("{}/minimised-{}", artifacts(target), file.file_name().unwrap_or_default().display());
    let run = Run::new(program).arg("-minimize_crash=1").arg(format!("-max_total_time={seconds}"));
    // Its exit status is that of the last try, and says nothing.
    let _status = run.arg(format!("-exact_artifact_path={small}")).arg(&file).dir(root()).run();
    if !root().join(&small).is_file() {
        bail!("{} makes {target} fail no more, or does not get smaller", file.display());
    }
    advice(target, &small).iter().try_for_each(|line| print(line))
}

/// What to do with an input that makes a target fail.
fn advice(target: &str, file: &str) -> [String; 4] {
    [
        format!("{target} fails on {file}"),
        format!("  see it again:   cargo run -p spo-fuzz --bin {target} -- {file}"),
        format!("  make it small:  cargo xtask fuzz {target} --minimise {file}"),
        format!("  once mended:    move it to {}, under a name that says what it shows", corpus(target)),
    ]
}

/// A table of what was done, and what to do now.
fn close(hunted: &[Hunted]) -> Result<()> {
    print(&format!("{:18} {:>8} {:>14} {:>10} {:>8}", "target", "seconds", "runs", "coverage", "corpus"))?;
    hunted.iter().try_for_each(|hunted| print(&hunted.line()))?;
    let failed: Vec<&Hunted> = hunted.iter().filter(|hunted| hunted.failed()).collect();
    for (hunted, file) in failed.iter().flat_map(|hunted| hunted.files.iter().map(move |file| (hunted, file))) {
        advice(&hunted.target, file).iter().try_for_each(|line| print(line))?;
    }
    if failed.is_empty() {
        say("nothing was found");
        return Ok(());
    }
    bail!("failed: {}", failed.iter().map(|hunted| hunted.target.as_str()).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_inputs_and_all_inputs_a_target() {
        let dir = root().join("fuzz/corpus");
        let entries = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<String> = entries
            .filter(|path| path.is_dir())
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        folders.sort();
        assert_eq!(targets().unwrap(), folders, "fuzz/src/bin against fuzz/corpus");
    }

    #[test]
    fn a_target_that_does_not_exist_is_named_with_those_that_do() {
        let known = ["manifest".to_owned(), "names".to_owned()];
        assert_eq!(chosen(&known, Some("names")).unwrap(), ["names"]);
        assert_eq!(chosen(&known, None).unwrap(), known);
        let error = chosen(&known, Some("name")).unwrap_err();
        assert_eq!(error.to_string(), "there is no target name; there are: manifest, names");
    }
}
