//! What loading many AppArmor profiles at once costs, beside loading each by itself: in a guest, since this machine need not have AppArmor.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Figure;
use super::measure::{median, minimum};
use crate::run::{Run, say, target};
use crate::vm::{self, Guest, Lsm, Machine};

/// Each loads all profiles one by one, then all at once, so that both meet the same disturbances.
const ROUNDS: usize = 15;
const MANY: usize = 50;
/// What all at once may cost, as a multiple of the sum of each by itself.
const BAR: f64 = 1.1;
const PATIENCE: Duration = Duration::from_secs(1200);
const PROGRAM: &str = "apparmor_batch";
const SCRIPT: &str = "script";

pub(crate) fn run() -> Result<Vec<Figure>> {
    if let Some(obstacle) = vm::obstacle() {
        say(&format!("not measured: AppArmor, which needs a guest: {obstacle}"));
        return Ok(Vec::new());
    }
    Run::cargo().args(["build", "--release", "--package", "spo-lsm", "--example", PROGRAM]).run()?;
    let job = tempfile::Builder::new().prefix("spo-job-").tempdir().context("cannot make a temporary folder")?;
    vm::bring(&target().join("release/examples").join(PROGRAM), job.path(), PROGRAM)?;
    let script = format!("exec ./{PROGRAM} {ROUNDS} {MANY}\n");
    fs::write(job.path().join(SCRIPT), script).context("cannot write the script of the job")?;
    let printed = Guest::new(Machine::new(Lsm::Apparmor), job.path())?.output(SCRIPT, PATIENCE)?;
    figures(&printed)
}

fn figures(printed: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let [each, together, again] = ["each", "together", "again"].map(|what| taken(printed, what));
    for (how, pick) in [("minimum", minimum as fn(&[f64]) -> Option<f64>), ("median", median)] {
        let of = |values: &[f64]| pick(values).context("the guest measured nothing");
        let (each, together, again) = (of(&each)?, of(&together)?, of(&again)?);
        let figure = |metric: &str, value| Figure::new("apparmor", format!("{metric}, {how}"), value, "ms");
        figures.push(figure(&format!("{MANY} profiles, each by itself"), each));
        figures.push(figure(&format!("{MANY} profiles at once"), together));
        let ratio = Figure::new("apparmor", format!("at once / each by itself, {how}"), together / each, "ratio");
        figures.push(ratio.at_most(BAR));
        figures.push(figure("once more, nothing compiled", again));
    }
    Ok(figures)
}

/// The milliseconds of lines `<what> <milliseconds>`.
fn taken(printed: &str, what: &str) -> Vec<f64> {
    let begin = format!("{what} ");
    printed.lines().filter_map(|line| line.strip_prefix(&begin)?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_become_ratios() {
        let printed = "each 100\ntogether 80\nagain 1\neach 110\ntogether 99\nagain 2\n";
        let figures = figures(printed).unwrap();
        assert_eq!(figures.len(), 8);
        assert!((figures[2].value - 0.8).abs() < 1e-9, "{:?}", figures[2]);
        assert!(super::figures("").is_err());
    }
}
