//! The daemon of the story: spo-node on a folder, ended with the story.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::INSTALLED;
use super::stage::Stage;

/// How often the folder of statuses is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it on the folder `profiles`, with `node` for a root. What it logs goes to a file.
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        let args = [
            "daemon",
            "--source",
            "directory:profiles",
            "--status-dir",
            "status",
            "--root",
            "node",
            "--health-port",
            "0",
        ];
        stage.command(&format!("spo-node {} &", args.join(" ")))?;
        let log = File::create(stage.dir().join("daemon.log")).context("cannot make daemon.log")?;
        let mut command = super::on_stage(stage, stage.program("spo-node"));
        command.args(args).env("NODE_NAME", "demo").stdout(Stdio::null()).stderr(log);
        Ok(Self { child: command.spawn().context("cannot start spo-node")? })
    }

    /// Waits for a status that is `wanted`, and gives back its text.
    pub(super) fn status(&mut self, stage: &Stage, wanted: fn(&str) -> bool, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(text) = statuses(stage)?.into_iter().find(|text| is_final(text) && wanted(text)) {
                return Ok(text);
            }
            let ended = self.child.try_wait().context("cannot look at spo-node")?;
            if ended.is_some() || Instant::now() > deadline {
                bail!("no status of the profile came; the daemon logged:\n{}", stage.read("daemon.log")?);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until the installed file is another than before.
    pub(super) fn installed_anew(&self, stage: &Stage, before: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while stage.read(INSTALLED)? == before {
            if Instant::now() > deadline {
                bail!("the amended profile was not installed; the daemon logged:\n{}", stage.read("daemon.log")?);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _gone_already = kill_process(pid, Signal::TERM);
        }
        let _reaped = self.child.wait();
    }
}

/// What the daemon has written about profiles so far.
fn statuses(stage: &Stage) -> Result<Vec<String>> {
    let dir = stage.dir().join("status");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&dir).context("cannot list the statuses")? {
        let path = entry.context("cannot list the statuses")?.path();
        // A file that is being replaced may be gone by now.
        found.extend(std::fs::read_to_string(&path));
    }
    Ok(found)
}

/// Whether a status tells how it ended.
fn is_final(text: &str) -> bool {
    ["Installed", "Error"].iter().any(|state| text.contains(state))
}
