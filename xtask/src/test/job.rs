//! One test program, run to its end or to the end of our patience.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::build::Built;
use super::libtest::{Reader, Report};
use super::surroundings::Surroundings;
use crate::run::{Run, kill_tree, print, root, say};

/// How often a program that is silent is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long a program's children may hold its output open after its own end.
const LINGER: Duration = Duration::from_secs(2);

/// A test program, or the examples in the docs.
#[derive(Debug)]
pub(super) struct Job {
    /// As the results name it: `spo-node spoc`.
    pub(super) name: String,
    built: Option<Built>,
}

impl Job {
    pub(super) fn program(built: Built) -> Self {
        let name = match (&built.package, &built.target) {
            (package, target) if built.is_integration => format!("{package} tests/{target}"),
            (package, target) if target.replace('_', "-") == *package => package.clone(),
            (package, target) => format!("{package} {target}"),
        };
        Self { name, built: Some(built) }
    }

    /// The examples in the documentation of every library, which only cargo can build and run.
    pub(super) fn examples() -> Self {
        Self { name: "examples in the docs".to_owned(), built: None }
    }

    /// The program and its name, unless it is cargo's to run.
    pub(super) fn built(&self) -> Option<&Built> {
        self.built.as_ref()
    }

    /// The command line, behind the words of `prefix`.
    fn command(&self, prefix: &[OsString]) -> Run {
        let Some(built) = &self.built else {
            return Run::cargo().args(["test", "--workspace", "--doc", "--"]).dir(root());
        };
        let run = match prefix.split_first() {
            Some((first, rest)) => Run::new(first).args(rest).arg(&built.program),
            None => Run::new(&built.program),
        };
        // Cargo runs tests in the folder of their package, and tells them so.
        run.dir(&built.dir).env("CARGO_MANIFEST_DIR", &built.dir)
    }

    /// The names of its tests.
    pub(super) fn tests(&self) -> Result<Vec<String>> {
        let text = self.command(&[]).args(["--list", "--format", "terse"]).quiet().output()?;
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }

    /// Runs it, passes on what it prints, and reads its results.
    pub(super) fn run(&self, args: &[String], around: &Surroundings, patience: Duration) -> Result<Report> {
        let listed = if self.built.is_some() { self.tests()? } else { Vec::new() };
        if self.built.is_some() && listed.is_empty() {
            return Ok(Report::default());
        }
        say(&format!("─ {}", self.name));
        let mut command = self.command(&around.prefix).arg("--show-output").args(args);
        for (key, value) in &around.environment {
            command = command.env(key, value);
        }
        let mut command = command.quiet().into_command();
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", self.name))?;
        let lines = lines_of(child.stdout.take().context("the output was asked for")?);
        let mut reader = Reader::new(&self.name);
        let ending = follow(&mut child, &lines, &mut reader, Instant::now() + patience)?;
        Ok(reader.end(&listed, ending.map(|ending| ending.said(patience)).as_deref()))
    }
}

/// How a program ended that did not end well.
#[derive(Debug)]
enum Ending {
    Status(std::process::ExitStatus),
    Killed,
}

impl Ending {
    fn said(&self, patience: Duration) -> String {
        match self {
            Self::Status(status) => format!("ended with {status}"),
            Self::Killed => format!("killed after {} minutes", patience.as_secs() / 60),
        }
    }
}

/// The lines of an output, read by a thread of their own: reading has no time limit.
fn lines_of(out: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    send_lines(out, sender);
    receiver
}

/// Sends the lines of an output as they come, from a thread of their own.
pub(super) fn send_lines(out: impl Read + Send + 'static, sender: Sender<String>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    })
}

/// Passes lines on until the program has ended or is killed; gives back how it ended, unless it ended well.
fn follow(
    child: &mut Child,
    lines: &Receiver<String>,
    reader: &mut Reader,
    deadline: Instant,
) -> Result<Option<Ending>> {
    let mut ended = None;
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => {
                if reader.line(&line) {
                    print(&line)?;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                if ended.is_none() && child.try_wait().context("cannot wait for a test program")?.is_some() {
                    ended = Some(Instant::now());
                }
                if ended.is_some_and(|at| at.elapsed() > LINGER) {
                    break;
                }
            }
        }
        if Instant::now() > deadline {
            kill_tree(child.id());
            child.wait().context("cannot wait for a test program")?;
            return Ok(Some(Ending::Killed));
        }
    }
    let status = child.wait().context("cannot wait for a test program")?;
    Ok((!status.success()).then_some(Ending::Status(status)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn follow_shell(script: &str, patience: Duration) -> Option<Ending> {
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        follow(&mut child, &lines, &mut Reader::new("sh"), Instant::now() + patience).unwrap()
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let start = Instant::now();
        let ending = follow_shell("sleep 60 & sleep 60", Duration::from_millis(300));
        assert!(matches!(ending, Some(Ending::Killed)), "{ending:?}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_child_that_keeps_the_output_open_is_not_waited_for() {
        let start = Instant::now();
        assert!(follow_shell("sleep 30 & exit 0", Duration::from_secs(60)).is_none());
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_bad_exit_status_is_said() {
        let ending = follow_shell("exit 3", Duration::from_secs(60)).unwrap();
        assert_eq!(ending.said(Duration::from_secs(60)), "ended with exit status: 3");
    }
}
