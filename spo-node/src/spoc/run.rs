//! `spoc run`: runs a command under the filter of a profile, and names each call that the filter refuses.
//!
//! The kernel tells nobody of a call that it refuses with an error; an audit record is written for few actions, and few users may
//! read it. So the filter that is loaded is the profile's with each refusal turned into a question to a listener
//! (seccomp_unotify(2)), which is this program: it evaluates the profile again for the call at hand, names the call, and answers
//! what the profile says. That covers every process below the command, needs no privilege, and asks nothing of the machine's
//! audit. What it costs: a call is refused some microseconds later, a process that the profile kills ends by SIGKILL instead of
//! SIGSYS (and whole, also where only the thread was meant), and one that catches SIGSYS itself finds no details in it.
//!
//! Where the kernel gives no listener (before 5.9, or because there is one above this program already) the filter is loaded as
//! the profile says, and nothing is named.

use std::path::Path;

use answer::Answers;
use anyhow::{Context, Result, bail};
use refusals::Refusals;
use spo_api::syscalls::Abi;
use watch::Watch;

use super::args::{Run, RunType, default_profile};
use super::command::Command;
use super::file::{Form, ProfileFile};
use super::filter::Filter;
use super::identity::Identity;
use super::sys::child::{Child, Ended, Loaded};
use super::sys::listener::Listener;
use super::sys::signals::Signals;
use super::{log, wait};

mod answer;
mod process;
mod refusals;
mod watch;

/// Runs what the arguments say.
pub(super) fn run(args: &Run) -> Result<()> {
    match args.r#type {
        RunType::Seccomp => {}
    }
    let path = args.profile.clone().unwrap_or_else(|| default_profile("yaml"));
    let file = ProfileFile::read_seccomp(&path)?;
    let filter = Filter::new(&file.profile).with_context(|| format!("profile {}", path.display()))?;
    let command = Command::find(&args.command)?;
    let identity = Identity::of_sudo()?;
    let signals = Signals::take()?;

    let mut child = Child::hold(&command, identity.as_ref(), Some(&filter), &signals)?;
    log::line(format_args!("Running command with PID: {}", child.pid()));
    child.release()?;
    let listener = match child.loaded()? {
        Loaded::Asking(listener) => Some(Listener::new(listener)),
        Loaded::Silent => {
            log::line(filter.why_silent());
            None
        }
        Loaded::Never => None,
    };
    let mut watch = Watch {
        answers: Answers::new(&file.profile, Abi::native()),
        child: &child,
        signals: &signals,
        listener,
        refusals: Refusals::default(),
        start_refused: false,
    };
    let ended = watch.until_the_end(args.wait)?;
    summarise(&watch.refusals, file.form, &path);
    judge(ended, watch.start_refused, &command, &path)
}

/// Says what was refused altogether, and how to amend the profile.
fn summarise(refusals: &Refusals, form: Form, path: &Path) {
    if refusals.is_empty() {
        return;
    }
    log::line(format_args!("Not permitted by {}: {}", path.display(), refusals.summary()));
    let amendments = refusals.amendments(form);
    if !amendments.is_empty() {
        log::line("To permit it, record again, or:");
    }
    for amendment in amendments {
        log::plain(amendment);
    }
}

/// A command that failed is an error, as in the reference.
fn judge(ended: Ended, start_refused: bool, command: &Command, path: &Path) -> Result<()> {
    match ended {
        _ if start_refused => {
            bail!(
                "cannot start {}: profile {} does not permit execve, without which no command starts; add it",
                command.program.display(),
                path.display()
            )
        }
        Ended::NotStarted(stage, error) => Err(wait::not_started(command, stage, error)),
        Ended::Command(status) if status.exit_status() == Some(0) => Ok(()),
        Ended::Command(status) => bail!("wait for command: {}", wait::describe(&status)),
    }
}
