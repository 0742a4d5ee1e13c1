//! Watching the command: answers the calls that its filter stops, names them, and waits for the end.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{PidfdFlags, Signal};
use spo_api::syscalls::Abi;

use super::answer::{Answer, Answers};
use super::process::Process;
use super::refusals::{Refusals, Refused, Worth};
use crate::spoc::log;
use crate::spoc::sys::child::{Child, Ended};
use crate::spoc::sys::listener::{Listener, Waiting};
use crate::spoc::sys::signals::{Signals, trap};
use crate::spoc::wait::{self, Woken};

/// What is watched, and what was seen.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) answers: Answers<'a>,
    pub(super) child: &'a Child,
    pub(super) signals: &'a Signals,
    /// `None` where the kernel gives none, or once nobody is left under the filter.
    pub(super) listener: Option<Listener>,
    pub(super) refusals: Refusals,
    /// Whether the command was refused its own `execve`.
    pub(super) start_refused: bool,
}

impl Watch<'_> {
    /// Watches until the command has ended and nobody is left under the filter, or `time` has passed since, or Ctrl-C.
    pub(super) fn until_the_end(&mut self, time: Duration) -> Result<Ended> {
        let ended = self.until_the_command_ended()?;
        let deadline = wait::deadline(time);
        while self.listener.is_some() {
            let woken = self.step(Some(deadline))?;
            if woken == Woken::Deadline || self.signals.next()?.is_some() {
                log::line(
                    "Processes that the command left behind still run, and stay confined; calls that the profile refuses or \
                    logs fail with ENOSYS from now on and are not named (--wait)",
                );
                break;
            }
        }
        Ok(ended)
    }

    fn until_the_command_ended(&mut self) -> Result<Ended> {
        loop {
            self.step(None)?;
            wait::pass_on(self.signals, self.child)?;
            if let Some(ended) = self.child.ended()? {
                return Ok(ended);
            }
        }
    }

    /// Waits for one thing to happen, and answers a call if it is that.
    fn step(&mut self, deadline: Option<Instant>) -> Result<Woken> {
        let Some(listener) = &self.listener else {
            return Ok(wait::for_any(&[self.child, self.signals], deadline)?);
        };
        let mut polled = vec![
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        if deadline.is_none() {
            polled.push(PollFd::from_borrowed_fd(self.child.as_fd(), PollFlags::IN));
        }
        let woken = wait::poll_until(&mut polled, deadline)?;
        let happened = polled[0].revents();
        if happened.contains(PollFlags::IN) {
            self.answer_next().context("cannot answer for the filter")?;
        } else if happened.contains(PollFlags::HUP) {
            self.listener = None;
        }
        Ok(woken)
    }

    fn answer_next(&mut self) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let Some(waiting) = listener.take()? else { return Ok(()) };
        let abi = Abi::from_audit(waiting.audit_arch, waiting.number);
        let (answer, decider) = self.answers.to(abi, waiting.number, waiting.args);
        let refused = Refused { abi, number: waiting.number, answer, decider };
        if !answer.is_signal() && self.refusals.is_again(refused, waiting.tid) {
            return listener.answer(&waiting, answer.reply());
        }
        let process = Process::of_thread(waiting.tid);
        if !listener.waits(&waiting) {
            return Ok(());
        }
        match answer {
            Answer::Log | Answer::Refuse { .. } => {}
            Answer::Trap => trap(process.pid, waiting.tid)?,
            Answer::Kill => kill(listener, &waiting, &process)?,
        }
        listener.answer(&waiting, answer.reply())?;

        let start = self.child.is_start(waiting.tid, waiting.args[0]);
        self.start_refused |= start && answer != Answer::Log;
        self.tell(refused, process);
        Ok(())
    }

    fn tell(&mut self, refused: Refused, process: Process) {
        let worth = self.refusals.add(refused, process.clone());
        if worth == Worth::Nothing {
            return;
        }
        let style = anstyle::AnsiColor::Yellow.on_default();
        log::facts(
            format_args!("{style}{}{style:#}", refused.text()),
            &[("pid", process.pid.to_string()), ("name", process.name), ("answer", refused.answer.to_string())],
        );
        if worth == Worth::TellingLast {
            log::line("So much is not permitted that the rest is only counted");
        }
    }
}

/// Kills the whole process: one thread of it cannot be killed from outside.
fn kill(listener: &Listener, waiting: &Waiting, process: &Process) -> io::Result<()> {
    let Some(pid) = rustix::process::Pid::from_raw(process.pid) else { return Ok(()) };
    let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // Only a thread that still waits proves that the descriptor is of its process, and not of a later one with that id.
    if !listener.waits(waiting) {
        return Ok(());
    }
    match rustix::process::pidfd_send_signal(&pidfd, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
