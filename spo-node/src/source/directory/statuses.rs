//! The statuses of a folder's profiles: one file for each, and the memory of the daemon over its restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use serde::de::DeserializeOwned;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::{ProfileKey, ProfileKind, labels};
use spo_lsm::Digest;
use tokio::time::Instant;

use super::inventory::Mistakes;
use crate::manifest::Unreadable;
use crate::source::Report;
use crate::status::node_status;
use crate::{manifest, yaml};

/// Annotation of a status: the name of its profile.
const PROFILE: &str = "spo.x-k8s.io/profile-name";
/// Annotation of a status: the file that the profile stands in.
const FILE: &str = "spo.x-k8s.io/source-file";
/// Annotation of a status: the digest of the profile's spec, which tells when its generation changes.
const DIGEST: &str = "spo.x-k8s.io/source-digest";
/// Annotation of a status: that generation.
const GENERATION: &str = "spo.x-k8s.io/source-generation";

/// The file that says which files held a configuration. It begins with a dot, so that nobody takes it for a status.
const CONFIGURATIONS: &str = ".configurations.json";

/// The file that says what is wrong with files, beside the profiles that have statuses.
const MISTAKES: &str = ".mistakes.json";

/// What could not be written is tried again after this, and after twice as long each time it fails again,
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// but not later than this.
const RETRY_LAST: Duration = Duration::from_secs(60);

/// Longer names are cut, and told apart by a digest.
const MAX_STEM_BYTES: usize = 200;

/// The folder of statuses.
#[derive(Debug)]
pub(super) struct Statuses {
    folder: PathBuf,
    node: String,
    records: BTreeMap<ProfileKey, Record>,
    /// What could not be written yet.
    pending: BTreeMap<ProfileKey, Report>,
    /// When that is tried again.
    retry_at: Option<Instant>,
    retry_after: Duration,
    /// Whether an earlier process left statuses.
    remembers: bool,
    /// The files that held a configuration, as it is written down.
    configurations: BTreeSet<String>,
    /// What is wrong with files, as it is written down.
    mistakes: Mistakes,
}

/// What is remembered of a profile.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record {
    file: String,
    digest: String,
    generation: i64,
    pub(super) status: Option<SecurityProfileNodeStatus>,
}

impl Statuses {
    /// Reads what an earlier process left in `folder`, which is made.
    pub(super) fn open(folder: &Path, node: &str) -> Result<Self> {
        let remembers = folder.is_dir();
        DirBuilder::new().recursive(true).mode(0o755).create(folder).with_context(|| {
            format!("cannot make the folder of statuses {}; pass another to --status-dir", folder.display())
        })?;
        let mut records = BTreeMap::new();
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read the folder of statuses {}", folder.display()))?;
        for entry in entries.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "yaml") {
                match manifest::content(&entry.path()).map_err(Into::into).and_then(|content| parse(&content)) {
                    Ok(Some((key, record))) => _ = records.insert(key, record),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(file = %entry.path().display(), error = %format_args!("{error:#}"), "cannot read a status, which will be written anew");
                    }
                }
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            node: node.to_owned(),
            records,
            pending: BTreeMap::new(),
            retry_at: None,
            retry_after: RETRY_FIRST,
            remembers,
            configurations: written_down(&folder.join(CONFIGURATIONS)),
            mistakes: mistakes(folder),
        })
    }

    /// Whether it is known what files held in an earlier run.
    pub(super) fn remember(&self) -> bool {
        self.remembers
    }

    /// The files that held a configuration in the earlier run.
    pub(super) fn configurations(&self) -> BTreeSet<String> {
        self.configurations.clone()
    }

    /// Writes down which files hold a configuration, so that one that cannot be read after a restart is missed.
    pub(super) fn remember_configurations(&mut self, files: BTreeSet<String>) {
        if files != self.configurations && self.write_down(CONFIGURATIONS, &files) {
            self.configurations = files;
        }
    }

    /// Writes down what is wrong with files, for whoever asks what there is.
    pub(super) fn remember_mistakes(&mut self, mistakes: Mistakes) {
        if mistakes != self.mistakes && self.write_down(MISTAKES, &mistakes) {
            self.mistakes = mistakes;
        }
    }

    /// Whether something stands in its file now.
    fn write_down(&self, file: &str, content: &impl Serialize) -> bool {
        let path = self.folder.join(file);
        let written = serde_json::to_vec(content).map_err(Into::into).and_then(|text| replace(&path, &text));
        if let Err(error) = &written {
            tracing::error!(file = %path.display(), %error, "cannot write down what was read of files");
        }
        written.is_ok()
    }

    /// The profiles of the earlier run, each with its file.
    pub(super) fn held(&self) -> impl Iterator<Item = (ProfileKey, String)> {
        self.records.iter().map(|(key, record)| (key.clone(), record.file.clone()))
    }

    /// The generation of a profile in `file` whose spec has this digest: one more than before if it changed. Without a digest the
    /// profile cannot be read, and its generation is what it was.
    pub(super) fn generation(&mut self, key: &ProfileKey, file: &str, digest: Option<&str>) -> i64 {
        let record = self.records.entry(key.clone()).or_default();
        file.clone_into(&mut record.file);
        match digest {
            Some(digest) if record.digest != digest => {
                digest.clone_into(&mut record.digest);
                record.generation += 1;
            }
            _ => record.generation = record.generation.max(1),
        }
        record.generation
    }

    /// Removes what was said about a profile that is gone.
    pub(super) fn forget(&mut self, key: &ProfileKey) {
        self.records.remove(key);
        self.pending.remove(key);
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "cannot remove the status of a profile that is gone")
            }
        }
    }

    /// Writes statuses. What cannot be written is tried again with the next, and in a while.
    pub(super) fn report(&mut self, reports: Vec<Report>) {
        self.pending.extend(reports.into_iter().map(|report| (report.key.clone(), report)));
        self.retry();
    }

    /// Writes what was not written yet, and says so if it cannot.
    pub(super) fn retry(&mut self) {
        if let Err(error) = self.flush() {
            tracing::error!(error = %format_args!("{error:#}"), "cannot write statuses, trying again");
            self.retry_at = Some(Instant::now() + self.retry_after);
            self.retry_after = RETRY_LAST.min(self.retry_after * 2);
        }
    }

    /// When [`Statuses::retry`] is due, if it is at all.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Writes what was not written yet.
    pub(super) fn flush(&mut self) -> Result<()> {
        let mut first = None;
        for (key, report) in std::mem::take(&mut self.pending) {
            if let Err(error) = self.write(&report) {
                first.get_or_insert(error);
                self.pending.insert(key, report);
            }
        }
        if let Some(error) = first {
            bail!("{} statuses are not written: {error:#}", self.pending.len());
        }
        (self.retry_at, self.retry_after) = (None, RETRY_FIRST);
        Ok(())
    }

    fn write(&mut self, report: &Report) -> Result<()> {
        let path = self.path(&report.key);
        let Some(record) = self.records.get_mut(&report.key) else { return Ok(()) };
        let now = Time(k8s_openapi::jiff::Timestamp::now());
        let mut status = node_status(report, &self.node, record.status.as_ref(), now);
        let memory = [
            (PROFILE, report.key.name.to_string()),
            (FILE, record.file.clone()),
            (DIGEST, record.digest.clone()),
            (GENERATION, record.generation.to_string()),
        ];
        status.metadata.annotations = Some(memory.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        if record.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let text = serde_saphyr::to_string(&status).context("cannot write a status as YAML")?;
        replace(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        record.status = Some(status);
        Ok(())
    }

    fn path(&self, key: &ProfileKey) -> PathBuf {
        self.folder.join(format!("{}.yaml", stem(key)))
    }
}

/// The name of a status file without its extension: `seccompprofile-web`.
fn stem(key: &ProfileKey) -> String {
    let whole = format!("{}-{}", key.kind.as_str().to_lowercase(), key.name);
    if whole.len() <= MAX_STEM_BYTES {
        return whole;
    }
    let digest = Digest::of(whole.as_bytes()).to_string();
    format!("{}-{}", &whole[..whole.floor_char_boundary(MAX_STEM_BYTES)], &digest["sha256:".len()..][..16])
}

/// What is wrong with files, as a process wrote it down.
pub(super) fn mistakes(folder: &Path) -> Mistakes {
    written_down(&folder.join(MISTAKES))
}

/// What an earlier process wrote down; nothing if it did not.
fn written_down<T: DeserializeOwned + Default>(path: &Path) -> T {
    let read = match manifest::content(path) {
        Ok(text) if text.is_empty() => return T::default(),
        Err(Unreadable::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return T::default(),
        Ok(text) => serde_json::from_slice(&text).map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    read.unwrap_or_else(|error| {
        tracing::warn!(file = %path.display(), error = %format_args!("{error:#}"), "cannot read what was read of files");
        T::default()
    })
}

/// A status that an earlier process wrote; `None` for content of something else.
pub(super) fn parse(content: &[u8]) -> Result<Option<(ProfileKey, Record)>> {
    let text = std::str::from_utf8(content)?;
    let status: SecurityProfileNodeStatus =
        yaml::document(text).map_err(|error| anyhow::anyhow!("{}", error.without_snippet()))?;
    let metadata = &status.metadata;
    let annotation = |name: &str| metadata.annotations.as_ref().and_then(|annotations| annotations.get(name)).cloned();
    let kind = metadata.labels.as_ref().and_then(|found| found.get(labels::PROFILE_KIND));
    let kind = kind.and_then(|kind| ProfileKind::from_kind(kind));
    let (Some(kind), Some(name), Some(file)) = (kind, annotation(PROFILE), annotation(FILE)) else { return Ok(None) };
    let key = ProfileKey { kind, name: name.parse()? };
    let record = Record {
        file,
        digest: annotation(DIGEST).unwrap_or_default(),
        generation: annotation(GENERATION).unwrap_or_default().parse().unwrap_or_default(),
        status: Some(status),
    };
    Ok(Some((key, record)))
}

/// Puts a file in its place whole. It need not survive a crash of the machine: it is written again at the next start.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file =
        tempfile::Builder::new().prefix(".status-").permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use spo_api::ProfileState;

    use super::*;
    use crate::fixture::key;
    use crate::source::ObjectRef;

    fn report(name: &str, state: ProfileState) -> Report {
        Report {
            key: key(name),
            generation: 1,
            object: ObjectRef::default(),
            state,
            reason: state.into(),
            message: "why: because".to_owned(),
            event: None,
            is_forbidden: false,
        }
    }

    #[test]
    fn a_status_survives_the_process_that_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut statuses = Statuses::open(&folder.path().join("new"), "node1").unwrap();
        assert!(!statuses.remember());
        assert_eq!(statuses.generation(&key("web"), "a.yaml", Some("sha256:1")), 1);
        statuses.report(vec![report("web", ProfileState::Installed)]);

        let mut statuses = Statuses::open(&folder.path().join("new"), "node1").unwrap();
        assert!(statuses.remember());
        assert_eq!(statuses.held().collect::<Vec<_>>(), [(key("web"), "a.yaml".to_owned())]);
        assert_eq!(statuses.generation(&key("web"), "a.yaml", Some("sha256:1")), 1);
        assert_eq!(statuses.generation(&key("web"), "a.yaml", Some("sha256:2")), 2);
        assert_eq!(statuses.generation(&key("web"), "a.yaml", None), 2);
    }

    #[test]
    fn a_status_is_written_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let mut statuses = Statuses::open(folder.path(), "node1").unwrap();
        statuses.generation(&key("web"), "a.yaml", Some("1"));
        statuses.report(vec![report("web", ProfileState::Installed)]);
        let inode = || {
            std::os::unix::fs::MetadataExt::ino(&fs::metadata(folder.path().join("seccompprofile-web.yaml")).unwrap())
        };
        let before = inode();
        statuses.report(vec![report("web", ProfileState::Installed)]);
        assert_eq!(inode(), before);
        statuses.report(vec![report("web", ProfileState::Error)]);
        assert_ne!(inode(), before);
    }

    #[test]
    fn a_status_goes_with_its_profile() {
        let folder = tempfile::tempdir().unwrap();
        let mut statuses = Statuses::open(folder.path(), "node1").unwrap();
        statuses.generation(&key("web"), "a.yaml", Some("1"));
        statuses.report(vec![report("web", ProfileState::Installed)]);
        statuses.forget(&key("web"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_longest_names_have_files_of_their_own() {
        let (one, two) = (key(&format!("{}a", "x".repeat(252))), key(&format!("{}b", "x".repeat(252))));
        assert!(stem(&one).len() < 250);
        assert_ne!(stem(&one), stem(&two));
    }

    #[test]
    fn what_others_left_in_the_folder_is_let_be() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "no: [").unwrap();
        fs::write(folder.path().join("b.yaml"), "kind: Pod").unwrap();
        fs::File::create(folder.path().join("c.yaml")).unwrap().set_len(1 << 40).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("d.yaml"), rustix::fs::Mode::RUSR).unwrap();
        let statuses = Statuses::open(folder.path(), "node1").unwrap();
        assert_eq!(statuses.held().count(), 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
