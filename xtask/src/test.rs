//! `cargo xtask test`: every layer of tests, one closing line.
//!
//! All test programs are built once; each then runs by itself, with a time limit, its output passed on as it comes. What a
//! layer needs of the machine is installed first. A test that cannot run here says so by a line `skipped: <reason>`, which is
//! counted apart; in continuous integration a skip that nothing on the machine explains is a failure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::run::{print, say};
use job::Job;
use layer::Layer;
use libtest::Report;
use surroundings::Surroundings;

mod build;
mod guest;
mod job;
mod layer;
mod libtest;
mod skip;
mod surroundings;

/// Runs the tests: all layers, or those named.
///
/// Ends with a line `N passed, M failed, K skipped`, and with status 1 if any failed. Packages that a layer needs are installed on
/// Debian and Ubuntu, as root; elsewhere it says what is missing.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Only this layer; may be given several times.
    #[arg(long, value_enum, value_name = "LAYER")]
    only: Vec<Layer>,
    /// Builds the tests, lists those of each layer, and runs none.
    #[arg(long)]
    list: bool,
    /// Arguments for every test program, such as a part of a test's name.
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// What became of a part of the work: of building, or of a layer.
#[derive(Debug)]
struct Outcome {
    name: String,
    report: Report,
    took: Duration,
}

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let layers = layer::chosen(&self.only);
        let start = Instant::now();
        let built = prepare(&layers);
        let mut outcomes = vec![Outcome { name: "build".to_owned(), report: Report::default(), took: start.elapsed() }];
        let Prepared { mut jobs, programs } = match built {
            Ok(built) => built,
            Err(error) => {
                outcomes[0].report = failed("the build", &error);
                return close(&outcomes);
            }
        };
        if self.list {
            return list(&layers, &jobs);
        }
        for layer in layers {
            outcomes.push(run(layer, &jobs.remove(&layer).unwrap_or_default(), &programs, &self.args));
        }
        close(&outcomes)
    }
}

/// What was built.
#[derive(Debug)]
struct Prepared {
    jobs: BTreeMap<Layer, Vec<Job>>,
    /// Programs that tests start.
    programs: Vec<PathBuf>,
}

/// Installs what building needs, and builds every test program, and the programs that tests start.
fn prepare(layers: &[Layer]) -> Result<Prepared> {
    crate::machine::require(layer::BUILD, "building the tests")?;
    let built = build::all(&layer::patterns(layers))?;
    Ok(Prepared { jobs: layer::sort(built.tests, layers)?, programs: built.programs })
}

fn list(layers: &[Layer], jobs: &BTreeMap<Layer, Vec<Job>>) -> Result<ExitCode> {
    for layer in layers {
        for job in jobs.get(layer).into_iter().flatten() {
            job.tests()?.iter().try_for_each(|test| print(&format!("{layer} {}: {test}", job.name)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a layer; what goes wrong around its tests counts as a failed test, and the next layer still runs.
fn run(layer: Layer, jobs: &[Job], programs: &[PathBuf], args: &[String]) -> Outcome {
    let start = Instant::now();
    say(&format!("── {layer}: {}", layer.about()));
    let report =
        run_jobs(layer, jobs, programs, args).unwrap_or_else(|error| failed(&format!("what {layer} needs"), &error));
    Outcome { name: layer.to_string(), report: skip::judge(report), took: start.elapsed() }
}

/// What the tests need around them is there for as long as they run, and only if there are any.
fn run_jobs(layer: Layer, jobs: &[Job], programs: &[PathBuf], args: &[String]) -> Result<Report> {
    let mut report = Report::default();
    if jobs.is_empty() {
        say("no tests");
        return Ok(report);
    }
    if layer == Layer::Guest {
        return guest::run(jobs, programs, args, layer.patience());
    }
    let surroundings = Surroundings::of(layer)?;
    for job in jobs {
        let ran = job.run(args, &surroundings, layer.patience()).unwrap_or_else(|error| failed(&job.name, &error));
        if !ran.failed.is_empty() {
            surroundings.explain();
        }
        report.merge(ran);
    }
    Ok(report)
}

/// The report where something went wrong before or around tests.
fn failed(what: &str, error: &anyhow::Error) -> Report {
    Report { failed: vec![format!("{what}: {error:#}")], ..Report::default() }
}

/// Says what failed and what was skipped, how long each part took, and the closing line.
fn close(outcomes: &[Outcome]) -> Result<ExitCode> {
    let mut all = Report::default();
    outcomes.iter().for_each(|outcome| all.merge(outcome.report.clone()));
    summary(outcomes, &all).iter().try_for_each(|line| print(line))?;
    Ok(if all.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(outcomes: &[Outcome], all: &Report) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(all.skipped.iter().map(|skip| format!("skipped {}: {}", skip.test, skip.reason)));
    lines.extend(all.failed.iter().map(|test| format!("FAILED  {test}")));
    lines.extend(outcomes.iter().map(Outcome::line));
    lines.push(closing(all));
    lines
}

impl Outcome {
    fn line(&self) -> String {
        let counts = if self.report == Report::default() { String::new() } else { closing(&self.report) };
        format!("{:8} {:7.1} s  {counts}", self.name, self.took.as_secs_f64()).trim_end().to_owned()
    }
}

fn closing(report: &Report) -> String {
    format!("{} passed, {} failed, {} skipped", report.passed, report.failed.len(), report.skipped.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, report: Report) -> Outcome {
        Outcome { name: name.to_owned(), report, took: Duration::from_secs(1) }
    }

    #[test]
    fn the_closing_line_stands_alone_at_the_end() {
        let report = Report { passed: 3, ..Report::default() };
        let lines = summary(&[outcome("build", Report::default()), outcome("unit", report.clone())], &report);
        assert_eq!(lines.last().unwrap(), "3 passed, 0 failed, 0 skipped");
        assert_eq!(lines[1], "build        1.0 s");
        assert_eq!(lines[2], "unit         1.0 s  3 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn what_goes_wrong_around_tests_counts_as_a_failure() {
        let report = failed("the build", &anyhow::anyhow!("no compiler"));
        assert_eq!(closing(&report), "0 passed, 1 failed, 0 skipped");
        assert_eq!(report.failed, ["the build: no compiler"]);
    }
}
