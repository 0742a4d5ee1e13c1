//! One run of libFuzzer on one target.

use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::output::{Line, Progress, read};
use super::{artifacts, corpus};
use crate::run::{Run, root, say};

/// How often it is said how far a run has come.
const EVERY: Duration = Duration::from_secs(10);

/// The longest inputs that are made. Larger ones are slow, and seldom show anything else.
const MAX_BYTES: u32 = 16 << 10;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Hunt {
    pub(super) target: String,
    pub(super) program: PathBuf,
    /// Inputs that earlier runs found, and where new ones go.
    pub(super) known: PathBuf,
    pub(super) seconds: u64,
    pub(super) jobs: u16,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Hunted {
    pub(super) target: String,
    progress: Progress,
    took: Duration,
    /// Whether libFuzzer ended well.
    ended_well: bool,
    /// Inputs that make the target fail, below the root.
    pub(super) files: Vec<String>,
}

impl Hunted {
    pub(super) fn failed(&self) -> bool {
        !self.ended_well || !self.files.is_empty()
    }

    /// Its line in the table at the end.
    pub(super) fn line(&self) -> String {
        let Progress { runs, coverage, corpus } = self.progress;
        let result = if self.failed() { "  FAILS" } else { "" };
        format!("{:18} {:>8} {runs:>14} {coverage:>10} {corpus:>8}{result}", self.target, self.took.as_secs())
    }
}

impl Hunt {
    /// Runs to the end of its time, or until an input makes the target fail. Says how far it has come.
    pub(super) fn run(self) -> Result<Hunted> {
        say(&format!("── {}: {} s", self.target, self.seconds));
        watch(&self.target, self.command())
    }

    fn command(&self) -> Command {
        let run = Run::new(&self.program).arg(&self.known).arg(corpus(&self.target));
        let run = run.arg(format!("-artifact_prefix={}/", artifacts(&self.target)));
        let run = run.args([format!("-max_total_time={}", self.seconds), format!("-max_len={MAX_BYTES}")]);
        // An input that takes ten seconds is a finding, and so is one that takes a gigabyte.
        let run = run.args(["-timeout=10", "-rss_limit_mb=1024"]);
        let run = if self.jobs > 1 { run.arg(format!("-fork={}", self.jobs)) } else { run };
        run.dir(root()).into_command()
    }
}

/// Runs it to its end.
fn watch(target: &str, mut libfuzzer: Command) -> Result<Hunted> {
    let start = Instant::now();
    let mut child = libfuzzer
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {target}"))?;
    let lines = lines_of(child.stderr.take().context("its output was asked for")?);
    let mut hunted = Hunted { target: target.to_owned(), ..Hunted::default() };
    follow(&lines, start, &mut hunted);
    hunted.ended_well = child.wait().with_context(|| format!("cannot wait for {target}"))?.success();
    hunted.took = start.elapsed();
    Ok(hunted)
}

/// Reads what it says, and passes on what people want to know.
fn follow(lines: &Receiver<String>, start: Instant, hunted: &mut Hunted) {
    let (mut trouble, mut next) = (false, EVERY);
    loop {
        match lines.recv_timeout(next.saturating_sub(start.elapsed())) {
            Ok(line) => {
                match read(&line) {
                    Line::Progress(progress) => hunted.progress.advance(&progress),
                    Line::Written(file) => hunted.files.push(file.to_owned()),
                    Line::Trouble => trouble = true,
                    Line::Other => {}
                }
                if trouble {
                    say(&line);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if start.elapsed() >= next && !trouble {
            let Progress { runs, coverage, corpus } = hunted.progress;
            say(&format!("{:5} s  {runs} runs, coverage {coverage}, corpus {corpus}", start.elapsed().as_secs()));
            next += EVERY;
        }
    }
}

/// The lines of an output, read by a thread of their own: they come seldom, and what is known is said meanwhile.
fn lines_of(out: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // A panic may print any bytes.
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunt(script: &str) -> Hunted {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        watch("names", shell).unwrap()
    }

    #[test]
    fn a_run_that_finds_nothing_tells_how_far_it_came() {
        let hunted = hunt("echo '#8 INITED cov: 5 ft: 6 corp: 2/9b' >&2; echo 'Done 99 runs in 1 second(s)' >&2");
        assert!(!hunted.failed());
        let hunted = Hunted { took: Duration::from_secs(60), ..hunted };
        assert_eq!(hunted.line(), "names                    60             99          5        2");
    }

    #[test]
    fn a_run_that_finds_something_names_the_input() {
        let hunted =
            hunt("echo \"thread 'main' panicked at x\" >&2; echo 'Test unit written to a/crash-1' >&2; exit 77");
        assert!(hunted.failed());
        assert_eq!(hunted.files, ["a/crash-1"]);
        assert!(hunted.line().ends_with("FAILS"));
    }

    #[test]
    fn a_run_that_ends_badly_without_an_input_has_failed() {
        assert!(hunt("exit 1").failed());
    }
}
