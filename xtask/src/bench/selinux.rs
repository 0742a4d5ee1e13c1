//! What installing many SELinux profiles at once costs, beside one: in a guest, since this machine need not have SELinux, with the policy that
//! Debian's containers need. Policies of whole distributions are larger, so that what is done once weighs more there.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Figure;
use super::measure::{median, minimum};
use crate::run::{Run, say, target};
use crate::vm::{self, Guest, Lsm, Machine, Policy};

/// Each installs and removes one profile, then all of them, so that both meet the same disturbances.
const ROUNDS: usize = 15;
const MANY: usize = 50;
/// What many may cost, as a multiple of one.
const BAR: f64 = 1.3;
/// A call of `semodule` takes some seconds in a guest without virtualisation of the processor.
const PATIENCE: Duration = Duration::from_secs(1200);
const PROGRAM: &str = "selinux_batch";
const SCRIPT: &str = "script";

pub(crate) fn run() -> Result<Vec<Figure>> {
    if let Some(obstacle) = vm::obstacle() {
        say(&format!("not measured: SELinux, which needs a guest: {obstacle}"));
        return Ok(Vec::new());
    }
    Run::cargo().args(["build", "--release", "--package", "spo-lsm", "--example", PROGRAM]).run()?;
    let job = tempfile::Builder::new().prefix("spo-job-").tempdir().context("cannot make a temporary folder")?;
    vm::bring(&target().join("release/examples").join(PROGRAM), job.path(), PROGRAM)?;
    let script = format!("exec ./{PROGRAM} {ROUNDS} {MANY}\n");
    fs::write(job.path().join(SCRIPT), script).context("cannot write the script of the job")?;
    let machine = Machine { policy: Policy::Default, ..Machine::new(Lsm::Selinux) };
    let printed = Guest::new(machine, job.path())?.output(SCRIPT, PATIENCE)?;
    figures(&printed)
}

fn figures(printed: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for what in ["install", "remove"] {
        let (one, many) = (taken(printed, what, 1), taken(printed, what, MANY));
        for (how, pick) in [("minimum", minimum as fn(&[f64]) -> Option<f64>), ("median", median)] {
            let of = |values: &[f64]| pick(values).with_context(|| format!("the guest measured no {what}"));
            let (one, many) = (of(&one)?, of(&many)?);
            figures.push(Figure::new("selinux", format!("{what} 1 profile, {how}"), one, "ms"));
            figures.push(Figure::new("selinux", format!("{what} {MANY} profiles at once, {how}"), many, "ms"));
            let ratio = Figure::new("selinux", format!("{what} {MANY} as a multiple of 1, {how}"), many / one, "ratio");
            figures.push(ratio.at_most(BAR));
        }
    }
    Ok(figures)
}

/// The milliseconds of lines `<what> <count> <milliseconds>`.
fn taken(printed: &str, what: &str, count: usize) -> Vec<f64> {
    let begin = format!("{what} {count} ");
    printed.lines().filter_map(|line| line.strip_prefix(&begin)?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_become_ratios() {
        let printed = "install 1 100\nremove 1 80\ninstall 50 120.5\nremove 50 88\ninstall 1 110\ninstall 50 110\n";
        let figures = figures(printed).unwrap();
        assert_eq!(taken(printed, "install", 1), [100.0, 110.0]);
        assert_eq!(figures.len(), 12);
        assert!((figures[2].value - 1.1).abs() < 1e-9, "{:?}", figures[2]);
        assert!(super::figures("").is_err());
    }
}
