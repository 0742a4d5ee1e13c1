//! What benches share: release binaries, and what a run of a program cost.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::machine::{Package, require};
use crate::run::{Run, target};

/// GNU time reads the peak of a program's memory without the memory of who started it.
const TIME: Package = Package { name: "time", file: "/usr/bin/time" };

/// Builds a binary with the release profile, and says where it is.
pub(crate) fn release(package: &str, binary: &str) -> Result<PathBuf> {
    Run::cargo().args(["build", "--release", "--package", package, "--bin", binary]).run()?;
    Ok(target().join("release").join(binary))
}

/// How long a program took from its start to its end; its output is dropped.
pub(crate) fn wall(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    let took = start.elapsed();
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(took)
}

/// The most memory that a program and the children it waited for had resident at once, in bytes.
pub(crate) fn peak_rss_bytes(command: &Command) -> Result<u64> {
    require(&[TIME], "measuring memory")?;
    let report = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    let mut timed = Command::new(TIME.file);
    timed.args(["--format", "%M", "--output"]).arg(report.path());
    timed.arg(command.get_program()).args(command.get_args());
    timed.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    wall(&mut timed)?;
    let text = std::fs::read_to_string(report.path()).context("cannot read what time wrote")?;
    let kib: u64 = text.trim().parse().with_context(|| format!("time wrote {text:?}, not a number of KiB"))?;
    Ok(kib * 1024)
}

/// The middle one; the mean of the two middle ones of an even number. None of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

/// The least. None of nothing.
pub(crate) fn minimum(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

/// Bytes as MiB.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// A duration as milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_minima_are_taken_over_any_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(minimum(&[3.0, 1.0, 2.0]), Some(1.0));
    }

    #[test]
    fn a_program_that_fails_is_not_a_measurement() {
        let error = wall(&mut Command::new("false")).unwrap_err();
        assert!(error.to_string().contains("false"), "{error}");
    }
}
