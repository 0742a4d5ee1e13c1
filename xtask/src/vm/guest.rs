//! A guest: the disks of one, booted as often as is wanted, each time for one script of its job.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::image::Image;
use super::machine::{self, Machine, PROGRAM, SHELL};
use super::{disk, forward, scratch};
use crate::machine::{present, require};
use crate::run::{Run, say};

/// How often a running guest is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long a boot may take until the job begins, on a machine that does much else.
const BOOT: Duration = Duration::from_secs(180);

/// How often a boot that ended before its job began is tried anew.
const TRIES: usize = 2;

/// How much of the console is shown when a guest fails.
const TAIL: usize = 40;

/// The first process says so on the console when it is about to run the script.
const READY: &str = "guest: ready";

/// Room for what a job writes into its own folder.
const FREE_MIB: u64 = 256;

/// The disks of a guest, and what a boot leaves. Gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    image: Image,
    machine: Machine,
    place: tempfile::TempDir,
}

impl Guest {
    /// A guest whose folder `/job` has the files of `job`, which holds the scripts that it is booted for.
    pub(crate) fn new(machine: Machine, job: &Path) -> Result<Self> {
        let image = prepare()?;
        let place = scratch::folder()?;
        disk::copy(&image.root(), &place.path().join("root.img"))?;
        disk::plain(job, "job", FREE_MIB, &place.path().join("job.img"))?;
        Ok(Self { image, machine, place })
    }

    /// Boots it to run a script of the job with bash. What that prints is read by the threads that `readers` starts.
    pub(crate) fn boot(
        &self,
        script: &str,
        patience: Duration,
        mut readers: impl FnMut(&mut Child) -> Vec<JoinHandle<()>>,
    ) -> Result<Ended> {
        for attempt in 1.. {
            let mut boot = self.start(script)?;
            let readers = readers(&mut boot.child);
            let ended = boot.wait(patience)?;
            for reader in readers {
                // One that panicked has said so.
                let _panicked = reader.join();
            }
            if boot.is_ready() || attempt == TRIES {
                return Ok(ended);
            }
            say(&format!("the guest ended before its job began, so it is booted again; {}", boot.last_words()));
        }
        bail!("a guest is booted at least once")
    }

    /// Boots it to run a script of the job that has to end well; gives back what that printed. Its errors are passed on.
    pub(crate) fn output(&self, script: &str, patience: Duration) -> Result<String> {
        let text = Arc::new(Mutex::new(Vec::new()));
        let ended = self.boot(script, patience, |child| {
            let out = child.stdout.take().map(|out| collect(out, Arc::clone(&text)));
            out.into_iter().chain(forward(child.stderr.take(), std::io::stderr())).collect()
        })?;
        let bytes = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
        match ended {
            Ended::Status(0) => String::from_utf8(bytes).context("the guest printed what is no text"),
            Ended::Status(status) => bail!("{script} ended with {status} in the guest"),
            Ended::Failed(why) => bail!(why),
        }
    }

    fn start(&self, script: &str) -> Result<Boot> {
        for file in ["console", "status"] {
            fs::write(self.file(file), "").with_context(|| format!("cannot write {}", self.file(file).display()))?;
        }
        let mut command = self.command(script);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().context("cannot start QEMU")?;
        Ok(Boot { child, console: self.file("console"), status: self.file("status"), since: Instant::now() })
    }

    /// Boots it with a shell on this terminal.
    pub(crate) fn shell(&self) -> Result<()> {
        let status = self.command(SHELL).stdin(Stdio::inherit()).status().context("cannot start QEMU")?;
        ensure!(status.success(), "QEMU ended with {status}");
        Ok(())
    }

    /// Copies the job's folder, with what the job has written, into `to`.
    pub(crate) fn copy_out(&self, to: &Path) -> Result<()> {
        disk::copy_out(&self.file("job.img"), to)
    }

    fn command(&self, script: &str) -> Command {
        // It ends with this tool, however that ends.
        let setpriv = Run::new("setpriv").args(["--pdeathsig", "KILL", "--", PROGRAM]).quiet();
        setpriv.args(self.machine.arguments(&self.image, self.place.path(), script)).into_command()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }
}

/// Collects what comes, in a thread of its own.
fn collect(mut from: impl Read + Send + 'static, to: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is kept.
        let _end = from.read_to_end(&mut bytes);
        *to.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    })
}

/// Installs and makes what every guest needs.
pub(crate) fn prepare() -> Result<Image> {
    require(machine::PACKAGES, "guests")?;
    Image::get()
}

/// How a boot ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With the exit status of the script.
    Status(u8),
    /// Otherwise, which is said with the end of the console.
    Failed(String),
}

/// A guest that runs.
#[derive(Debug)]
struct Boot {
    child: Child,
    console: PathBuf,
    status: PathBuf,
    since: Instant,
}

impl Boot {
    fn wait(&mut self, patience: Duration) -> Result<Ended> {
        let mut ready = false;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait for QEMU")? {
                let script = fs::read_to_string(&self.status).ok().and_then(|text| text.trim().parse().ok());
                return Ok(script.map_or_else(|| self.failed(&format!("QEMU ended with {status}")), Ended::Status));
            }
            ready = ready || self.is_ready();
            let limit = if ready { patience } else { BOOT };
            if self.since.elapsed() > limit {
                self.end()?;
                let what = if ready { "its job was not done" } else { "it had not begun its job" };
                return Ok(self.failed(&format!("{what} after {} s", limit.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn is_ready(&self) -> bool {
        String::from_utf8_lossy(&fs::read(&self.console).unwrap_or_default()).contains(READY)
    }

    fn end(&mut self) -> Result<()> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).context("cannot end QEMU")
    }

    fn failed(&self, what: &str) -> Ended {
        Ended::Failed(format!("the guest failed: {what}; {}", self.last_words()))
    }

    fn last_words(&self) -> String {
        let bytes = fs::read(&self.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        format!("the end of its console:\n{}", lines[lines.len().saturating_sub(TAIL)..].join("\n"))
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ended = self.end();
    }
}

/// Whether guests can run here for this user: why not, else.
pub(crate) fn obstacle() -> Option<&'static str> {
    if cfg!(not(target_arch = "x86_64")) {
        return Some("guests run on x86_64 only so far");
    }
    // Everybody may run one that root has made.
    let possible = crate::machine::is_root() || (present(PROGRAM) && Image::is_made());
    (!possible).then_some("needs root, to make the guest that it runs in")
}
