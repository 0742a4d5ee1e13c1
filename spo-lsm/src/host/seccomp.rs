//! Seccomp on this host: the folder of its profiles, and loading filters.
//!
//! A profile counts as installed once its filter was loaded by this kernel in a throw-away process, and its file was read back.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use spo_api::Module;
use spo_api::seccomp::Flag;
use spo_api::syscalls::Abi;

use super::folder::{Folder, Staged};
use super::prove::{proof, prove};
use super::{Change, Host, HostError, Installed, Outcome, Step, Unsupported, sys};
use crate::seccomp::{Profile, Program, compile};
use crate::{Artifact, Checked, Digest};

/// So many filters are remembered as proven; a node has a few hundred profiles.
const MAX_PROVEN: usize = 4096;

/// The seccomp profiles of a host.
#[derive(Debug)]
pub struct SeccompHost {
    root: PathBuf,
    folder: PathBuf,
    /// Filters that this kernel loaded since this process started.
    proven: HashSet<Digest>,
    swept: bool,
}

impl SeccompHost {
    /// The host whose files are below `root`, `/` for this one, with its profiles in `folder`, which is
    /// `<kubelet folder>/seccomp/operator`.
    pub fn new(root: &Path, folder: &Path) -> Self {
        Self { root: root.to_owned(), folder: folder.to_owned(), proven: HashSet::new(), swept: false }
    }

    fn prove(&mut self, profile: &Profile) -> Result<(), HostError> {
        let program = compile(profile, Abi::native()).map_err(HostError::Compile)?;
        let proof = proof(profile, &program);
        if self.proven.contains(&proof) {
            return Ok(());
        }
        prove(profile, &program)?;
        if self.proven.len() >= MAX_PROVEN {
            self.proven.clear();
        }
        self.proven.insert(proof);
        Ok(())
    }

    /// The folder, made where something is to be written, with what crashed installs left swept away.
    fn folder(&mut self, make: bool) -> Result<Option<Folder>, HostError> {
        let folder = if make {
            Some(Folder::open_or_make(&self.root, &self.folder)?)
        } else {
            Folder::open(&self.root, &self.folder)?
        };
        if let Some(folder) = &folder
            && !self.swept
        {
            folder.sweep()?;
            self.swept = true;
        }
        Ok(folder)
    }
}

impl Host for SeccompHost {
    fn module(&self) -> Module {
        Module::Seccomp
    }

    fn support(&self) -> Result<(), Unsupported> {
        support()
    }

    fn installed(&mut self) -> Result<Installed, HostError> {
        Folder::open(&self.root, &self.folder)?.map_or_else(|| Ok(Installed::default()), |folder| folder.installed())
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        if steps.is_empty() {
            return Vec::new();
        }
        let make = steps.iter().any(|step| matches!(step, Step::Install { .. }) && ours(step).is_ok());
        let results = match self.folder(make) {
            Ok(Some(folder)) => Batch::new(self, &folder).run(steps),
            Ok(None) => steps.iter().map(|step| ours(step).map(|()| Change::Absent)).collect(),
            Err(error) => vec![Err(error); steps.len()],
        };
        steps.iter().zip(results).map(|(step, result)| Outcome { key: step.key().clone(), result }).collect()
    }
}

/// Steps that are carried out together, so that the disk is waited for once and not a thousand times.
struct Batch<'a> {
    host: &'a mut SeccompHost,
    folder: &'a Folder,
    /// Files that wait for their names, with the places of their results.
    staged: Vec<(usize, Staged)>,
    results: Vec<Result<Change, HostError>>,
}

impl<'a> Batch<'a> {
    fn new(host: &'a mut SeccompHost, folder: &'a Folder) -> Self {
        Self { host, folder, staged: Vec::new(), results: Vec::new() }
    }

    fn run(mut self, steps: &[Step]) -> Vec<Result<Change, HostError>> {
        for step in steps {
            let result = ours(step).and_then(|()| match step {
                Step::Install { checked, artifact, .. } => self.install(checked, artifact),
                Step::Remove { file_name, .. } => self.remove(file_name),
            });
            self.results.push(result);
        }
        self.commit();
        let changed = |result: &Result<Change, HostError>| matches!(result, Ok(Change::Written | Change::Removed));
        if self.results.iter().any(changed)
            && let Err(error) = self.folder.sync()
        {
            self.results.iter_mut().filter(|result| changed(result)).for_each(|result| *result = Err(error.clone()));
        }
        self.results
    }

    fn install(&mut self, checked: &Checked, artifact: &Artifact) -> Result<Change, HostError> {
        let crate::Profile::Seccomp(profile) = checked.profile() else {
            return Err(HostError::other_module(Module::Seccomp, checked.profile().kind()));
        };
        self.host.prove(profile)?;
        self.settle(&artifact.file_name);
        let Some(staged) = self.folder.stage(&artifact.file_name, &artifact.bytes)? else {
            return Ok(Change::Unchanged);
        };
        self.staged.push((self.results.len(), staged));
        Ok(Change::Written)
    }

    fn remove(&mut self, file_name: &str) -> Result<Change, HostError> {
        self.settle(file_name);
        self.folder.remove(file_name)
    }

    /// Ends what is under way for a file before something else happens to it, and keeps few files open.
    fn settle(&mut self, file_name: &str) {
        const MAX_STAGED: usize = 128;
        if self.staged.len() >= MAX_STAGED || self.staged.iter().any(|(_, staged)| staged.name() == file_name) {
            self.commit();
        }
    }

    fn commit(&mut self) {
        for (place, staged) in self.staged.drain(..) {
            self.results[place] = self.folder.commit(staged);
        }
    }
}

/// Whether a step is about a profile of seccomp.
fn ours(step: &Step) -> Result<(), HostError> {
    HostError::unless_of(Module::Seccomp, step)
}

/// Whether this kernel has seccomp filters (`spec/node.md` 3.1).
fn support() -> Result<(), Unsupported> {
    supported(sys::set_seccomp_filter_to_nothing())
}

/// What an answer to the question for a filter says. Without a filter the kernel that has them says EFAULT; what else stands in the
/// way shows when a filter is loaded.
fn supported(answer: Errno) -> Result<(), Unsupported> {
    match answer {
        Errno::INVAL => Err(Unsupported {
            reason: "this kernel has no seccomp filters".to_owned(),
            next_step: "use a kernel with CONFIG_SECCOMP_FILTER".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// How [`load`] is to load a filter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load<'a> {
    /// The flags of the profile.
    pub flags: &'a [Flag],
    /// Whether to make and give back the descriptor on which calls with [`Effect::Notify`](crate::seccomp::Effect::Notify) are announced.
    pub listener: bool,
    /// Whether to set `no_new_privs` first, which a process without CAP_SYS_ADMIN needs.
    pub no_new_privs: bool,
}

/// Why a filter was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// `no_new_privs` could not be set.
    #[error("cannot set no_new_privs")]
    NoNewPrivs(#[source] Errno),
    /// The kernel did not take the filter.
    #[error(
        "the kernel did not load the filter (seccomp flags {flags:#x}); without no_new_privs it needs CAP_SYS_ADMIN"
    )]
    Refused {
        /// `SECCOMP_FILTER_FLAG_*`.
        flags: u32,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
    /// A thread of this process has another filter, so that not all could get this one.
    #[error("thread {thread} has another filter, so that not all threads could get this one")]
    Threads {
        /// Its id.
        thread: u32,
    },
}

/// Loads a filter for the calling thread, or for the whole process with [`Flag::Tsync`]. It cannot be unloaded.
///
/// Safe to call between fork and exec: it allocates nothing and takes no lock.
///
/// # Errors
/// See [`LoadError`].
pub fn load(program: &Program, how: &Load<'_>) -> Result<Option<OwnedFd>, LoadError> {
    if how.no_new_privs {
        rustix::thread::set_no_new_privs(true).map_err(LoadError::NoNewPrivs)?;
    }
    let flags = bits(how.flags, how.listener);
    match sys::seccomp(flags, program.instructions()) {
        Ok(descriptor) if how.listener => Ok(Some(sys::own(descriptor))),
        Ok(0) => Ok(None),
        Ok(thread) => Err(LoadError::Threads { thread }),
        Err(errno) => Err(LoadError::Refused { flags, errno }),
    }
}

/// `SECCOMP_FILTER_FLAG_*` of the kernel's `linux/seccomp.h`.
pub(super) fn bits(flags: &[Flag], listener: bool) -> u32 {
    const NEW_LISTENER: u32 = 1 << 3;
    const TSYNC_ESRCH: u32 = 1 << 4;
    let bit = |flag: &Flag| match flag {
        // With a listener the result is a descriptor, so that a thread in the way is told by an error instead.
        Flag::Tsync if listener => 1 | TSYNC_ESRCH,
        Flag::Tsync => 1,
        Flag::Log => 1 << 1,
        Flag::SpecAllow => 1 << 2,
        // Only a listener makes calls wait.
        Flag::WaitKillableRecv if listener => 1 << 5,
        Flag::WaitKillableRecv => 0,
    };
    flags.iter().map(bit).fold(if listener { NEW_LISTENER } else { 0 }, |bits, bit| bits | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w_nd_4_only_a_kernel_that_knows_no_filters_is_without_them() {
        let without = supported(Errno::INVAL).unwrap_err();
        assert!(without.to_string().contains("CONFIG_SECCOMP_FILTER"), "{without}");
        for answer in [Errno::FAULT, Errno::ACCESS, Errno::PERM] {
            assert_eq!(supported(answer), Ok(()));
        }
    }

    #[test]
    fn w_nd_4_what_is_said_of_this_kernel_is_what_it_says_of_itself() {
        let has = std::path::Path::new("/proc/sys/kernel/seccomp/actions_avail").exists();
        assert_eq!(support().is_ok(), has);
    }
}
