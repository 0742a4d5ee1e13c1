//! The processes of a cluster: started in the background, each with a log and a note of its process id.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::dir::Dir;

/// How often a condition is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(50);

/// How many lines of a log are shown when its process fails.
const TAIL: usize = 15;

/// A process of a cluster, running or not.
#[derive(Debug, Clone)]
pub(super) struct Service {
    dir: Dir,
    name: &'static str,
}

impl Service {
    pub(super) fn new(dir: &Dir, name: &'static str) -> Self {
        Self { dir: dir.clone(), name }
    }

    /// Starts it. `command` must become the process itself, not start it as a child.
    pub(super) fn start(&self, command: &Command) -> Result<Pid> {
        let log = File::create(self.log()).with_context(|| format!("cannot make {}", self.log().display()))?;
        let errors = log.try_clone().with_context(|| format!("cannot use {}", self.log().display()))?;
        // In a session of its own, so that a terminal that closes does not end it.
        let mut detached = Command::new("setsid");
        detached.arg(command.get_program()).args(command.get_args()).current_dir("/");
        detached.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = detached.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let pid = Pid::from_child(&child);
        let started =
            started(pid).with_context(|| format!("{} ended at once; see {}", self.name, self.log().display()))?;
        self.dir.write(self.note(), format!("{pid} {started}\n"))?;
        Ok(pid)
    }

    /// Its process id, as long as it runs.
    pub(super) fn pid(&self) -> Option<Pid> {
        let note = self.dir.read(self.note())?;
        let (pid, since) = note.trim_end().split_once(' ')?;
        let pid = Pid::from_raw(pid.parse().ok()?)?;
        (started(pid)? == since).then_some(pid)
    }

    /// Kills it. Nothing in a cluster is worth a polite end, for which the API server takes a minute.
    pub(super) fn kill(&self) -> Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        match kill_process(pid, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot kill {} ({pid})", self.name)),
        }
        until(&format!("the end of {}", self.name), Duration::from_secs(20), &[], || Ok(self.pid().is_none()))
    }

    fn note(&self) -> PathBuf {
        PathBuf::from("pid").join(self.name)
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log").join(self.name)
    }

    /// What it said last, and where the rest is.
    fn last_words(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("the end of {}:\n{tail}", self.log().display())
    }
}

/// When a process was started, in the kernel's clock ticks; nothing if it runs no more. With its number this is an identity, which
/// the number alone is not.
fn started(pid: Pid) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything; fields are counted from behind it.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned))?
}

/// Waits until `ready`. Fails early when one of `services` has ended, and shows what it said.
pub(super) fn until(
    what: &str,
    patience: Duration,
    services: &[Service],
    mut ready: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        if ready()? {
            return Ok(());
        }
        if let Some(ended) = services.iter().find(|service| service.pid().is_none()) {
            bail!("waiting for {what}: {} has ended; {}", ended.name, ended.last_words());
        }
        if Instant::now() > deadline {
            let words: Vec<String> = services.iter().map(Service::last_words).collect();
            bail!("waited {} s in vain for {what}\n{}", patience.as_secs(), words.join("\n"));
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::at(temp.path().join("cluster"));
        dir.claim().unwrap();
        (temp, dir)
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_is_known_by_its_start_and_ends_when_killed() {
        let (_temp, dir) = dir();
        let service = Service::new(&dir, "sleeper");
        assert_eq!(service.pid(), None);
        let pid = service.start(&shell("exec sleep 600")).unwrap();
        assert_eq!(service.pid(), Some(pid));
        dir.write("pid/sleeper", format!("{pid} 1\n")).unwrap();
        assert_eq!(service.pid(), None, "a process that got the same number later is another");
        dir.write("pid/sleeper", format!("{pid} {}\n", started(pid).unwrap())).unwrap();
        service.kill().unwrap();
        assert_eq!(service.pid(), None);
    }

    #[test]
    fn a_process_that_ends_while_it_is_waited_for_is_quoted() {
        let (_temp, dir) = dir();
        let service = Service::new(&dir, "talker");
        service.start(&shell("sleep 0.2; echo no such flag; exit 1")).unwrap();
        let error = until("a miracle", Duration::from_secs(30), &[service], || Ok(false)).unwrap_err().to_string();
        assert!(error.contains("talker has ended") && error.contains("no such flag"), "{error}");
    }
}
