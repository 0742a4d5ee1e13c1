//! SELinux on this host: the modules of its policy store, and the policy that its kernel enforces.
//!
//! The host's own `semodule` changes the store, so that its version and its store fit. All that is pending goes into one call: one
//! rebuild of the policy, one load. A profile counts as installed once its module is in the store, nothing stands above it, and the
//! kernel knows its type.
//!
//! # Priorities
//!
//! `semodule` keeps modules of one name beside each other, and makes the policy of the one with the highest priority. Ours have
//! [`PRIORITY`], which nobody else uses: below the 400 of an administrator, whose module of the same name is never covered, and above the
//! 350 of selinuxd. A module of the name of a profile that somebody else installed, at whatever priority, is left alone, and the profile is
//! an error. What the reference's operator left at 350 or 400 is recognised by how it is written, and goes in the transaction that
//! installs ours.
//!
//! ```no_run
//! use spo_api::selinux::v1::SelinuxProfileSpec;
//! use spo_lsm::host::{Host, SelinuxHost, Step};
//! use spo_lsm::{Policy, check, parse, render};
//!
//! let spec: SelinuxProfileSpec = serde_json::from_str(r#"{"allow": {"var_log_t": {"file": ["read", "open"]}}}"#)?;
//! let profile = parse("web".parse()?, &spec).map_err(|violations| violations[0].to_string())?;
//! let checked = check(&profile, &Policy::default()).map_err(|violations| violations[0].to_string())?;
//! let mut host = SelinuxHost::new();
//! host.support()?;
//! for outcome in host.apply(&[Step::Install { artifact: render(&checked), checked }]) {
//!     println!("{}: {:?}", outcome.key, outcome.result?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use spo_api::Module;

use super::{Change, Content, Host, HostError, Installed, Outcome, Step, Unsupported};
use crate::Digest;
use kernel::Kernel;
use memory::Memory;
use mend::mend;
use pass::Pass;
use scratch::Scratch;
use semodule::{Semodule, Unlisted};
use store::Store;

mod judge;
mod kernel;
mod memory;
mod mend;
mod origin;
mod pass;
mod said;
mod scratch;
mod semodule;
mod settle;
mod store;
mod templates;
mod transaction;

#[doc(hidden)]
pub mod fuzz;

/// The priority of our modules.
pub const PRIORITY: u16 = 370;
/// The program that changes the store.
const SEMODULE: &str = "semodule";

/// The SELinux profiles of this host. It runs in the mount namespace of the host.
#[derive(Debug)]
pub struct SelinuxHost {
    kernel: Kernel,
    /// Where files may be for a while.
    runtime: PathBuf,
    semodule: Option<Semodule>,
    /// What this process installed, for tools that do not tell what is in the store.
    written: BTreeMap<String, Digest>,
    memory: Memory,
}

impl Default for SelinuxHost {
    fn default() -> Self {
        Self::new()
    }
}

impl SelinuxHost {
    /// This host.
    pub fn new() -> Self {
        Self {
            kernel: Kernel::new(Path::new("/")),
            runtime: "/run".into(),
            semodule: None,
            written: BTreeMap::new(),
            memory: Memory::default(),
        }
    }

    /// Whether the kernel refuses what its policy does not allow. A host that only logs it keeps no profile from doing anything.
    pub fn is_enforcing(&self) -> bool {
        self.kernel.is_enforcing()
    }

    /// The folder in which a file appears whenever a policy was built, by us or by others: reason to ask for what is installed.
    pub fn changes_in(&self) -> Option<PathBuf> {
        let configuration = std::fs::read_to_string("/etc/selinux/config").ok()?;
        let kind = configuration.lines().find_map(|line| line.trim().strip_prefix("SELINUXTYPE="))?.trim();
        Some(Path::new("/etc/selinux").join(kind).join("policy"))
    }

    fn semodule(&mut self) -> Result<&mut Semodule, HostError> {
        self.kernel.support().map_err(HostError::Unsupported)?;
        if self.semodule.is_none() {
            self.semodule = Some(Semodule::find()?);
        }
        self.semodule.as_mut().ok_or(HostError::NoTool { tool: SEMODULE, searched: String::new() })
    }

    /// All modules of the store. One of ours that is damaged so that nothing can be listed is mended.
    fn list(&mut self) -> Result<Store, HostError> {
        let runtime = self.runtime.clone();
        let semodule = self.semodule()?;
        match semodule.list() {
            Err(Unlisted::Damaged { priority, name, .. }) => {
                mend(semodule, &Scratch::new(&runtime)?, priority, &name)?;
                semodule.list().map_err(Unlisted::into_error)
            }
            listed => listed.map_err(Unlisted::into_error),
        }
    }

    /// What is installed of a module of ours.
    fn content(&self, module: &store::Module, store: &Store) -> Result<Content, HostError> {
        let Some(digest) = module.digest.or_else(|| self.written.get(&module.name).copied()) else {
            return Ok(Content::Stale);
        };
        let is_live = store.is_in_force(module)
            && (self.kernel.has_type(&type_of(&module.name))? || self.has_no_type(&module.name)?);
        Ok(if is_live { Content::Profile(digest) } else { Content::Stale })
    }

    /// Whether a module of ours has no type for containers, so that none is missing.
    fn has_no_type(&self, name: &str) -> Result<bool, HostError> {
        let Some(semodule) = &self.semodule else { return Ok(false) };
        let scratch = Scratch::new(&self.runtime)?;
        Ok(!origin::brings_process(&semodule.text(PRIORITY, name, &scratch)?))
    }
}

impl Host for SelinuxHost {
    fn module(&self) -> Module {
        Module::Selinux
    }

    fn support(&self) -> Result<(), Unsupported> {
        self.kernel.support()?;
        Semodule::find().map(|_| ()).map_err(|error| Unsupported {
            reason: error.to_string(),
            next_step: "it is part of policycoreutils".to_owned(),
        })
    }

    fn installed(&mut self) -> Result<Installed, HostError> {
        let store = self.list()?;
        let mut installed = Installed::default();
        for module in store.of_priority(PRIORITY) {
            installed.files.insert(format!("{}.cil", module.name), self.content(module, &store)?);
        }
        Ok(installed)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let mut results = Vec::new();
        for batch in batches(steps) {
            results.extend(self.batch(batch));
        }
        steps.iter().zip(results).map(|(step, result)| Outcome { key: step.key().clone(), result }).collect()
    }
}

impl SelinuxHost {
    fn batch(&mut self, steps: &[Step]) -> Vec<Result<Change, HostError>> {
        let store = self.list();
        let scratch = Scratch::new(&self.runtime);
        match store.and_then(|store| Ok((store, scratch?, self.semodule()?.clone()))) {
            Ok((store, scratch, semodule)) => Pass { host: self, store, scratch, semodule }.run(steps),
            Err(error) => {
                steps.iter().map(|step| HostError::unless_of(Module::Selinux, step).and(Err(error.clone()))).collect()
            }
        }
    }
}

/// Steps in parts that name each file once, so that a part can be one transaction. There is hardly ever more than one.
fn batches(steps: &[Step]) -> Vec<&[Step]> {
    let mut batches = Vec::new();
    let (mut begin, mut seen) = (0, BTreeSet::new());
    for (place, step) in steps.iter().enumerate() {
        if !seen.insert(step.file_name()) {
            batches.push(&steps[begin..place]);
            (begin, seen) = (place, BTreeSet::from([step.file_name()]));
        }
    }
    batches.push(&steps[begin..]);
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// The type that containers run with under a profile.
fn type_of(name: &str) -> String {
    format!("{name}.process")
}

#[cfg(test)]
mod tests {
    use spo_api::{ProfileKey, ProfileKind};

    use super::*;

    fn removal(kind: ProfileKind, name: &str) -> Step {
        let key = ProfileKey { kind, name: name.parse().unwrap() };
        Step::Remove { key, file_name: format!("{name}.cil") }
    }

    #[test]
    fn w_nd_4_on_a_host_without_selinux_each_step_says_so() {
        let root = tempfile::tempdir().unwrap();
        let mut host = SelinuxHost { kernel: Kernel::new(root.path()), ..SelinuxHost::new() };
        let steps = [removal(ProfileKind::Selinux, "web"), removal(ProfileKind::Seccomp, "web")];
        let reasons: Vec<_> =
            host.apply(&steps).into_iter().map(|outcome| outcome.result.unwrap_err().to_string()).collect();
        assert!(reasons[0].starts_with("SELinux is not switched on on this host; boot a kernel"), "{reasons:?}");
        assert!(
            reasons[1].starts_with("SeccompProfile is for seccomp, and this host installs profiles of SELinux"),
            "{reasons:?}"
        );
        assert!(host.support().is_err() && host.installed().is_err());
    }

    #[test]
    fn steps_about_one_file_go_one_after_the_other() {
        let steps = ["a", "b", "a", "c", "c"].map(|name| removal(ProfileKind::Selinux, name));
        let sizes: Vec<usize> = batches(&steps).into_iter().map(<[Step]>::len).collect();
        assert_eq!(sizes, [2, 2, 1]);
        assert!(batches(&[]).is_empty());
    }
}
