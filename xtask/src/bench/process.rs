//! A program of ours that a bench has running: when it is ready, and what it takes of processor and memory.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a process may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// Clock ticks of `/proc/PID/stat`: 100 a second on every architecture that Linux gives us.
const TICKS: f64 = 100.0;

/// A process that ends with this value.
pub(super) struct Process {
    child: Child,
    /// From its start until it was ready.
    pub(super) start: Duration,
}

/// What a process has in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) rss_bytes: u64,
    pub(super) anonymous_bytes: u64,
    /// The most that was ever resident.
    pub(super) peak_bytes: u64,
}

impl Process {
    /// Starts a program of ours, and waits until it says that it is ready. What it says else goes to `log`.
    pub(super) fn start(mut command: Command, name: &str, log: &Path) -> Result<Self> {
        let port = free_port()?;
        let to = std::fs::File::create(log).context("cannot make a log")?;
        command.args(["--health-port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(to);
        let begin = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        while !is_ready(port) {
            if child.try_wait()?.is_some() || begin.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                _ = child.kill();
                bail!("the {name} is not ready; it says:\n{said}");
            }
            std::thread::sleep(LOOK);
        }
        Ok(Self { child, start: begin.elapsed() })
    }

    /// CPU time so far, in seconds, of all of its threads, and of its children that have ended.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // The name in parentheses may hold anything; what follows are numbers.
        let (_, numbers) = text.rsplit_once(')').with_context(|| format!("{path} has no name"))?;
        let ticks: Option<Vec<f64>> = numbers.split_whitespace().skip(11).take(4).map(|n| n.parse().ok()).collect();
        Ok(ticks.with_context(|| format!("{path} has no times"))?.iter().sum::<f64>() / TICKS)
    }

    /// How long threads that it still has were ready to run, and did not, in seconds.
    pub(super) fn queued_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/task", self.child.id());
        let threads = std::fs::read_dir(&path).with_context(|| format!("cannot list {path}"))?;
        let queued = |thread: std::fs::DirEntry| -> Option<f64> {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().nth(1)?.parse().ok()
        };
        Ok(threads.flatten().filter_map(queued).sum::<f64>() / 1e9)
    }

    pub(super) fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let bytes = |name: &str| -> Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
            Ok(kib.with_context(|| format!("{path} has no {name}"))? * 1024)
        };
        Ok(Memory { rss_bytes: bytes("VmRSS")?, anonymous_bytes: bytes("RssAnon")?, peak_bytes: bytes("VmHWM")? })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM, so that the manager gives its lease back and the next one need not wait for it.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                _ = self.child.kill();
            }
            std::thread::sleep(LOOK);
        }
    }
}

pub(super) fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

fn is_ready(port: u16) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
