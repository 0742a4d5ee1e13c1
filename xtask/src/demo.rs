//! `cargo xtask demo`: what this project is for, told with a real program, a real daemon and real refusals.
//!
//! Everything happens in a temporary folder, which stands for the root of a node as well. Where eBPF or root is missing, nothing can be
//! recorded: the story then goes on with a profile that was written by hand.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::machine::{Package, is_root, require};
use crate::run::{Run, root, target};
use daemon::Daemon;
use stage::Stage;

mod amend;
mod daemon;
mod stage;

/// Shows the main job, in seconds once it is built: record a program, install its profile, confine the program, see a refusal.
///
/// Without a cluster: spo-node watches a folder. Recording needs root and a kernel with BTF; the rest runs as anybody.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {}

/// The program of the story: on every machine, and its work can be seen.
const HELLO: &str = "#!/bin/sh
echo \"Hello from $(uname -n), it is $(date +%H:%M). In this folder:\"
ls
";

/// What the program turns to when it is taken over.
const TAKEN_OVER: &str = "./hello && mkdir intruder";

/// The profile where nothing can be recorded: everything is allowed but to make folders.
const BY_HAND: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SeccompProfile
metadata:
  name: hello
spec:
  defaultAction: SCMP_ACT_ALLOW
  syscalls:
  - action: SCMP_ACT_ERRNO
    names:
    - mkdir
    - mkdirat
";

/// Where a node keeps the profile, below its root.
const INSTALLED: &str = "node/var/lib/kubelet/seccomp/operator/hello.json";

/// How long the daemon may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        require(&[Package { name: "gcc", file: "cc" }], "building")?;
        Run::cargo().args(["build", "--package", "spo-node", "--bins"]).dir(root()).run()?;
        let mut stage = Stage::set(&target().join("debug"))?;
        let recorded = profile(&mut stage)?;
        let daemon = install(&mut stage)?;
        confined(&mut stage)?;
        let refused = taken_over(&mut stage)?;
        amended(&mut stage, &daemon, recorded, &refused)?;
        drop(daemon);
        stage.tell(
            "That was the whole way: recorded, installed, confined, amended. On a cluster the profile is an object, the pod \
             names it (localhostProfile: operator/hello.json), and the status is the object's: see README.md.",
        )
    }
}

/// Has a profile written, by recording if that can be done here; says whether it was.
fn profile(stage: &mut Stage) -> Result<bool> {
    stage.heading("A program, and a profile of what it does")?;
    stage.file("hello", HELLO)?;
    stage.executable("hello")?;
    stage.show("hello")?;
    let recorded = record(stage)?;
    if !recorded {
        stage.tell("A profile written by hand takes its place: everything is allowed but to make folders.")?;
        stage.file("hello.yaml", BY_HAND)?;
    }
    stage.tell("The profile is an ordinary manifest. Names of system calls that it does not allow are refused:")?;
    stage.show("hello.yaml")?;
    Ok(recorded)
}

/// Records the program, or says why not.
fn record(stage: &mut Stage) -> Result<bool> {
    let btf = std::path::Path::new("/sys/kernel/btf/vmlinux").exists();
    let lacking = match (is_root(), btf) {
        (true, true) => None,
        (false, _) => Some("recording by eBPF needs root"),
        (true, false) => Some("recording by eBPF needs a kernel with BTF, and this one has no /sys/kernel/btf/vmlinux"),
    };
    if let Some(lacking) = lacking {
        stage.tell(&format!("Not recorded: {lacking}."))?;
        return Ok(false);
    }
    stage
        .tell("spoc runs it once and has the kernel note every system call, from the first instruction to the last:")?;
    let ended = stage.spoc(&["record", "--no-base-syscalls", "--output-file", "hello.yaml", "./hello"])?;
    if !ended.success {
        stage.tell("Not recorded: this kernel refused, for the reason above.")?;
    }
    Ok(ended.success)
}

/// Starts the daemon on an empty folder, and puts the profile there.
fn install(stage: &mut Stage) -> Result<Daemon> {
    stage.heading("A node installs it")?;
    stage.tell("spo-node watches a folder, as it would watch a cluster. Its root is a folder of this demo, not your machine's:")?;
    for folder in ["profiles", "status", "node/var/lib/kubelet"] {
        stage.folder(folder)?;
    }
    let mut daemon = Daemon::start(stage)?;
    stage.copy("hello.yaml", "profiles/hello.yaml")?;
    let status = daemon.status(stage, |_| true, PATIENCE)?;
    stage.tell("The profile is there, and the daemon says so once the kernel has taken the filter in a trial run:")?;
    stage.show_text(&status)?;
    stage.shell(&format!("ls -l {INSTALLED}"))?;
    ensure!(status.contains("Installed"), "the daemon did not install the profile; its status is above");
    Ok(daemon)
}

fn confined(stage: &mut Stage) -> Result<()> {
    stage.heading("The program runs confined, and notices nothing")?;
    let ended = stage.spoc(&["run", "--profile", INSTALLED, "./hello"])?;
    ensure!(ended.success, "the program did not run under the profile that was made of it; its output is above");
    Ok(())
}

/// Runs what the profile forbids, and gives back which calls were refused.
fn taken_over(stage: &mut Stage) -> Result<Vec<String>> {
    stage.heading("Somebody takes it over")?;
    stage.tell("The same program, now made to do something that it never did, and that its profile does not allow:")?;
    let ended = stage.spoc(&["run", "--profile", INSTALLED, "sh", "-c", TAKEN_OVER])?;
    let refused = amend::refused(&ended.text);
    ensure!(!ended.success, "the profile forbids mkdir, and yet it was done");
    ensure!(!refused.is_empty(), "a call was refused, and spoc did not name it");
    stage.tell(&format!("Refused, and named: {}. No folder was made:", refused.join(", ")))?;
    stage.shell("ls -d intruder")?;
    Ok(refused)
}

/// Allows what was refused, and runs it again.
fn amended(stage: &mut Stage, daemon: &Daemon, recorded: bool, refused: &[String]) -> Result<()> {
    stage.heading("Or it was meant to do that: amend the profile")?;
    stage.tell("The names go into the manifest; saving it is all there is to do:")?;
    let old = stage.read("profiles/hello.yaml")?;
    let new = if recorded { amend::allowing(&old, refused) } else { amend::not_refusing(&old, refused) };
    let new = new.context("the profile has no list of names to amend")?;
    let before = stage.read(INSTALLED)?;
    stage.file("profiles/hello.yaml", &new)?;
    stage.shell("diff hello.yaml profiles/hello.yaml")?;
    daemon.installed_anew(stage, &before, PATIENCE)?;
    let ended = stage.spoc(&["run", "--profile", INSTALLED, "sh", "-c", TAKEN_OVER])?;
    ensure!(ended.success, "the amended profile still refuses something; the names are above");
    stage.shell("ls -d intruder")
}

/// A command that runs on the stage.
fn on_stage(stage: &Stage, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    // What is recorded and what is run must not differ by the machine's language.
    command.current_dir(stage.dir()).env("LC_ALL", "C").stdin(std::process::Stdio::null());
    command
}
