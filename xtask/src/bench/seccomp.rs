//! A thousand seccomp profiles in a folder, most of which build on others: the first pass over them, the same manifests once more, and a
//! restart.
//!
//! Times are those of a daemon by itself. What it writes is counted in a run of its own, under strace, which is slow.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::Figure;
use super::measure::{median, mib, release};
use super::process::{Memory, Process};
use super::profiles;
use super::trace::{Counts, Trace};
use crate::machine::is_root;
use crate::run::say;

const PROFILES: usize = 1000;
/// Each with a folder and a host of its own.
const ROUNDS: usize = 3;
/// How much of the first pass the daemon has to be at work, or to wait for a processor that others have; the rest is waiting for disks.
const BUSY: f64 = 0.7;
/// What nodes may have in memory.
const MEMORY_MIB: f64 = 30.0;
/// So long after the last event, what is in memory is what stays.
const SETTLE: Duration = Duration::from_secs(5);
/// How long the last profile may take to be installed.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(10);
/// The folder of profiles on a host.
const INSTALLED: &str = "var/lib/kubelet/seccomp/operator";
/// A profile that comes behind all others, in whichever order they are looked at: once it is installed, they were looked at.
const LAST: &str = "zz-last";

pub(crate) fn run() -> Result<Vec<Figure>> {
    let program = release("spo-node", "spo-node")?;
    let mut rounds = Vec::new();
    for number in 1..=ROUNDS {
        let round = Round::take(&program)?;
        say(&format!(
            "round {number} of {ROUNDS}: {:.2} s, {:.2} s of processor time",
            round.first.wall, round.first.cpu
        ));
        rounds.push(round);
    }
    let mut figures = figures(&rounds)?;
    if is_root() {
        figures.extend(counted(&program)?);
    } else {
        say("not measured: writes, which strace counts as root only");
    }
    Ok(figures)
}

/// A folder of manifests, and a host.
struct Stage {
    place: TempDir,
}

impl Stage {
    fn new() -> Result<Self> {
        let stage = Self { place: tempfile::tempdir().context("cannot make a temporary folder")? };
        for folder in [stage.manifests(), stage.host()] {
            fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        stage.write_all()?;
        Ok(stage)
    }

    fn manifests(&self) -> PathBuf {
        self.place.path().join("manifests")
    }

    fn host(&self) -> PathBuf {
        self.place.path().join("host")
    }

    fn statuses(&self) -> PathBuf {
        self.host().join("status")
    }

    /// Writes every manifest, whether it is there or not.
    fn write_all(&self) -> Result<()> {
        (0..PROFILES).try_for_each(|number| profiles::write(&self.manifests(), &profiles::seccomp(number)))
    }

    /// The arguments of a daemon of this stage.
    fn daemon(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(["daemon", "--root"]).arg(self.host());
        command.arg("--status-dir").arg(self.statuses());
        command.arg("--source").arg(format!("directory:{}", self.manifests().display())).args(arguments);
        command
    }

    fn start(&self, command: Command) -> Result<Process> {
        Process::start(self.daemon(command, &[]), "daemon", &self.place.path().join("log"))
    }

    /// Writes every manifest once more, and waits until the daemon has looked at each.
    fn again(&self) -> Result<()> {
        self.write_all()?;
        self.last(["1", "2"])
    }

    /// Writes two profiles that come behind all others, and waits for each: the second is installed after all that was seen together
    /// with the first is done.
    fn last(&self, numbers: [&str; 2]) -> Result<()> {
        for number in numbers {
            let mut last = profiles::seccomp(0);
            last["metadata"]["name"] = format!("{LAST}-{number}").into();
            profiles::write(&self.manifests(), &last)?;
            self.wait_for(&format!("{LAST}-{number}"))?;
        }
        Ok(())
    }

    /// Waits for the status of a profile, which is the last that is written of it.
    fn wait_for(&self, name: &str) -> Result<()> {
        let begin = Instant::now();
        while !names(&self.statuses())?.iter().any(|file| file.contains(name)) {
            ensure!(begin.elapsed() < PATIENCE, "the daemon did not install {name} within {} s", PATIENCE.as_secs());
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// What is in a folder, but for hidden files.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<std::io::Result<Vec<_>>>()
    });
    let names = entries.with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
}

/// What something took, in seconds.
struct Took {
    wall: f64,
    cpu: f64,
    /// Ready to run, while others had the processor.
    queued: f64,
}

impl Took {
    /// What a daemon took until it was ready.
    fn start(daemon: &Process) -> Result<Self> {
        Ok(Self { wall: daemon.start.as_secs_f64(), cpu: daemon.cpu_seconds()?, queued: daemon.queued_seconds()? })
    }
}

struct Round {
    first: Took,
    memory: Memory,
    again_cpu: f64,
    restart: Took,
    restarted: Memory,
}

impl Round {
    fn take(program: &Path) -> Result<Self> {
        let stage = Stage::new()?;
        let daemon = stage.start(Command::new(program))?;
        let first = Took::start(&daemon)?;
        let installed = names(&stage.host().join(INSTALLED))?.len();
        ensure!(installed == PROFILES, "{installed} of {PROFILES} profiles are installed");
        std::thread::sleep(SETTLE);
        let memory = daemon.memory()?;
        let before = daemon.cpu_seconds()?;
        stage.again()?;
        let again_cpu = daemon.cpu_seconds()? - before;
        drop(daemon);
        let daemon = stage.start(Command::new(program))?;
        let restart = Took::start(&daemon)?;
        std::thread::sleep(SETTLE);
        Ok(Self { first, memory, again_cpu, restart, restarted: daemon.memory()? })
    }
}

fn figures(rounds: &[Round]) -> Result<Vec<Figure>> {
    let figure = |metric: &str, of: fn(&Round) -> f64, unit| {
        let values: Vec<f64> = rounds.iter().map(of).collect();
        Ok::<_, anyhow::Error>(Figure::new("seccomp", metric, median(&values).context("no rounds")?, unit))
    };
    Ok(vec![
        figure("1,000 profiles, first pass", |round| round.first.wall, "s")?,
        figure("first pass, CPU", |round| round.first.cpu, "s")?,
        figure("first pass, waiting for a processor", |round| round.first.queued, "s")?,
        figure(
            "first pass, (CPU + waiting for it) / wall",
            |round| (round.first.cpu + round.first.queued) / round.first.wall,
            "ratio",
        )?
        .at_least(BUSY),
        figure("same manifests once more, CPU", |round| round.again_cpu, "s")?,
        figure("restart", |round| round.restart.wall, "s")?,
        figure("restart, CPU", |round| round.restart.cpu, "s")?,
        figure("daemon, after the first pass, RSS", |round| mib(round.memory.rss_bytes), "MiB")?
            .baseline(101.0)
            .at_most(MEMORY_MIB),
        figure("the same, anonymous", |round| mib(round.memory.anonymous_bytes), "MiB")?,
        figure("the same, peak RSS", |round| mib(round.memory.peak_bytes), "MiB")?,
        figure("daemon, after a restart, RSS", |round| mib(round.restarted.rss_bytes), "MiB")?
            .baseline(101.0)
            .at_most(MEMORY_MIB),
    ])
}

/// The same once more, under strace.
fn counted(program: &Path) -> Result<Vec<Figure>> {
    let stage = Stage::new()?;
    let seen = |name: &str| stage.place.path().join(name);
    let (trace, command) = Trace::of(program, &seen("trace"))?;
    let daemon = stage.start(command)?;
    let first = trace.counts(&stage.host())?;
    stage.again()?;
    let again = trace.counts(&stage.host())?;
    stage.last(["3", "4"])?;
    let last = trace.counts(&stage.host())?;
    drop(daemon);
    // The last profiles themselves are written, both times.
    let beyond_the_last = (again.writes - first.writes).abs_diff(last.writes - again.writes);
    let (trace, command) = Trace::of(program, &seen("trace-of-restart"))?;
    let mut once = stage.daemon(command, &["--once"]);
    let ended = once.stderr(fs::File::create(seen("log"))?).status().context("cannot start strace")?;
    if !ended.success() {
        bail!("not every profile is installed:\n{}", fs::read_to_string(seen("log")).unwrap_or_default());
    }
    let restart = trace.counts(&stage.host())?;
    let none = |metric: &str, value: usize, unit| Figure::new("seccomp", metric, value as f64, unit).at_most(0.0);
    let calls = |counts: Counts| counts.writes as f64 / PROFILES as f64;
    Ok(vec![
        Figure::new("seccomp", "first pass, calls that write, per profile", calls(first), "calls"),
        none("same manifests once more, calls that write", beyond_the_last, "calls"),
        none("restart, calls that write", restart.writes, "calls"),
        none("API requests in all of these", last.connections + restart.connections, "requests"),
    ])
}
