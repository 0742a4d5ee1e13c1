//! What the benches in guests share: an example of spo-lsm that installs profiles many at a time, run in a guest, and the times that it prints.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::measure::{median, minimum};
use crate::run::{Run, say, target};
use crate::vm::{self, Guest, Machine, scratch};

/// One and many take their turns, so that both meet the same disturbances.
const ROUNDS: usize = 15;
/// How many profiles are many.
pub(super) const MANY: usize = 50;
/// A call of a module's tool takes some seconds in a guest without virtualisation of the processor.
const PATIENCE: Duration = Duration::from_secs(1200);
const SCRIPT: &str = "script";

/// How the times of all rounds become one.
pub(super) const PICKS: [Pick; 2] = [Pick { name: "minimum", of: minimum }, Pick { name: "median", of: median }];

/// A way to choose one of many values.
pub(super) struct Pick {
    pub(super) name: &'static str,
    of: fn(&[f64]) -> Option<f64>,
}

impl Pick {
    /// The milliseconds of all lines `<what> <milliseconds>` that the guest printed.
    pub(super) fn take(&self, printed: &str, what: &str) -> Result<f64> {
        (self.of)(&taken(printed, what)).with_context(|| format!("the guest measured no {what}"))
    }
}

/// Runs an example of spo-lsm in a guest, and gives what it prints; none where there can be no guest, which is said.
pub(super) fn printed(machine: Machine, program: &str) -> Result<Option<String>> {
    if let Some(obstacle) = vm::obstacle() {
        say(&format!("not measured: {program}, which needs a guest: {obstacle}"));
        return Ok(None);
    }
    Run::cargo().args(["build", "--release", "--package", "spo-lsm", "--example", program]).run()?;
    let job = scratch::folder()?;
    vm::bring(&target().join("release/examples").join(program), job.path(), program)?;
    let script = format!("exec ./{program} {ROUNDS} {MANY}\n");
    fs::write(job.path().join(SCRIPT), script).context("cannot write the script of the job")?;
    Guest::new(machine, job.path())?.output(SCRIPT, PATIENCE).map(Some)
}

fn taken(printed: &str, what: &str) -> Vec<f64> {
    let begin = format!("{what} ");
    printed.lines().filter_map(|line| line.strip_prefix(&begin)?.trim().parse().ok()).collect()
}
