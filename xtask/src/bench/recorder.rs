//! What recording costs a system call, and what starting it takes.
//!
//! The yardstick is a raw tracepoint program that does nothing: what attaching anything at all costs on this machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use spo_recorder::bpf::{EmptyProgram, Recorder, Request};

use super::Figure;
use super::measure::{median, minimum, ms};
use crate::machine::is_root;
use crate::run::{Run, say, target};

/// Each round runs every variant once, so that all of them meet the same disturbances.
const ROUNDS: usize = 25;

pub(crate) fn run() -> Result<Vec<Figure>> {
    if !is_root() {
        say("not measured: recording, which needs root for eBPF");
        return Ok(Vec::new());
    }
    Run::cargo().args(["build", "--release", "--package", "spo-recorder", "--example", "getppid"]).run()?;
    let getppid = target().join("release/examples/getppid");
    let mut costs = Costs::default();
    let mut starts = Starts::default();
    for _ in 0..ROUNDS {
        costs.round(&getppid)?;
        starts.round()?;
    }
    let mut figures = costs.figures()?;
    figures.extend(starts.figures()?);
    Ok(figures)
}

/// Nanoseconds for one getppid.
#[derive(Debug, Default)]
struct Costs {
    bare: Vec<f64>,
    empty: Vec<f64>,
    beside: Vec<f64>,
    recorded: Vec<f64>,
}

impl Costs {
    fn round(&mut self, getppid: &Path) -> Result<()> {
        self.bare.push(read(start(getppid).spawn()?)?);
        let empty = EmptyProgram::attach()?;
        self.empty.push(read(start(getppid).spawn()?)?);
        drop(empty);
        let mut recorder = Recorder::start(&Request::tree())?;
        let (child, slot) = recorder.spawn(start(getppid))?;
        self.recorded.push(read(child)?);
        // Something else is recorded meanwhile, so that everything stays attached.
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        let (mut other, _) = recorder.spawn(sleep)?;
        recorder.take(slot)?;
        self.beside.push(read(start(getppid).spawn()?)?);
        other.kill().context("cannot end what was recorded")?;
        other.wait().context("cannot wait for what was recorded")?;
        Ok(())
    }

    fn figures(&self) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        for (how, pick) in [("minima", minimum as fn(&[f64]) -> Option<f64>), ("medians", median)] {
            let of = |values: &[f64]| pick(values).context("no rounds");
            let (bare, empty) = (of(&self.bare)?, of(&self.empty)?);
            let (beside, recorded) = (of(&self.beside)?, of(&self.recorded)?);
            let mut add =
                |what: &str, value| figures.push(Figure::new("recorder", format!("{what}, {how}"), value, "ns"));
            add("getppid, nothing attached", bare);
            add("added by an empty program", empty - bare);
            add("added to a process that is not recorded", beside - bare);
            add("added to a recorded process", recorded - bare);
            let ratio = |what: &str, value: f64, bar: f64| {
                let figure =
                    Figure::new("recorder", format!("{what} / empty program, {how}"), value / (empty - bare), "ratio");
                // Medians are of a machine that others may be using, and are shown for honesty.
                if how == "minima" { figure.baseline(4.0).at_most(bar) } else { figure.baseline(4.0) }
            };
            figures.push(ratio("not recorded", beside - bare, 1.8));
            figures.push(ratio("recorded", recorded - bare, 2.2));
        }
        Ok(figures)
    }
}

/// The loop, its result to be read.
fn start(getppid: &Path) -> Command {
    let mut command = Command::new(getppid);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn read(child: std::process::Child) -> Result<f64> {
    let output = child.wait_with_output().context("cannot wait for the loop")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("the loop printed {text:?}, not a number"))
}

/// How long the parts of a recording take, in milliseconds.
#[derive(Debug, Default)]
struct Starts {
    load: Vec<f64>,
    attach: Vec<f64>,
    detach: Vec<f64>,
    attached_idle: bool,
}

impl Starts {
    fn round(&mut self) -> Result<()> {
        let begin = Instant::now();
        let mut recorder = Recorder::start(&Request::tree())?;
        self.load.push(ms(begin.elapsed()));
        self.attached_idle |= recorder.is_attached();
        let begin = Instant::now();
        let (mut child, slot) = recorder.spawn(Command::new("/bin/true"))?;
        self.attach.push(ms(begin.elapsed()));
        child.wait().context("cannot wait for /bin/true")?;
        recorder.wait_tree(slot, None)?;
        let begin = Instant::now();
        recorder.take(slot)?;
        self.detach.push(ms(begin.elapsed()));
        self.attached_idle |= recorder.is_attached();
        Ok(())
    }

    fn figures(&self) -> Result<Vec<Figure>> {
        let middle = |values: &[f64]| median(values).context("no rounds");
        let idle = f64::from(u8::from(self.attached_idle));
        Ok(vec![
            Figure::new("recorder", "load what a tree needs, median", middle(&self.load)?, "ms"),
            Figure::new("recorder", "attach and start /bin/true, median", middle(&self.attach)?, "ms"),
            Figure::new("recorder", "take and detach, median", middle(&self.detach)?, "ms"),
            Figure::new("recorder", "attached while nothing is recorded", idle, "programs").at_most(0.0),
        ])
    }
}
