//! What is to be done on this node: the difference between the profiles that are desired and those that are there. Pure.
//!
//! The modules of the kernel are compared each by itself, in the same way, for no profile of one has to do with a profile of another.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::{AdminState, Module, ProfileKey, ProfileKind, ProfileState};
use spo_lsm::host::{self, Change, HostError, Installed, Unsupported};
use spo_lsm::{Digest, file_name};

use crate::catalogue::{Catalogue, Entry, Fit, Known};
use crate::source::Want;
use crate::status::Standing;

/// What is known of the profiles of one module that are on the node, by the names of their files.
#[derive(Debug)]
pub struct Files {
    module: Module,
    known: BTreeMap<String, Content>,
    /// What the kernel is known to have taken, by file: only that counts as installed.
    proven: BTreeMap<String, Digest>,
    failed: BTreeMap<String, Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Profile(Digest),
    /// Something is there, or was changed, and was not looked at since.
    Unknown,
}

impl From<host::Content> for Content {
    fn from(content: host::Content) -> Self {
        match content {
            host::Content::Profile(digest) => Self::Profile(digest),
            host::Content::Stale => Self::Unknown,
        }
    }
}

/// A step that failed, which is not tried again before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    /// What was to be installed; `None` for a file that was to be removed.
    aim: Option<Digest>,
    error: HostError,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Todo {
    /// Install the profile, or make sure that it is.
    Install {
        /// Which.
        key: ProfileKey,
        /// What is to be in its file.
        fit: Fit,
    },
    /// Remove the profile.
    Remove {
        /// Which.
        key: ProfileKey,
        /// Its file.
        file_name: String,
    },
}

/// What to do, and where each profile stands for which there is nothing to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Each file at most once.
    pub todo: Vec<Todo>,
    /// Each profile at most once.
    pub standings: Vec<(ProfileKey, Standing)>,
}

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// These profiles, whether they are still desired or not. All others are as they were.
    Some(BTreeSet<ProfileKey>),
}

/// Nothing.
impl Default for Scope {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl Scope {
    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares what is desired of a module with what is there. A scope with profiles of other modules passes over them.
///
/// A profile that cannot be installed as it is now keeps the file of an earlier generation: pods that name it go on starting, under
/// the filter they were started with before. A file that belongs to no profile goes, once the source has said that it named them all.
pub fn diff(catalogue: &Catalogue, files: &Files, support: &Result<(), Unsupported>, scope: &Scope) -> Plan {
    let known = Observed { catalogue, files, support };
    let mut plan = Plan::default();
    match scope {
        _ if catalogue.known() == Known::Nothing => {}
        Scope::All => {
            let ours = catalogue.iter().filter(|(key, _)| files.has(key));
            ours.for_each(|(key, entry)| known.profile(key, entry, &mut plan));
            files.known.keys().for_each(|file_name| known.orphan(file_name, &mut plan));
        }
        Scope::Some(keys) => {
            for key in keys.iter().filter(|key| files.has(key)) {
                match catalogue.get(key) {
                    Some(entry) => known.profile(key, entry, &mut plan),
                    None => known.orphan(&file_name(key), &mut plan),
                }
            }
        }
    }
    plan
}

/// The profiles of a module that could have this file: `web` and `web.json` have the same, and so have both kinds for SELinux. None
/// for a name that no profile's file has, so that nobody of us can have written it.
pub fn owners(module: Module, file_name: &str) -> Vec<ProfileKey> {
    let key = |kind, name: &str| Some(ProfileKey { kind, name: name.parse().ok()? });
    let keys = match module {
        Module::Seccomp => {
            let stem = file_name.strip_suffix(".json");
            let names = [stem, stem.map(|_| file_name)].into_iter().flatten();
            names.map(|name| key(ProfileKind::Seccomp, name)).collect::<Vec<_>>()
        }
        Module::Selinux => {
            let kinds =
                file_name.strip_suffix(".cil").map(|name| (name, [ProfileKind::Selinux, ProfileKind::RawSelinux]));
            kinds.into_iter().flat_map(|(name, kinds)| kinds.map(|kind| key(kind, name))).collect()
        }
        Module::AppArmor => vec![key(ProfileKind::AppArmor, file_name)],
    };
    keys.into_iter().flatten().collect()
}

/// Where a profile will stand that is not to be on the node; `None` if it is to be there.
pub(crate) fn absence(entry: &Entry) -> Option<Standing> {
    let desired = &entry.desired;
    match (desired.want, desired.admin, desired.partial) {
        (Want::Remove, _, _) => Some(Standing::Removed),
        (Want::Hold, _, _) => None, // pods use it: it stays, whatever else is said
        (Want::Keep | Want::KeepUsed, _, true) => Some(Standing::Partial),
        (Want::Keep, AdminState::Disabled, _) => Some(Standing::Disabled { kept: false }),
        (Want::KeepUsed, AdminState::Disabled, _) => None, // the same, but for what was never there
        (Want::Keep | Want::KeepUsed, AdminState::Enabled, false) => None,
    }
}

/// All that a decision depends on.
struct Observed<'a> {
    catalogue: &'a Catalogue,
    files: &'a Files,
    support: &'a Result<(), Unsupported>,
}

impl Observed<'_> {
    fn profile(&self, key: &ProfileKey, entry: &Entry, plan: &mut Plan) {
        let file_name = file_name(key);
        if let Some(standing) = absence(entry) {
            return self.removal(key, file_name, standing, plan);
        }
        let kept = self.files.known.contains_key(&file_name);
        let disabled = entry.desired.admin == AdminState::Disabled && entry.desired.want == Want::KeepUsed;
        if disabled && !kept {
            return plan.standings.push((key.clone(), Standing::Disabled { kept }));
        }
        let standing = match (self.support, &entry.verdict) {
            // What is wrong with the profile itself is so on every node.
            (_, Err(why)) => Standing::Refused { why: why.clone(), kept },
            (Err(unsupported), Ok(_)) => Standing::Unsupported(unsupported.clone()),
            (Ok(()), Ok(fit)) => match self.files.failure(&file_name, Some(fit.digest)) {
                Some(error) => Standing::Failed { error: error.clone(), kept },
                None if self.files.holds(&file_name, fit.digest) => {
                    Standing::Installed { warnings: fit.warnings.clone() }
                }
                None => return plan.todo.push(Todo::Install { key: key.clone(), fit: fit.clone() }),
            },
        };
        let standing = match entry.desired.want {
            Want::Hold => Standing::Held,
            Want::KeepUsed if disabled => Standing::Disabled { kept },
            _ => standing,
        };
        plan.standings.push((key.clone(), standing));
    }

    /// A profile that goes does not take the file of another that has the same one.
    fn removal(&self, key: &ProfileKey, file_name: String, standing: Standing, plan: &mut Plan) {
        let there = self.files.known.contains_key(&file_name) && !self.is_claimed(&file_name);
        let standing = match (there, self.files.failure(&file_name, None)) {
            (false, _) => standing,
            (true, Some(error)) => Standing::Stuck { state: standing.state(), error: error.clone() },
            (true, None) if plan.todo.iter().any(|todo| todo.file_name() == file_name) => return,
            (true, None) => return plan.todo.push(Todo::Remove { key: key.clone(), file_name }),
        };
        plan.standings.push((key.clone(), standing));
    }

    /// A file that may belong to no profile at all.
    fn orphan(&self, file_name: &str, plan: &mut Plan) {
        let owners = owners(self.files.module, file_name);
        let desired = owners.iter().any(|key| self.catalogue.get(key).is_some());
        let there = self.files.known.contains_key(file_name) && self.files.failure(file_name, None).is_none();
        if let Some(key) = owners.into_iter().next()
            && there
            && !desired
            && self.catalogue.known() == Known::All
            && plan.todo.iter().all(|todo| todo.file_name() != file_name)
        {
            plan.todo.push(Todo::Remove { key, file_name: file_name.to_owned() });
        }
    }

    /// Whether the file is that of a profile that is to be on the node.
    fn is_claimed(&self, file_name: &str) -> bool {
        let entries = owners(self.files.module, file_name).into_iter().filter_map(|key| self.catalogue.get(&key));
        entries.into_iter().any(|entry| absence(entry).is_none())
    }
}

impl Files {
    /// Nothing is known of any.
    pub fn new(module: Module) -> Self {
        Self { module, known: BTreeMap::new(), proven: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// Whether a profile is one of the module's.
    fn has(&self, key: &ProfileKey) -> bool {
        key.kind.module() == self.module
    }

    /// Takes in a list of all that is there.
    ///
    /// A file for seccomp proves nothing: containers read it, and the kernel sees no filter before. What the other modules list, the
    /// kernel has.
    pub fn listed(&mut self, installed: &Installed) {
        self.known = installed.files.iter().map(|(name, content)| (name.clone(), (*content).into())).collect();
        self.known.extend(installed.foreign.iter().map(|foreign| (foreign.name.clone(), Content::Unknown)));
        if self.module != Module::Seccomp {
            let in_force = |(name, content): (&String, &host::Content)| match content {
                host::Content::Profile(digest) => Some((name.clone(), *digest)),
                host::Content::Stale => None,
            };
            self.proven = installed.files.iter().filter_map(in_force).collect();
        }
    }

    /// Something happened to a file that was not our doing.
    pub fn touched(&mut self, file_name: &str) {
        if !owners(self.module, file_name).is_empty() {
            self.known.insert(file_name.to_owned(), Content::Unknown);
        }
    }

    /// Takes in what came of something that was to be done.
    pub fn done(&mut self, todo: &Todo, result: &Result<Change, HostError>) {
        match (todo, result) {
            (Todo::Install { fit, .. }, Ok(_)) => {
                self.known.insert(fit.file_name.clone(), Content::Profile(fit.digest));
                self.proven.insert(fit.file_name.clone(), fit.digest);
                self.failed.remove(&fit.file_name);
            }
            (Todo::Remove { file_name, .. }, Ok(_)) => {
                self.known.remove(file_name);
                self.proven.remove(file_name);
                self.failed.remove(file_name);
            }
            (Todo::Install { fit, .. }, Err(error)) => {
                self.failed.insert(fit.file_name.clone(), Failure { aim: Some(fit.digest), error: error.clone() });
            }
            (Todo::Remove { file_name, .. }, Err(error)) => {
                self.failed.insert(file_name.clone(), Failure { aim: None, error: error.clone() });
            }
        }
    }

    /// Whether something failed that may go better another time.
    pub fn may_retry(&self) -> bool {
        self.failed.values().any(|failure| failure.error.may_pass())
    }

    /// Lets everything be tried again that may go better now.
    pub fn retry(&mut self) {
        self.failed.retain(|_, failure| !failure.error.may_pass());
    }

    /// Whether the file of this process's last install of it is believed to be in place.
    pub fn is_proven(&self, file_name: &str, digest: Digest) -> bool {
        self.proven.get(file_name) == Some(&digest)
    }

    /// Whether a removal failed.
    pub fn is_stuck(&self) -> bool {
        self.failed.values().any(|failure| failure.aim.is_none())
    }

    fn holds(&self, file_name: &str, digest: Digest) -> bool {
        self.known.get(file_name) == Some(&Content::Profile(digest)) && self.is_proven(file_name, digest)
    }

    fn failure(&self, file_name: &str, aim: Option<Digest>) -> Option<&HostError> {
        self.failed.get(file_name).filter(|failure| failure.aim == aim).map(|failure| &failure.error)
    }
}

impl Todo {
    /// The profile that it is about.
    pub fn key(&self) -> &ProfileKey {
        match self {
            Self::Install { key, .. } | Self::Remove { key, .. } => key,
        }
    }

    /// The file that it is about.
    pub fn file_name(&self) -> &str {
        match self {
            Self::Install { fit, .. } => &fit.file_name,
            Self::Remove { file_name, .. } => file_name,
        }
    }
}

/// Whether a profile that stands so needs somebody to look at it.
pub fn is_error(standing: &Standing) -> bool {
    standing.state() == ProfileState::Error || matches!(standing, Standing::Stuck { .. })
}

#[cfg(test)]
mod tests;
