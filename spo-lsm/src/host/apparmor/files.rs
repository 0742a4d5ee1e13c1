//! The files of profiles in the folder of the distribution, of which ours begin with a line of their own.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use crate::apparmor::is_marked;
use crate::host::{Change, HostError};

const FOLDER: &str = "etc/apparmor.d";
const MODE: u32 = 0o644;
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
}

/// What stands under a name.
pub(super) enum Found {
    /// A file of ours.
    Ours(Vec<u8>),
    /// Something else.
    Foreign,
    Nothing,
}

/// A file that does not have its name yet.
pub(super) struct Staged {
    temporary: PathBuf,
    file: File,
    target: PathBuf,
}

impl Staged {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.temporary
    }
}

impl Files {
    pub(super) fn new(root: &Path, header: &'static str) -> Self {
        Self { folder: root.join(FOLDER), header }
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
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            // A link, or what nobody can open.
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Ok(Found::Foreign),
            Err(error) => return Err(HostError::at("open", &path)(errno(&error))),
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
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(HostError::at("list", &self.folder)(errno(&error))),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut ours = Vec::new();
        for name in names.filter(|name| !name.starts_with('.')) {
            if let Ok(Found::Ours(bytes)) = self.read(&name) {
                ours.push((name, bytes));
            }
        }
        Ok(ours)
    }

    /// Writes a file under a name that nobody reads.
    pub(super) fn stage(&self, name: &str, bytes: &[u8]) -> Result<Staged, HostError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.path(&format!("{PREFIX}{}.{number}", std::process::id()));
        let target = self.path(name);
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary)?;
            // The umask took its part.
            file.set_permissions(fs::Permissions::from_mode(MODE))?;
            file.write_all(bytes)?;
            Ok(file)
        };
        match write() {
            Ok(file) => Ok(Staged { temporary, file, target }),
            Err(error) => {
                // It may not even be there.
                _ = fs::remove_file(&temporary);
                Err(HostError::at("write", &target)(errno(&error)))
            }
        }
    }

    /// Gives a file its name, once its content is on the disk.
    pub(super) fn commit(&self, staged: &Staged) -> Result<(), HostError> {
        let commit = || {
            staged.file.sync_all()?;
            fs::rename(&staged.temporary, &staged.target)?;
            File::open(&self.folder)?.sync_all()
        };
        commit().map_err(|error| HostError::at("write", &staged.target)(errno(&error)))
    }

    /// Removes a file that is not to get its name.
    pub(super) fn abandon(&self, staged: &Staged) {
        // What cannot be removed now is swept later.
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

    /// Removes what processes left that were killed.
    pub(super) fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process =
                name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('.').next());
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                // What cannot be removed is in nobody's way.
                _ = fs::remove_file(entry.path());
            }
        }
    }
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
    fn a_file_appears_whole_and_what_was_left_is_swept() {
        let (_root, files) = files();
        let staged = files.stage("web", &ours("profile web {}")).unwrap();
        assert!(matches!(files.read("web"), Ok(Found::Nothing)));
        files.commit(&staged).unwrap();
        assert!(matches!(files.read("web"), Ok(Found::Ours(_))));
        assert_eq!(fs::metadata(files.path("web")).unwrap().permissions().mode() & 0o7777, MODE);
        let left = files.path(&format!("{PREFIX}{}.0", u32::MAX));
        fs::write(&left, "").unwrap();
        files.sweep();
        assert!(!left.exists());
    }
}
