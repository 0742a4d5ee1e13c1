//! Running programs of the host: those that compile and load policies.
//!
//! They are found in the folders of a system's own programs, get an environment that depends on nothing, no input but what they are
//! given, and a deadline. What they say is kept, up to a bound, because it is the reason of a failure.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::HostError;

/// Where a system keeps the programs of its administrator.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";
/// So much of what a program says is read.
const MAX_SAID_BYTES: u64 = 1 << 20;
/// So much of it is told to people: the end, where the reason stands.
const MAX_MESSAGE_BYTES: usize = 600;

/// A program of the host.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    name: &'static str,
    path: PathBuf,
}

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    tool: &'static str,
    pub(super) status: ExitStatus,
    /// What it wrote to standard output.
    pub(super) output: Vec<u8>,
    /// What it wrote to standard error.
    pub(super) said: String,
}

impl Tool {
    /// The program `name`.
    pub(super) fn find(name: &'static str) -> Result<Self, HostError> {
        let mut candidates = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
        match candidates.find(|path| path.is_file()) {
            Some(path) => Ok(Self { name, path }),
            None => Err(HostError::NoTool { tool: name, searched: FOLDERS.join(", ") }),
        }
    }

    /// Runs it to its end, or stops it and all that it started at the deadline.
    ///
    /// # Errors
    /// That it could not be started, or took too long. How it ended is for the caller to look at.
    pub(super) fn run<A: AsRef<OsStr>>(&self, arguments: &[A], deadline: Duration) -> Result<Ended, HostError> {
        self.run_in(Path::new("/"), arguments, deadline)
    }

    /// As [`run`](Self::run), for a program that writes into the folder in which it runs.
    pub(super) fn run_in<A: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: &[A],
        deadline: Duration,
    ) -> Result<Ended, HostError> {
        self.try_run(folder, arguments, deadline)
            .map_err(HostError::at("run", &self.path))?
            .ok_or(HostError::Deadline { tool: self.name, deadline })
    }

    fn try_run<A: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: &[A],
        deadline: Duration,
    ) -> Result<Option<Ended>, Errno> {
        // Files, and not pipes: a program that says much is never waiting for us, nor we for one that it left behind.
        let (mut output, mut said) = (memory("output")?, memory("said")?);
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C").current_dir(folder).process_group(0);
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().map_err(errno)?).stderr(said.try_clone().map_err(errno)?);
        let mut child = command.spawn().map_err(errno)?;
        let in_time = wait(&child, deadline)?;
        if !in_time {
            stop(&child);
        }
        let status = child.wait().map_err(errno)?;
        let said = String::from_utf8_lossy(&read(&mut said)?).into_owned();
        Ok(in_time.then_some(Ended { tool: self.name, status, output: read(&mut output)?, said }))
    }
}

impl Ended {
    /// What it wrote to standard output, if it ended well.
    ///
    /// # Errors
    /// Its message. `may_pass` says whether the same may go better another time.
    pub(super) fn success(self, may_pass: bool) -> Result<Vec<u8>, HostError> {
        if self.status.success() { Ok(self.output) } else { Err(self.failure(may_pass)) }
    }

    /// Its message as an error.
    pub(super) fn failure(&self, may_pass: bool) -> HostError {
        let said = self.said.trim();
        let message = if said.is_empty() { format!("nothing; it ended with {}", self.status) } else { end(said) };
        HostError::Tool { tool: self.tool, message, may_pass }
    }
}

/// Waits for the end of a child; `false` if it did not come in time.
fn wait(child: &Child, deadline: Duration) -> Result<bool, Errno> {
    let pid = Pid::from_child(child);
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    let until = std::time::Instant::now() + deadline;
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_too_long| Errno::INVAL)?;
        let mut waited = [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN)];
        match poll(&mut waited, Some(&timeout)) {
            Ok(ended) => return Ok(ended > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Ends a child and what it started. It leads a process group of its own.
fn stop(child: &Child) {
    // The only error is that there is nobody left.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

fn memory(name: &str) -> Result<File, Errno> {
    rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC).map(File::from)
}

fn read(file: &mut File) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(errno)?;
    file.take(MAX_SAID_BYTES).read_to_end(&mut bytes).map_err(errno)?;
    Ok(bytes)
}

/// The end of a text, in one line.
fn end(text: &str) -> String {
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    let begin = line.ceil_char_boundary(line.len().saturating_sub(MAX_MESSAGE_BYTES));
    if begin == 0 { line } else { format!("…{}", &line[begin..]) }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, deadline: Duration) -> Result<Ended, HostError> {
        Tool::find("sh").unwrap().run(&["-c", script], deadline)
    }

    #[test]
    fn a_missing_program_is_told_with_where_it_was_looked_for() {
        let error = Tool::find("no-such-program").unwrap_err().to_string();
        assert!(error.starts_with("this host has no no-such-program in /usr/sbin, /sbin"), "{error}");
    }

    #[test]
    fn w_nd_12_the_environment_is_cleared() {
        let ended = shell("/usr/bin/env; pwd; cat", LONG).unwrap();
        let output = String::from_utf8(ended.success(false).unwrap()).unwrap();
        let mut lines: Vec<_> =
            output.lines().filter(|line| !line.starts_with("_=") && !line.starts_with("PWD=")).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["/", "LC_ALL=C", &*format!("PATH={PATH}")]);
    }

    #[test]
    fn w_nd_12_a_program_that_does_not_end_is_stopped_with_all_it_started() {
        let error = shell("sleep 1000 & sleep 1000", Duration::from_millis(100)).unwrap_err();
        assert_eq!(error, HostError::Deadline { tool: "sh", deadline: Duration::from_millis(100) });
    }

    #[test]
    fn what_it_said_is_the_reason() {
        let error = shell("echo one >&2; echo two >&2; exit 3", LONG).unwrap().success(false).unwrap_err();
        assert_eq!(error.to_string(), "sh says: one; two");
        let silent = shell("exit 3", LONG).unwrap().success(true).unwrap_err();
        assert_eq!(silent.to_string(), "sh says: nothing; it ended with exit status: 3");
    }

    #[test]
    fn a_program_that_says_much_neither_hangs_nor_fills_memory() {
        let ended = shell("head -c 5000000 /dev/zero | tr '\\0' x >&2; exit 1", LONG).unwrap();
        assert_eq!(ended.said.len() as u64, MAX_SAID_BYTES);
        let message = ended.failure(false).to_string();
        assert!(message.len() < 700, "{}", message.len());
    }
}
