//! What it costs to start `spoc`, and to record the shortest program there is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Figure;
use super::measure::{median, mib, minimum, ms, peak_rss_bytes, release, wall};
use crate::machine::is_root;
use crate::run::say;

/// Enough that the minimum is that of an undisturbed run.
const STARTS: usize = 200;
const RECORDINGS: usize = 15;

pub(crate) fn run() -> Result<Vec<Figure>> {
    let spoc = release("spo-node", "spoc")?;
    let mut figures = version(&spoc)?;
    if is_root() {
        figures.extend(record(&spoc)?);
    } else {
        say("not measured: spoc record, which needs root for eBPF");
    }
    Ok(figures)
}

/// `spoc version` and `/bin/true` in turns, so that both meet the same disturbances.
fn version(spoc: &Path) -> Result<Vec<Figure>> {
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        plain.push(ms(wall(&mut Command::new("/bin/true"))?));
        ours.push(ms(wall(Command::new(spoc).arg("version"))?));
    }
    let (ours, plain) = (minimum(&ours).context("no runs")?, minimum(&plain).context("no runs")?);
    let memory = mib(peak_rss_bytes(Command::new(spoc).arg("version"))?);
    Ok(vec![
        Figure::new("cli", "version, wall, minimum", ours, "ms").baseline(40.0),
        Figure::new("cli", "/bin/true, wall, minimum", plain, "ms"),
        Figure::new("cli", "version / /bin/true", ours / plain, "ratio").at_most(3.0),
        Figure::new("cli", "version, peak RSS", memory, "MiB").baseline(60.0).at_most(8.0),
    ])
}

/// `spoc record /bin/true`, from nothing attached to the profile written.
fn record(spoc: &Path) -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir().context("cannot make a temporary folder")?;
    let command = || {
        let mut command = Command::new(spoc);
        command.args(["record", "--output-file"]).arg(dir.path().join("true.yaml")).arg("/bin/true");
        command
    };
    let mut walls = Vec::new();
    for _ in 0..RECORDINGS {
        walls.push(ms(wall(&mut command())?));
    }
    let memory = mib(peak_rss_bytes(&command())?);
    Ok(vec![
        Figure::new("cli", "record /bin/true, wall, median", median(&walls).context("no runs")?, "ms")
            .baseline(600.0)
            .at_most(150.0),
        Figure::new("cli", "record /bin/true, peak RSS", memory, "MiB").baseline(94.0).at_most(25.0),
    ])
}
