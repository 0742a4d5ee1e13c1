//! Profiles from a folder of manifests, with their statuses in another.
//!
//! The folder is watched, not polled. Its files named `*.yaml`, `*.yml` and `*.json` are read, whether they are files or links to
//! files; names that begin with a dot are passed over, and folders in it are not entered. A file that cannot be read takes nothing
//! away: the profiles that it held stay as they are, and their statuses say what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use spo_api::{AdminState, FieldPath, ProfileKey, ProfileState, Violation};
use tokio::time::Instant;

use super::{Change, Desired, ObjectRef, Permitted, Report, Source, Want, due};
use crate::manifest::{self, Manifest, is_manifest};
use crate::watch::{FolderWatch, Happened, Seen, Stage};
use inventory::{Inventory, Reading};
use statuses::Statuses;

#[doc(hidden)]
pub mod fuzz;
mod inventory;
mod statuses;

/// A file that goes may be one that an editor is about to write anew under its name: its profiles are taken for gone after this, if by
/// then there is no such file.
const GRACE: Duration = Duration::from_millis(100);

/// A folder of manifests.
#[derive(Debug)]
pub struct Directory {
    folder: PathBuf,
    watch: FolderWatch,
    inventory: Inventory,
    statuses: Statuses,
    seen: Seen,
    /// When what was seen is acted upon, if a file is missing.
    settle_at: Option<Instant>,
    /// Whether anything was told yet.
    told: bool,
    /// Whether what was told is known to be all there is.
    complete: bool,
}

impl Directory {
    /// The manifests in `folder`, with the statuses for `node` in `status_folder`, which is made.
    ///
    /// # Errors
    /// A folder that cannot be used.
    pub fn open(folder: &Path, status_folder: &Path, node: &str) -> Result<Self> {
        // Watched before it is read, so that nothing is missed in between.
        let watch = FolderWatch::new(folder).with_context(|| {
            format!(
                "cannot watch the folder of profiles {}; make it, or pass another to --source directory:PATH",
                folder.display()
            )
        })?;
        std::fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder of profiles {}", folder.display()))?;
        let statuses = Statuses::open(status_folder, node)?;
        let same = folder.canonicalize().ok() == status_folder.canonicalize().ok();
        ensure!(!same, "{} holds the profiles; pass another folder to --status-dir", folder.display());
        let inventory = Inventory::remembering(statuses.held(), statuses.configurations());
        Ok(Self {
            folder: folder.to_owned(),
            watch,
            inventory,
            statuses,
            seen: Seen::default(),
            settle_at: None,
            told: false,
            complete: false,
        })
    }

    /// Waits until there is something to look at.
    async fn settle(&mut self) -> Result<Seen> {
        loop {
            if self.seen != Seen::default() {
                let ready = self.seen.gone || self.seen.overflow || !self.is_under_way();
                let until = *self.settle_at.get_or_insert_with(|| Instant::now() + GRACE);
                if ready || Instant::now() >= until {
                    self.settle_at = None;
                    return Ok(std::mem::take(&mut self.seen));
                }
                if let Ok(seen) = tokio::time::timeout_at(until, self.watch.next()).await {
                    self.seen.merge(seen?);
                }
            } else {
                self.seen = self.watch.next().await?;
            }
        }
    }

    /// Whether a file that held something is not there, or is being written anew.
    fn is_under_way(&self) -> bool {
        let under_way = |(name, happened): (&OsString, &Happened)| {
            let there = self.folder.join(name).symlink_metadata();
            self.inventory.knows(&name.to_string_lossy())
                && there.map_or(true, |file| is_being_written(&file, *happened))
        };
        self.seen.names.iter().any(under_way)
    }

    /// What changed by what was seen, if anything did.
    fn look(&mut self, seen: &Seen) -> Result<Option<Change>> {
        let permitted = self.inventory.permitted();
        let (changed, gone) = self.changes(seen)?;
        if !self.complete && self.inventory.unusable() == 0 {
            return self.everything().map(Some);
        }
        let differs = !changed.is_empty() || !gone.is_empty() || permitted != self.inventory.permitted();
        Ok(differs.then_some(Change::Some { changed, gone }))
    }

    fn changes(&mut self, seen: &Seen) -> Result<(Vec<Desired>, Vec<ProfileKey>)> {
        if seen.gone {
            bail!(
                "the folder of profiles {} was removed or renamed; what is installed stays. Make it again and start this program again",
                self.folder.display()
            );
        }
        // A folder that Kubernetes mounts from a ConfigMap changes whole, by a link whose name begins with two dots.
        if seen.overflow || seen.names.keys().any(|name| name.as_encoded_bytes().starts_with(b"..")) {
            let names = self.listing()?;
            return Ok(self.read(names));
        }
        let worth =
            |(name, happened): &(&OsString, &Happened)| is_manifest(name) && self.is_worth_reading(name, **happened);
        let names = seen.names.iter().filter(worth).map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        Ok(self.read(names))
    }

    /// A file that is being written is read when it is closed, which is seen too. Until then, what it held before counts.
    fn is_worth_reading(&self, name: &OsStr, happened: Happened) -> bool {
        let there = self.folder.join(name).symlink_metadata();
        there.map_or(true, |file| !is_being_written(&file, happened))
    }

    /// Every file that is there, and every file that was known.
    fn listing(&self) -> Result<BTreeSet<String>> {
        let cannot = || format!("cannot read the folder of profiles {}", self.folder.display());
        let mut names: BTreeSet<String> = self.inventory.files().map(str::to_owned).collect();
        for entry in std::fs::read_dir(&self.folder).with_context(cannot)? {
            let name = entry.with_context(cannot)?.file_name();
            if is_manifest(&name) {
                names.insert(name.to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    /// Reads files, and gives every profile that stands or stood in them: as it is now, or as gone.
    fn read(&mut self, names: BTreeSet<String>) -> (Vec<Desired>, Vec<ProfileKey>) {
        let mut readings = BTreeMap::new();
        let mut affected = BTreeSet::new();
        for name in names {
            let reading = self.load(&name);
            affected.extend(self.inventory.update(&name, reading.as_ref()));
            readings.insert(name, reading);
        }
        self.statuses.remember_configurations(self.inventory.configurations());
        self.statuses.remember_mistakes(self.inventory.mistakes());
        let mut changed = Vec::new();
        let mut gone = Vec::new();
        for key in affected {
            match self.desired(&key, &mut readings) {
                Some(desired) => changed.push(desired),
                None => {
                    self.statuses.forget(&key);
                    gone.push(key);
                }
            }
        }
        (changed, gone)
    }

    /// Everything that is there.
    fn everything(&mut self) -> Result<Change> {
        let names = self.listing()?;
        let (profiles, _gone) = self.read(names);
        // Without statuses of an earlier run nobody knows what a file held that cannot be read now.
        self.complete = self.inventory.unusable() == 0 || self.statuses.remember();
        if !self.complete {
            tracing::warn!(
                folder = %self.folder.display(),
                "no profile is removed from this node until every manifest can be read: those that cannot may hold it"
            );
        }
        Ok(Change::All { profiles, complete: self.complete })
    }

    /// What stands in a file; `None` if there is no such file.
    fn load(&self, name: &str) -> Option<Reading> {
        let path = self.folder.join(name);
        let there = path.symlink_metadata().is_ok();
        there.then(|| {
            let reading = Reading::new(manifest::load(&path));
            for reason in &reading.unusable {
                tracing::error!(reason = %format_args!("{name}: {reason}"), "cannot use a manifest");
            }
            reading
        })
    }

    /// What the files want of a profile, all together.
    fn desired(&mut self, key: &ProfileKey, readings: &mut BTreeMap<String, Option<Reading>>) -> Option<Desired> {
        let holders = self.inventory.holders(key);
        let (file, outcome) = match (holders.whole.as_slice(), holders.broken.first()) {
            ([], None) => return None,
            ([], Some((file, reason))) => (file.clone(), Err(Violation::new(FieldPath::new(file), reason.as_str()))),
            ([file], _) => {
                let reading = readings.entry(file.clone()).or_insert_with(|| self.load(file)).as_ref();
                let manifest = reading.and_then(|reading| reading.profiles.get(key));
                let lost = || Violation::new(FieldPath::new(file), "changed while it was read");
                (file.clone(), manifest.cloned().ok_or_else(lost))
            }
            (files @ [first, ..], _) => (first.clone(), Err(manifest::in_several(files))),
        };
        Some(match outcome {
            Ok(manifest) => self.wanted(&file, manifest),
            Err(violation) => self.broken(&file, key, violation),
        })
    }

    fn wanted(&mut self, file: &str, manifest: Manifest) -> Desired {
        let generation = self.statuses.generation(&manifest.key, file, Some(&manifest.digest.to_string()));
        Desired {
            generation,
            key: manifest.key,
            profile: manifest.profile,
            admin: manifest.admin,
            partial: manifest.partial,
            want: Want::Keep,
            object: ObjectRef { api_version: manifest.api_version, uid: None },
        }
    }

    fn broken(&mut self, file: &str, key: &ProfileKey, violation: Violation) -> Desired {
        Desired {
            generation: self.statuses.generation(key, file, None),
            key: key.clone(),
            profile: Err(vec![violation]),
            admin: AdminState::Enabled,
            partial: false,
            want: Want::Keep,
            object: ObjectRef::default(),
        }
    }
}

/// What a daemon said in its folder of statuses.
#[derive(Debug, Default)]
pub struct Told {
    /// Of each profile.
    pub profiles: Vec<ToldOfProfile>,
    /// What is wrong with files, beside that: by their names, as much as anybody reads.
    pub mistakes: BTreeMap<String, Vec<String>>,
}

/// What a daemon said of a profile.
#[derive(Debug)]
pub struct ToldOfProfile {
    /// The profile.
    pub key: ProfileKey,
    /// How far it has come.
    pub state: ProfileState,
    /// Why, for people.
    pub message: String,
}

/// What stands in a folder of statuses; nothing if there is none.
///
/// # Errors
/// It cannot be listed.
pub fn told(folder: &Path) -> std::io::Result<Told> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Told::default()),
        Err(error) => return Err(error),
    };
    let told = |entry: std::fs::DirEntry| {
        let content = manifest::content(&entry.path()).ok()?;
        let (key, record) = statuses::parse(&content).ok()??;
        let status = record.status?.status?;
        let message = status.conditions.iter().flatten().next().map(|ready| ready.message.clone());
        Some(ToldOfProfile { key, state: status.status?, message: message.unwrap_or_default() })
    };
    let mut profiles: Vec<ToldOfProfile> =
        entries.flatten().filter(|entry| is_manifest(&entry.file_name())).filter_map(told).collect();
    profiles.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Told { profiles, mistakes: statuses::mistakes(folder) })
}

impl Source for Directory {
    async fn next(&mut self) -> Result<Change> {
        if !self.told {
            self.told = true;
            return self.everything();
        }
        loop {
            let retry_at = self.statuses.retry_at();
            let seen = tokio::select! {
                seen = self.settle() => seen?,
                () = due(retry_at) => {
                    self.statuses.retry();
                    continue;
                }
            };
            if let Some(change) = self.look(&seen)? {
                return Ok(change);
            }
        }
    }

    fn report(&mut self, reports: Vec<Report>) {
        self.statuses.report(reports);
    }

    async fn flush(&mut self) -> Result<()> {
        self.statuses.flush()
    }

    fn unusable(&self) -> usize {
        self.inventory.unusable()
    }

    fn permitted(&self) -> Permitted {
        self.inventory.permitted()
    }
}

/// Whether a file was made and not closed yet. A link, of either sort, is complete when it is made. A file under a name that was last
/// seen to be free was made as well; only word of it has not come yet.
fn is_being_written(file: &Metadata, happened: Happened) -> bool {
    match happened.stage {
        Some(Stage::Made) => file.is_file() && file.nlink() == 1,
        Some(Stage::Gone) => true,
        Some(Stage::Complete) | None => false,
    }
}
