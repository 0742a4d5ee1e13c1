//! Waiting for a child, for signals, and for what watches it: one `poll`, no thread.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::WaitIdStatus;

use super::command::Command;
use super::sys::child::{Child, Ended};
use super::sys::shared::Stage;
use super::sys::signals::Signals;

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something is ready.
    Ready,
    /// The time is over.
    Deadline,
}

/// The moment when `time` is over. A time that the clock cannot tell is as good as for ever.
pub(super) fn deadline(time: Duration) -> Instant {
    const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + FOR_EVER)
}

/// Waits until one of `sources` is readable.
pub(super) fn for_any(sources: &[&dyn AsFd], deadline: Option<Instant>) -> io::Result<Woken> {
    let mut polled: Vec<PollFd<'_>> =
        sources.iter().map(|source| PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN)).collect();
    poll_until(&mut polled, deadline)
}

/// `poll` with a deadline; what a signal interrupts is ready, and finds nothing.
pub(super) fn poll_until(polled: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<Woken> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let timeout = left.map(|left| Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }));
    match poll(polled, timeout.as_ref()) {
        Ok(0) => Ok(Woken::Deadline),
        Ok(_) | Err(Errno::INTR) => Ok(Woken::Ready),
        Err(error) => Err(error.into()),
    }
}

/// Waits until `child` ended, and passes signals on to it.
pub(super) fn for_child(child: &Child, signals: &Signals) -> io::Result<Ended> {
    loop {
        for_any(&[child, signals], None)?;
        pass_on(signals, child)?;
        if let Some(ended) = child.ended()? {
            return Ok(ended);
        }
    }
}

/// Passes on what arrived, unless a key of the terminal sent it: then the child has it already.
pub(super) fn pass_on(signals: &Signals, child: &Child) -> io::Result<()> {
    while let Some(arrived) = signals.next()? {
        if !arrived.from_terminal {
            child.signal(arrived.signal)?;
        }
    }
    Ok(())
}

/// The error of a command that was never started.
pub(super) fn not_started(command: &Command, stage: Stage, error: io::Error) -> Error {
    let what = match stage {
        Stage::Identity => "cannot drop to the user who called sudo".to_owned(),
        Stage::Filter => "cannot load the filter of the profile".to_owned(),
        Stage::Exec => format!("cannot start {}", command.program.display()),
    };
    Error::new(error).context(what)
}

/// How a command ended, in words.
pub(super) fn describe(status: &WaitIdStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => format!("exit status {status}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_clock_can_tell_has_an_end_all_the_same() {
        let longest = Duration::try_from_secs_f64(1e19).unwrap();
        assert!(deadline(longest) > Instant::now() + Duration::from_secs(365 * 24 * 60 * 60));
        assert!(deadline(Duration::ZERO) <= Instant::now());
    }
}
