//! `spoc record`: runs a command, or waits for others to run it, and writes the profile of what it did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use spo_api::labels::COMPLETENESS;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::syscalls;
use spo_recorder::bpf::{Notice, Recorder, Request, SlotId, Waited};
use spo_recorder::draft::{self, Completeness, Draft};
use spo_recorder::{Event, Loss, Observation, base};

use super::args::{Record, RecordType, default_profile};
use super::command::{self, Command};
use super::file::Metadata;
use super::identity::Identity;
use super::output::Output;
use super::running::running;
use super::sys::child::{Child, Ended};
use super::sys::signals::Signals;
use super::wait::{self, Woken};
use super::{log, yaml};

/// Everybody may read a recorded profile: called through sudo, root writes it and the user goes on with it.
const MODE: u32 = 0o644;

/// Records what the arguments say.
pub(super) fn record(args: &Record) -> Result<()> {
    let form = Form::of(args.r#type)?;
    let base = base_syscalls(args)?;
    let file = args.output_file.clone().unwrap_or_else(|| form.default_file());
    let recording =
        if args.no_proc_start { Recording::Others } else { Recording::Command(Command::find(&args.command)?) };
    let name = command::base_name(&args.command)?;
    let output = Output::prepare(&file, MODE)?;

    let seen = match recording {
        Recording::Command(command) => record_command(&command, args)?,
        Recording::Others => record_others(&name)?,
    };
    let (spec, completeness) = draft::seccomp(&seen, &Draft { base: &base, ..Draft::default() });
    completeness.require_known().context("cannot write a profile that would refuse what was recorded")?;
    log::line(format_args!("The recording is {completeness}"));
    output.write(form.text(&name, spec, &completeness)?.as_bytes())?;
    log::line(format_args!("Wrote seccomp profile to: {}", file.display()));
    Ok(())
}

enum Recording {
    Command(Command),
    Others,
}

/// The forms of a seccomp profile that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Manifest,
    Raw,
}

impl Form {
    fn of(asked: RecordType) -> Result<Self> {
        match asked {
            RecordType::Seccomp => Ok(Self::Manifest),
            RecordType::RawSeccomp => Ok(Self::Raw),
            RecordType::Apparmor | RecordType::RawApparmor | RecordType::All => {
                bail!("this version does not record AppArmor profiles yet: use --type seccomp or --type raw-seccomp")
            }
        }
    }

    fn default_file(self) -> PathBuf {
        default_profile(match self {
            Self::Manifest => "yaml",
            Self::Raw => "json",
        })
    }

    /// The text of the profile of a program called `base_name`.
    fn text(self, base_name: &str, spec: SeccompProfileSpec, completeness: &Completeness) -> Result<String> {
        match self {
            Self::Manifest => {
                let name = yaml::object_name(base_name)?;
                if name.as_str() != base_name {
                    log::line(format_args!("No object can be called {base_name:?}; the profile is called {name}"));
                }
                let how_complete = serde_json::to_string(completeness)?;
                let annotations = BTreeMap::from([(COMPLETENESS.to_owned(), how_complete)]);
                yaml::manifest(&name, &Metadata { annotations, ..Metadata::default() }, &spec)
            }
            Self::Raw => Ok(serde_json::to_string_pretty(&spec)?),
        }
    }
}

/// The names to add to what is recorded.
fn base_syscalls(args: &Record) -> Result<Vec<&str>> {
    if args.no_base_syscalls {
        return Ok(Vec::new());
    }
    if args.base_syscalls.is_empty() {
        // The list is that of x86-64; another machine's own table has fewer names.
        return Ok(base::BASE_SYSCALLS.iter().copied().filter(|name| syscalls::is_known(name)).collect());
    }
    let names: Vec<&str> = args.base_syscalls.iter().map(|name| name.trim()).collect();
    if let Some(unknown) = names.iter().find(|name| !syscalls::is_known(name)) {
        bail!(
            "--base-syscalls: {unknown:?} is no system call of any architecture; names are written as in man 2 syscalls"
        );
    }
    Ok(names)
}

/// Runs `command` and records its whole process tree.
fn record_command(command: &Command, args: &Record) -> Result<Observation> {
    let identity = if args.privileged { None } else { Identity::of_sudo()? };
    let signals = Signals::take()?;
    let mut recorder = Recorder::start(&Request::tree()).context("cannot record")?;
    let mut child = Child::hold(command, identity.as_ref(), None, &signals)?;
    let slot = recorder.follow(child.pid()).context("cannot record")?;
    log::line(format_args!("Running command with PID: {}", child.pid()));
    child.release()?;

    match wait::for_child(&child, &signals)? {
        Ended::NotStarted(stage, error) => return Err(wait::not_started(command, stage, error)),
        Ended::Command(status) if status.exit_status() == Some(0) => {}
        Ended::Command(status) => log::line(format_args!("The command failed: {}", wait::describe(&status))),
    }
    log::line("Waiting for events processor to catch up...");
    wait_for_tree(&mut recorder, slot, &signals, args.wait)?;
    recorder.take(slot).context("cannot read what was recorded")
}

/// Waits for what the command left behind, for at most `time`, or until Ctrl-C.
fn wait_for_tree(recorder: &mut Recorder, slot: SlotId, signals: &Signals, time: Duration) -> Result<()> {
    let deadline = wait::deadline(time);
    let mut told = false;
    loop {
        let tasks = match recorder.wait_tree(slot, Some(Instant::now()))? {
            Waited::Ended => return Ok(()),
            Waited::Deadline { tasks } => tasks,
            Waited::Interrupted => continue,
        };
        if !told {
            log::line(format_args!(
                "The command left {tasks} running; waiting up to {} s for them (--wait), Ctrl-C ends it",
                time.as_secs_f32()
            ));
            told = true;
        }
        let woken = wait::for_any(&[&*recorder, signals], Some(deadline))?;
        if woken == Woken::Deadline || signals.next()?.is_some() {
            log::line(format_args!(
                "Stopped waiting: {tasks} still running; what they do from now on is not in the profile"
            ));
            return Ok(());
        }
    }
}

/// Records each program of this file name that is started until Ctrl-C.
fn record_others(name: &str) -> Result<Observation> {
    let signals = Signals::take()?;
    let mut recorder = Recorder::start(&Request::executable()).context("cannot record")?;
    let slot = recorder.follow_executable(name.as_ref()).context("cannot record")?;
    let late = running(name.as_ref(), Path::new("/proc"));
    say_what_is_missed(name, &late);
    log::line("Waiting for CTRL+C / SIGINT...");
    while signals.next()?.is_none() {
        wait::for_any(&[&recorder, &signals], None)?;
        while let Some(notice) = recorder.next(Some(Instant::now()))? {
            if let Notice::Exited { pid, .. } = notice {
                log::line(format_args!("record pid exit: {pid}."));
            }
        }
    }
    let mut seen = recorder.take(slot).context("cannot read what was recorded")?;
    if seen.syscalls.is_empty() {
        bail!("nothing was recorded, so no profile is written: no {name} was started meanwhile");
    }
    seen.add(&Event::Lost { what: Loss::LateStarts, count: late.len() as u64 });
    Ok(seen)
}

fn say_what_is_missed(name: &str, late: &[u32]) {
    const MAX_NAMED: usize = 10;
    if late.is_empty() {
        return;
    }
    let named = late.iter().take(MAX_NAMED).map(u32::to_string).collect::<Vec<_>>().join(", ");
    let more = if late.len() > MAX_NAMED { ", …" } else { "" };
    log::line(format_args!(
        "{name} runs already (pid {named}{more}), which is not recorded: start it anew to have all of it in the profile"
    ));
}
