//! The files of profiles in the folder of the distribution, of which ours begin with a line of their own.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FlockOperation;
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use crate::apparmor::{HEADER, HEADER_BY_HAND, is_marked, loaded_as};
use crate::host::{Change, HostError};

const FOLDER: &str = "etc/apparmor.d";
const MODE: u32 = 0o644;
/// Until they have their names.
const MODE_STAGED: u32 = 0o600;
/// What is called otherwise after each boot.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// More than any profile that is rendered.
const MAX_BYTES: u64 = 8 << 20;
/// Names of files that are being written: the programs of AppArmor pass over those that begin with a dot.
const PREFIX: &str = ".security-profiles-operator.";

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
    /// The first line of ours.
    header: &'static str,
    /// This boot: what was left before it says nothing of what the kernel has.
    boot: String,
}

/// What stands under a name.
pub(super) enum Found {
    /// A file of ours.
    Ours(Vec<u8>),
    /// Something else.
    Foreign,
    Nothing,
}

/// A file that does not have its name yet. It is locked, so that nobody takes it for one that was left: as long as this process has it, and
/// the parser that this process has started. No stranger can open it, for who can read a file can lock it.
pub(super) struct Staged {
    temporary: PathBuf,
    file: File,
    target: PathBuf,
}

/// Files that have not got their names yet: whoever loads them is at it, was killed, or could not put back what was there before. Of these
/// profiles nobody knows whether the kernel has them as their files say, or as these do.
#[derive(Debug, Default)]
pub(super) struct Left(Vec<Unnamed>);

#[derive(Debug)]
struct Unnamed {
    /// The profile, by the name that it is loaded under.
    profile: String,
    path: PathBuf,
    /// Whether somebody is still at it.
    busy: bool,
}

impl Left {
    /// The profiles.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|one| &*one.profile)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names().any(|left| left == name)
    }

    /// Whether another process is loading a profile: what comes of it is not known before its end.
    pub(super) fn is_busy(&self, name: &str) -> bool {
        self.0.iter().any(|one| one.busy && one.profile == name)
    }

    /// Removes those of a profile of which it is known again what the kernel has, or of which a newer one is there.
    pub(super) fn forget(&self, name: &str) {
        for one in self.0.iter().filter(|one| !one.busy && one.profile == name) {
            // One that stays makes a profile be loaded once more.
            _ = fs::remove_file(&one.path);
        }
    }
}

impl Staged {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.temporary
    }
}

impl Files {
    pub(super) fn new(root: &Path, header: &'static str) -> Self {
        // Where it cannot be read, one boot is taken for another.
        let boot = fs::read_to_string(BOOT).unwrap_or_default();
        let boot = boot.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        Self { folder: root.join(FOLDER), header, boot }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What stands under a name. No link is followed.
    pub(super) fn read(&self, name: &str) -> Result<Found, HostError> {
        let path = self.path(name);
        let file = match open(&path) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            // A link, or a socket.
            Err(Errno::LOOP | Errno::NXIO) => return Ok(Found::Foreign),
            Err(error) => return Err(HostError::at("open", &path)(error)),
        };
        let at = |error: std::io::Error| HostError::at("read", &path)(errno(&error));
        if !file.metadata().map_err(at)?.is_file() {
            return Ok(Found::Foreign);
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(at)?;
        Ok(if is_marked(&bytes, self.header) { Found::Ours(bytes) } else { Found::Foreign })
    }

    /// All that are ours, by name. A folder that is not there has none.
    pub(super) fn ours(&self) -> Result<Vec<(String, Vec<u8>)>, HostError> {
        let mut ours = Vec::new();
        for path in self.paths()? {
            let Some(name) = path.file_name().and_then(OsStr::to_str).filter(|name| !name.starts_with('.')) else {
                continue;
            };
            if let Found::Ours(bytes) = self.read(name)? {
                ours.push((name.to_owned(), bytes));
            }
        }
        Ok(ours)
    }

    /// All that stands in the folder.
    fn paths(&self) -> Result<Vec<PathBuf>, HostError> {
        let list = || -> std::io::Result<Vec<PathBuf>> {
            fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path())).collect()
        };
        match list() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map_err(|error| HostError::at("list", &self.folder)(errno(&error))),
        }
    }

    /// Writes a file under a name that nobody reads.
    pub(super) fn stage(&self, name: &str, bytes: &[u8]) -> Result<Staged, HostError> {
        let target = self.path(name);
        let cannot = |error: std::io::Error| HostError::at("write", &target)(errno(&error));
        let (temporary, mut file) = self.create().map_err(cannot)?;
        match file.write_all(bytes) {
            Ok(()) => Ok(Staged { temporary, file, target }),
            Err(error) => {
                _ = fs::remove_file(&temporary);
                Err(cannot(error))
            }
        }
    }

    /// A new file under a name that nobody reads, and its lock.
    fn create(&self) -> std::io::Result<(PathBuf, File)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!("{PREFIX}{}.{}.{number}", self.boot, std::process::id()));
            let file = match OpenOptions::new().write(true).create_new(true).mode(MODE_STAGED).open(&path) {
                // Of an earlier process that had the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
            // Somebody may have taken it for one that was left, before it was locked.
            if file.metadata()?.nlink() > 0 {
                // The parser has the lock, too, until its end.
                fcntl_setfd(&file, FdFlags::empty())?;
                return Ok((path, file));
            }
        }
    }

    /// Gives a file its name, once its content is on the disk.
    pub(super) fn commit(&self, staged: &Staged) -> Result<(), HostError> {
        let commit = || {
            // Whatever the umask.
            staged.file.set_permissions(fs::Permissions::from_mode(MODE))?;
            staged.file.sync_all()?;
            fs::rename(&staged.temporary, &staged.target)?;
            File::open(&self.folder)?.sync_all()
        };
        commit().map_err(|error| HostError::at("write", &staged.target)(errno(&error)))
    }

    /// Removes a file that is not to get its name, and that says nothing of what the kernel has.
    pub(super) fn abandon(&self, staged: &Staged) {
        // One that stays makes the profile be loaded once more.
        _ = fs::remove_file(&staged.temporary);
    }

    /// Removes a file of ours.
    pub(super) fn remove(&self, name: &str) -> Result<Change, HostError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(Change::Removed),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Change::Absent),
            Err(error) => Err(HostError::at("remove", &path)(errno(&error))),
        }
    }

    /// The files of ours that do not have their names. Those that say nothing are removed.
    pub(super) fn left(&self) -> Result<Left, HostError> {
        let mut left = Left::default();
        for path in self.paths()? {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            if name.starts_with(PREFIX.as_bytes()) {
                left.0.extend(self.unnamed(path)?);
            }
        }
        Ok(left)
    }

    fn unnamed(&self, path: PathBuf) -> Result<Option<Unnamed>, HostError> {
        let file = match open(&path) {
            Ok(file) => file,
            // It has its name now, or is none that we write.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(HostError::at("open", &path)(error)),
        };
        let read = |error: std::io::Error| HostError::at("read", &path)(errno(&error));
        if !file.metadata().map_err(read)?.is_file() {
            return Ok(None);
        }
        // Others may look at the same time; whoever loads it has it alone.
        let busy = match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => false,
            Err(Errno::WOULDBLOCK) => true,
            Err(error) => return Err(HostError::at("lock", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(read)?;
        let profile = loaded_as(&bytes).map(|(name, _)| name.to_owned());
        let is_whole = [HEADER, HEADER_BY_HAND].iter().any(|header| is_marked(&bytes, header));
        match profile {
            Some(profile) if is_whole && (busy || self.is_of_this_boot(&path)) => {
                Ok(is_marked(&bytes, self.header).then_some(Unnamed { profile, path, busy }))
            }
            _ => {
                // It was never loaded, for that takes a whole text, or it was before the kernel began. Or it is just being written.
                if !busy {
                    _ = fs::remove_file(&path);
                }
                Ok(None)
            }
        }
    }

    fn is_of_this_boot(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PREFIX));
        name.and_then(|name| name.strip_prefix(&*self.boot)).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// Opens what stands under a path: no link is followed, and no pipe waited for.
fn open(path: &Path) -> Result<File, Errno> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    opened.map_err(|error| errno(&error))
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, Files) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        let files = Files::new(root.path(), crate::apparmor::HEADER);
        (root, files)
    }

    fn ours(text: &str) -> Vec<u8> {
        format!("{}\n{text}", crate::apparmor::HEADER).into_bytes()
    }

    #[test]
    fn w_nd_8_only_files_with_our_line_are_ours_and_no_link_is_followed() {
        let (_root, files) = files();
        fs::write(files.path("web"), ours("profile web {}")).unwrap();
        fs::write(files.path("usr.bin.man"), "profile man {}").unwrap();
        std::os::unix::fs::symlink(files.path("web"), files.path("link")).unwrap();
        assert!(matches!(files.read("web"), Ok(Found::Ours(_))));
        assert!(matches!(files.read("usr.bin.man"), Ok(Found::Foreign)));
        assert!(matches!(files.read("link"), Ok(Found::Foreign)));
        assert!(matches!(files.read("none"), Ok(Found::Nothing)));
        let names: Vec<_> = files.ours().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["web"]);
    }

    #[test]
    fn a_file_appears_whole() {
        let (_root, files) = files();
        let staged = files.stage("web", &ours("profile web {}")).unwrap();
        assert!(matches!(files.read("web"), Ok(Found::Nothing)));
        files.commit(&staged).unwrap();
        assert!(matches!(files.read("web"), Ok(Found::Ours(_))));
        assert_eq!(fs::metadata(files.path("web")).unwrap().permissions().mode() & 0o7777, MODE);
    }

    #[test]
    fn what_was_left_is_known_by_its_profile_and_what_is_being_loaded_for_that() {
        let (_root, files) = files();
        let by_hand = Files { header: HEADER_BY_HAND, ..files.clone() };
        let text = ours("profile web flags=(enforce) {\n}\n");
        let staged = files.stage("web", &text).unwrap();
        assert_eq!(
            fs::metadata(staged.path()).unwrap().permissions().mode() & 0o7777,
            MODE_STAGED,
            "nobody else locks it"
        );
        assert!(files.left().unwrap().is_busy("web"), "it is being loaded");
        files.left().unwrap().forget("web");
        assert!(staged.path().exists());
        // A parser that goes on when its installer is gone.
        let mut parser = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        drop(staged);
        assert!(files.left().unwrap().is_busy("web"), "it is still being loaded");
        parser.kill().unwrap();
        parser.wait().unwrap();
        let left = files.left().unwrap();
        assert_eq!(left.names().collect::<Vec<_>>(), ["web"]);
        assert!(!left.is_busy("web") && !files.left().unwrap().is_busy("web"));
        assert!(!by_hand.left().unwrap().has("web"), "it is a node's");
        left.forget("web");
        assert!(!files.left().unwrap().has("web"));
        let before = Files { boot: "before".to_owned(), ..files.clone() };
        drop(before.stage("web", &text).unwrap());
        assert!(!files.left().unwrap().has("web"), "the kernel was another");
        assert!(!before.left().unwrap().has("web"), "it is gone");
        for nothing in ["", HEADER, &format!("{HEADER}\nprofile web fla")] {
            let staged = files.stage("web", nothing.as_bytes()).unwrap();
            let path = staged.path().to_owned();
            drop(staged);
            assert!(path.exists() && !files.left().unwrap().has("web") && !path.exists(), "{nothing:?}");
        }
    }

    #[test]
    fn what_is_no_file_is_none_that_was_left() {
        let (_root, files) = files();
        let folder = files.path(&format!("{PREFIX}{}.1.folder", files.boot));
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink("web", files.path(&format!("{PREFIX}{}.1.link", files.boot))).unwrap();
        assert_eq!(files.left().unwrap().names().count(), 0);
        assert!(folder.exists());
        fs::remove_dir_all(files.folder()).unwrap();
        assert_eq!(files.left().unwrap().names().count(), 0, "there is no folder");
        fs::write(files.folder(), "").unwrap();
        assert!(matches!(files.left(), Err(HostError::NotADirectory { .. })), "it cannot be known");
    }

    #[test]
    fn the_number_of_an_earlier_process_is_in_nobodys_way() {
        let (_root, files) = files();
        for number in 0..1000 {
            fs::write(files.path(&format!("{PREFIX}{}.{}.{number}", files.boot, std::process::id())), "").unwrap();
        }
        let staged = files.stage("web", &ours("")).unwrap();
        files.commit(&staged).unwrap();
        assert!(matches!(files.read("web"), Ok(Found::Ours(_))));
    }
}
