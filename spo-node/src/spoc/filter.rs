//! The filter of a profile, and loading it: the last act of the child before it becomes the command.

use std::os::fd::{IntoRawFd, RawFd};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use spo_api::seccomp::Flag;
use spo_api::syscalls::Abi;
use spo_lsm::host::seccomp::{Load, LoadError, load};
use spo_lsm::seccomp::{Profile, Program, compile, compile_notifying};

/// The filter of a profile, ready to be loaded.
#[derive(Debug)]
pub(super) struct Filter {
    /// As the profile says.
    plain: Program,
    /// With each call that is not simply allowed turned into a question; `None` where the kernel is too old for that.
    asking: Option<Program>,
    /// The flags of the profile, without that for several threads: the child has one.
    flags: Vec<Flag>,
    /// The same, and that a thread which waits for an answer can be interrupted by its death only: a program with many signals
    /// does not ask again and again then. Linux 5.19.
    flags_of_asking: Vec<Flag>,
}

impl Filter {
    /// The filter of `profile` on this machine.
    pub(super) fn new(profile: &Profile) -> Result<Self> {
        if profile.notifies() {
            bail!(
                "SCMP_ACT_NOTIFY is not supported by spoc run, which is itself what a filter asks; use SCMP_ACT_ERRNO to try it"
            );
        }
        let native = Abi::native();
        let plain = compile(profile, native).context("it makes no filter")?;
        let asking =
            has_listeners().then(|| compile_notifying(profile, native)).transpose().context("it makes no filter")?;
        let flags: Vec<Flag> = profile.flags().iter().copied().filter(|flag| *flag != Flag::Tsync).collect();
        let flags_of_asking = flags.iter().copied().chain([Flag::WaitKillableRecv]).collect();
        Ok(Self { plain, asking, flags, flags_of_asking })
    }

    /// Why a filter that was loaded has no listener.
    pub(super) fn why_silent(&self) -> &'static str {
        match self.asking {
            None => {
                "Refused calls cannot be named: that needs Linux 5.9. Those that the kernel logs are in its audit records"
            }
            Some(_) => {
                "Refused calls cannot be named: this program is itself below a seccomp listener, and there can be one only. Those \
                that the kernel logs are in its audit records"
            }
        }
    }

    /// Loads it into this thread, for good, and gives back its listener. `kept` says that the thread gave up root and kept its
    /// capabilities for this.
    ///
    /// Runs between fork and `execve`, so it makes system calls and nothing else. A thread that may not load filters gives up the
    /// means to gain privileges, and then may.
    pub(super) fn load(&self, kept: bool) -> Result<Option<RawFd>, Errno> {
        if kept {
            raise_sys_admin()?;
        }
        match self.load_best(false) {
            Err(Errno::ACCESS) => self.load_best(true),
            result => result,
        }
    }

    /// Loads it with a listener, if there can be one.
    fn load_best(&self, no_new_privs: bool) -> Result<Option<RawFd>, Errno> {
        let Some(asking) = &self.asking else { return self.load_plain(no_new_privs) };
        let with = |flags| load_one(asking, &Load { flags, listener: true, no_new_privs });
        let loaded = match with(&self.flags_of_asking) {
            Err(Errno::INVAL) => with(&self.flags),
            result => result,
        };
        match loaded {
            Err(Errno::BUSY) => self.load_plain(no_new_privs),
            result => result,
        }
    }

    fn load_plain(&self, no_new_privs: bool) -> Result<Option<RawFd>, Errno> {
        load_one(&self.plain, &Load { flags: &self.flags, listener: false, no_new_privs })
    }
}

fn load_one(program: &Program, how: &Load<'_>) -> Result<Option<RawFd>, Errno> {
    match load(program, how) {
        Ok(listener) => Ok(listener.map(IntoRawFd::into_raw_fd)),
        Err(LoadError::NoNewPrivs(errno) | LoadError::Refused { errno, .. }) => Err(errno),
        // Only for a filter of several threads, which this is not.
        Err(LoadError::Threads { .. }) => Err(Errno::SRCH),
    }
}

/// Makes CAP_SYS_ADMIN effective, if the thread kept it when it gave up root: then the command is not barred from gaining
/// privileges by set-user-ID programs, as under the reference. `execve` takes it away.
fn raise_sys_admin() -> Result<(), Errno> {
    let mut sets = rustix::thread::capabilities(None)?;
    if !sets.permitted.contains(CapabilitySet::SYS_ADMIN) {
        return Ok(());
    }
    sets.effective |= CapabilitySet::SYS_ADMIN;
    rustix::thread::set_capabilities(None, sets)
}

/// Whether a listener can do all that is asked of it here: let a call continue (5.5), and learn that nobody is left (5.9).
fn has_listeners() -> bool {
    let names = rustix::system::uname();
    names.release().to_str().is_ok_and(|release| at_least(release, (5, 9)))
}

fn at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) >= wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        for (release, expected) in [
            ("6.1.0-18-amd64", true),
            ("5.9.0", true),
            ("5.10.1-rc1", true),
            ("5.8.18", false),
            ("4.19", false),
            ("x", false),
        ] {
            assert_eq!(at_least(release, (5, 9)), expected, "{release}");
        }
    }
}
