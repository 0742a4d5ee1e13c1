//! AppArmor on this host: profiles in the folder of the distribution, and those that the kernel has.
//!
//! The host's own `apparmor_parser` compiles a profile and hands it to the kernel, so that its version and its abstractions fit. A
//! profile counts as installed once the kernel lists it in the mode that it is to have; only then its file gets its name, so that
//! nothing that does not compile is found at the next boot. Until then a file that nobody else reads says that the kernel may have
//! it: whoever finds such a file left knows that a process was killed in between, and loads or removes the profile.
//!
//! Ours are known by the first line of their files. A profile of the same name that somebody else put there, as a file or only into the
//! kernel, is never replaced and never removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spo_api::Module;
use spo_api::apparmor::v1::Mode;

use super::tool::Tool;
use super::{Change, Content, Host, HostError, Installed, Outcome, Step, Unsupported};
use crate::apparmor::{HEADER, HEADER_BY_HAND, Name, Profile, to_text};
use crate::{Digest, apparmor};
use files::{Files, Found, Left, Staged};
use kernel::Kernel;

mod files;
mod kernel;

/// The program that compiles and loads.
const PARSER: &str = "apparmor_parser";
/// It may take so long by itself, and so much longer for each profile. One takes a tenth of a second on a fast machine.
const DEADLINE: Duration = Duration::from_secs(60);
const DEADLINE_EACH: Duration = Duration::from_secs(10);

/// The AppArmor profiles of this host. It runs in the mount namespace of the host.
#[derive(Debug)]
pub struct AppArmorHost {
    files: Files,
    kernel: Kernel,
}

impl Default for AppArmorHost {
    fn default() -> Self {
        Self::new()
    }
}

/// A profile under the name that the kernel is to know it by.
struct Wanted<'a> {
    profile: &'a Profile,
    name: &'a Name,
    bytes: Vec<u8>,
}

/// A profile that was written, and not loaded yet.
struct Pending<'a> {
    /// Where its result belongs.
    place: usize,
    wanted: Wanted<'a>,
    staged: Staged,
}

impl AppArmorHost {
    /// This host, as its node has it.
    pub fn new() -> Self {
        Self { files: Files::new(Path::new("/"), HEADER), kernel: Kernel::new(Path::new("/")) }
    }

    /// This host, for whoever loads profiles by hand: they are no node's, which keeps to its own, and a node's are none of these.
    pub fn by_hand() -> Self {
        Self { files: Files::new(Path::new("/"), HEADER_BY_HAND), ..Self::new() }
    }

    /// The folder in which files of profiles appear and go: reason to ask for what is installed.
    pub fn changes_in(&self) -> PathBuf {
        self.files.folder().to_owned()
    }

    /// Loads a profile [by hand](Self::by_hand), under a name of its own, as the path of the program that it is for.
    ///
    /// # Errors
    /// Why it is not loaded.
    pub fn install(&mut self, profile: &Profile, name: &Name) -> Result<Change, HostError> {
        let text = to_text(profile, name).replacen(HEADER, HEADER_BY_HAND, 1);
        let wanted = Wanted { profile, name, bytes: text.into_bytes() };
        self.load_all(vec![Ok(wanted)]).pop().unwrap_or(Ok(Change::Unchanged))
    }

    /// Takes away the profile of this name, if it is ours.
    ///
    /// # Errors
    /// Why it is still there.
    pub fn remove(&mut self, name: &Name) -> Result<Change, HostError> {
        let file_name = name.file_name();
        let left = self.files.left()?;
        not_busy(name, &left)?;
        match self.files.read(&file_name)? {
            Found::Ours(_) => {}
            Found::Nothing if left.has(name.as_str()) => {}
            Found::Nothing => return Ok(Change::Absent),
            Found::Foreign => return Err(foreign(name, "its file is not one of ours")),
        }
        // First the kernel: as long as a file is there, it is known that what is loaded is ours.
        let is_loaded = self.kernel.loaded()?.contains_key(name.as_str());
        if is_loaded {
            self.kernel.remove(name.as_str())?;
        }
        let removed = self.files.remove(&file_name)?;
        left.forget(name.as_str());
        Ok(if is_loaded { Change::Removed } else { removed })
    }

    /// Loads what is not loaded yet, in one call of the parser. There is a result for each, in their order.
    fn load_all(&mut self, wanted: Vec<Result<Wanted<'_>, HostError>>) -> Vec<Result<Change, HostError>> {
        let mut results = Vec::new();
        let mut pending = Vec::new();
        let known = self.files.left().and_then(|left| Ok((left, self.kernel.loaded()?)));
        for (place, wanted) in wanted.into_iter().enumerate() {
            let staged = wanted.and_then(|wanted| {
                let (left, loaded) = known.as_ref().map_err(Clone::clone)?;
                self.stage(&wanted, loaded, left).map(|staged| (wanted, staged))
            });
            results.push(match staged {
                Ok((_, None)) => Ok(Change::Unchanged),
                Ok((wanted, Some(staged))) => {
                    pending.push(Pending { place, wanted, staged });
                    Ok(Change::Written)
                }
                Err(error) => Err(error),
            });
        }
        self.load(pending, &mut results);
        results
    }

    /// Writes a profile that is not installed, under a name that nobody reads. None if it is.
    fn stage(
        &self,
        wanted: &Wanted<'_>,
        loaded: &BTreeMap<String, Option<Mode>>,
        left: &Left,
    ) -> Result<Option<Staged>, HostError> {
        let file_name = wanted.name.file_name();
        let in_kernel = loaded.get(wanted.name.as_str());
        not_busy(wanted.name, left)?;
        let is_left = left.has(wanted.name.as_str());
        match self.files.read(&file_name)? {
            Found::Foreign => return Err(foreign(wanted.name, "its file is not one of ours")),
            Found::Nothing if in_kernel.is_some() && !is_left => {
                return Err(foreign(wanted.name, "it is loaded, and has no file of ours"));
            }
            Found::Ours(bytes)
                if bytes == wanted.bytes && in_kernel == Some(&Some(wanted.profile.mode())) && !is_left =>
            {
                return Ok(None);
            }
            Found::Ours(_) | Found::Nothing => {}
        }
        let staged = self.files.stage(&file_name, &wanted.bytes)?;
        left.forget(wanted.name.as_str());
        Ok(Some(staged))
    }

    fn load(&mut self, pending: Vec<Pending<'_>>, results: &mut [Result<Change, HostError>]) {
        if pending.is_empty() {
            return;
        }
        let together = self.parse(&pending.iter().collect::<Vec<_>>());
        let loaded = self.kernel.loaded();
        for one in pending {
            let place = one.place;
            results[place] = self.settle(one, &together, &loaded);
        }
    }

    /// Gives the file of a profile that is loaded its name; says why it is not, and puts back what was there before.
    fn settle(
        &mut self,
        one: Pending<'_>,
        together: &Result<(), HostError>,
        loaded: &Result<BTreeMap<String, Option<Mode>>, HostError>,
    ) -> Result<Change, HostError> {
        let mode = one.wanted.profile.mode();
        let mut outcome = match (together, loaded) {
            (_, Err(error)) => Err(error.clone()),
            (Ok(()), Ok(loaded)) => in_force(one.wanted.name, mode, loaded),
            // One of them was the reason, and the parser goes on with the others: which, is found out one by one.
            (Err(_), Ok(_)) => {
                self.parse(&[&one]).and_then(|()| in_force(one.wanted.name, mode, &self.kernel.loaded()?))
            }
        };
        if outcome.is_ok() {
            outcome = self.files.commit(&one.staged);
        }
        // The outcome that is told is that of the step. Where nothing can be put back, the file that is left says so.
        if outcome.is_err() && self.restore(one.wanted.name).is_ok() {
            self.files.abandon(&one.staged);
        }
        outcome.map(|()| Change::Written)
    }

    /// What the file says is loaded again, or nothing is: a profile without a file would be nobody's.
    fn restore(&self, name: &Name) -> Result<(), HostError> {
        match self.files.read(&name.file_name())? {
            Found::Nothing if self.kernel.loaded()?.contains_key(name.as_str()) => self.kernel.remove(name.as_str()),
            Found::Ours(_) => replace(&[self.files.path(&name.file_name())]),
            Found::Nothing | Found::Foreign => Ok(()),
        }
    }

    /// Compiles and loads what was staged. Its message names profiles, and not the names that files have for the moment.
    fn parse(&self, pending: &[&Pending<'_>]) -> Result<(), HostError> {
        let paths: Vec<PathBuf> = pending.iter().map(|one| one.staged.path().to_owned()).collect();
        let mut replaced = replace(&paths);
        if let Err(HostError::Tool { message, .. }) = &mut replaced {
            for one in pending {
                *message = message.replace(&one.staged.path().display().to_string(), one.wanted.name.as_str());
            }
        }
        replaced
    }
}

/// Has the parser compile files and replace what the kernel has. A cache would keep them under names that do not stay.
fn replace(paths: &[PathBuf]) -> Result<(), HostError> {
    let tool = Tool::find(PARSER)?;
    let mut arguments = vec![PathBuf::from("--replace"), PathBuf::from("--skip-cache")];
    arguments.extend(paths.iter().cloned());
    let many = u32::try_from(paths.len()).unwrap_or(u32::MAX);
    let ended = tool.run(&arguments, DEADLINE + DEADLINE_EACH.saturating_mul(many))?;
    ended.success(false).map(|_| ())
}

/// Whether the kernel has the profile in its mode.
fn in_force(name: &Name, mode: Mode, loaded: &BTreeMap<String, Option<Mode>>) -> Result<(), HostError> {
    let but = match loaded.get(name.as_str()) {
        Some(Some(has)) if *has == mode => return Ok(()),
        Some(has) => format!("has it in {} mode", has.map_or("another", Mode::as_str)),
        None => "does not list it".to_owned(),
    };
    Err(HostError::NotInForce { name: name.to_string(), but })
}

/// Nothing is done to a profile that another process is loading: it would not be known what comes of it.
fn not_busy(name: &Name, left: &Left) -> Result<(), HostError> {
    if left.is_busy(name.as_str()) { Err(HostError::Busy { name: name.to_string() }) } else { Ok(()) }
}

fn foreign(name: &Name, how: &str) -> HostError {
    HostError::Foreign { name: name.to_string(), how: how.to_owned() }
}

impl Host for AppArmorHost {
    fn module(&self) -> Module {
        Module::AppArmor
    }

    fn support(&self) -> Result<(), Unsupported> {
        self.kernel.support()?;
        Tool::find(PARSER).map(|_| ()).map_err(|error| Unsupported {
            reason: error.to_string(),
            next_step: "it is part of the package apparmor".to_owned(),
        })
    }

    fn installed(&mut self) -> Result<Installed, HostError> {
        self.support().map_err(HostError::Unsupported)?;
        let left = self.files.left()?;
        let loaded = self.kernel.loaded()?;
        let content = |(file_name, bytes): (String, Vec<u8>)| {
            let digest = Digest::of(&bytes);
            let is_live = apparmor::loaded_as(&bytes)
                .is_some_and(|(name, mode)| loaded.get(name) == Some(&Some(mode)) && !left.has(name));
            (file_name, if is_live { Content::Profile(digest) } else { Content::Stale })
        };
        let mut files: BTreeMap<String, Content> = self.files.ours()?.into_iter().map(content).collect();
        for name in left.names() {
            let Ok(file_name) = name.parse().map(|name: Name| name.file_name()) else { continue };
            if files.contains_key(&file_name) {
                continue;
            }
            let may_be_loaded = loaded.contains_key(name) || left.is_busy(name);
            if may_be_loaded && matches!(self.files.read(&file_name)?, Found::Nothing) {
                files.insert(file_name, Content::Stale);
            } else {
                left.forget(name);
            }
        }
        Ok(Installed { files, foreign: Vec::new() })
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let mut results: Vec<Option<Result<Change, HostError>>> = Vec::new();
        // Removals first: a file that goes may be that of another profile that comes.
        for step in steps {
            results.push(match step {
                Step::Remove { key, .. } => Some(
                    HostError::unless_of(Module::AppArmor, step)
                        .and_then(|()| named(key.name.as_str()))
                        .and_then(|name| self.remove(&name)),
                ),
                Step::Install { .. } => None,
            });
        }
        let wanted: Vec<_> = steps.iter().filter_map(wanted).collect();
        let mut installs = self.load_all(wanted).into_iter();
        let results =
            results.into_iter().map(|result| result.or_else(|| installs.next()).unwrap_or(Ok(Change::Unchanged)));
        steps.iter().zip(results).map(|(step, result)| Outcome { key: step.key().clone(), result }).collect()
    }
}

fn named(name: &str) -> Result<Name, HostError> {
    name.parse().map_err(|_invalid| HostError::FileName { name: name.to_owned() })
}

/// What a step wants to be loaded; none for one that removes.
fn wanted(step: &Step) -> Option<Result<Wanted<'_>, HostError>> {
    let Step::Install { checked, artifact } = step else { return None };
    Some(match checked.profile() {
        crate::Profile::AppArmor(profile) => {
            Ok(Wanted { profile, name: profile.loaded_as(), bytes: artifact.bytes.clone() })
        }
        other @ (crate::Profile::Seccomp(_) | crate::Profile::Selinux(_) | crate::Profile::RawSelinux(_)) => {
            Err(HostError::other_module(Module::AppArmor, other.kind()))
        }
    })
}
