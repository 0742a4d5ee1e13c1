//! The profiles folder: files appear in it whole or not at all, and no link in it is followed.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Change, Content, Foreign, HostError, Installed, sys};
use crate::Digest;
use crate::seccomp::MAX_BYTES;

/// Where the init container makes the link `<kubelet>/seccomp/operator` lead (`spec/node.md` 2).
const LINKED: &str = "/var/lib/security-profiles-operator";
/// A file that the operator itself keeps there.
const RESERVED: &str = crate::seccomp::RESERVED_FILE;
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o744;
/// Larger than any profile that is rendered; what is larger was not written by us.
const MAX_FILE_BYTES: u64 = 8 * MAX_BYTES as u64;

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

impl Folder {
    /// Opens the folder `dir` of the host whose files are below `root`; none if it does not exist.
    pub(super) fn open(root: &Path, dir: &Path) -> Result<Option<Self>, HostError> {
        let path = below(root, dir);
        match open_folder(&path) {
            Ok(fd) => return Ok(Some(Self { path, fd })),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => return Err(HostError::at("open", &path)(errno)),
        }
        // A link, or no folder.
        let Ok(target) = std::fs::read_link(&path) else { return Err(HostError::NotADirectory { path }) };
        if target != Path::new(LINKED) {
            return Err(HostError::Symlink { path, target });
        }
        let path = below(root, &target);
        match open_folder(&path) {
            Ok(fd) => Ok(Some(Self { path, fd })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(HostError::at("open", &path)(errno)),
        }
    }

    /// Opens it, and makes it first where it does not exist.
    pub(super) fn open_or_make(root: &Path, dir: &Path) -> Result<Self, HostError> {
        if let Some(folder) = Self::open(root, dir)? {
            return Ok(folder);
        }
        let mut path = below(root, dir);
        if path.is_symlink() {
            path = below(root, Path::new(LINKED));
        }
        make(&path)?;
        Self::open(root, dir)?.ok_or(HostError::Io { operation: "open", path, errno: Errno::NOENT })
    }

    /// What is in it.
    pub(super) fn installed(&self) -> Result<Installed, HostError> {
        let mut installed = Installed::default();
        for name in self.names()? {
            let Some(text) = profile_name(&name) else { continue };
            match self.read(&name)? {
                Found::File { bytes, .. } => {
                    installed.files.insert(text, Content::Profile(Digest::of(&bytes)));
                }
                Found::Other(what) => installed.foreign.push(Foreign { name: text, what }),
                // It went away in between.
                Found::Nothing => {}
            }
        }
        installed.foreign.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(installed)
    }

    /// Writes a file under a temporary name, unless it is there with this content: none then.
    ///
    /// Nothing is waited for, so that a disk can work on many files at once until each is [committed](Self::commit).
    pub(super) fn stage(&self, name: &str, bytes: &[u8]) -> Result<Option<Staged>, HostError> {
        check_name(name)?;
        if self.holds(name, bytes)? {
            return Ok(None);
        }
        let temporary = temporary();
        match self.write_new(&temporary, bytes) {
            Ok(file) => Ok(Some(Staged { name: name.to_owned(), temporary, file, digest: Digest::of(bytes) })),
            Err(errno) => Err(self.abandon(name, &temporary, errno)),
        }
    }

    /// Gives a file its name, once its content is on the disk, and reads it back.
    pub(super) fn commit(&self, staged: Staged) -> Result<Change, HostError> {
        let Staged { name, temporary, file, digest } = staged;
        let written = rustix::fs::fsync(&file)
            .and_then(|()| rustix::fs::renameat(&self.fd, temporary.as_str(), &self.fd, name.as_str()));
        written.map_err(|errno| self.abandon(&name, &temporary, errno))?;
        if self.digest(&name)? == Some(digest) {
            Ok(Change::Written)
        } else {
            Err(HostError::ReadBack { path: self.path.join(name) })
        }
    }

    fn abandon(&self, name: &str, temporary: &str, errno: Errno) -> HostError {
        // There may be none. Whatever is left is swept at the next start.
        let _ = rustix::fs::unlinkat(&self.fd, temporary, AtFlags::empty());
        HostError::at("write", &self.path.join(name))(errno)
    }

    /// Removes a file, or a link itself.
    pub(super) fn remove(&self, name: &str) -> Result<Change, HostError> {
        check_name(name)?;
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(Change::Removed),
            Err(Errno::NOENT) => Ok(Change::Absent),
            Err(errno) => Err(HostError::at("remove", &self.path.join(name))(errno)),
        }
    }

    /// Removes what installs that were cut off left.
    pub(super) fn sweep(&self) -> Result<(), HostError> {
        for name in self.names()?.iter().filter(|name| is_temporary(name.to_bytes())) {
            match rustix::fs::unlinkat(&self.fd, name.as_c_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(HostError::at("remove leftovers in", &self.path)(errno)),
            }
        }
        Ok(())
    }

    /// Makes sure that new names survive a crash.
    pub(super) fn sync(&self) -> Result<(), HostError> {
        rustix::fs::fsync(&self.fd).map_err(HostError::at("sync", &self.path))
    }

    fn names(&self) -> Result<Vec<CString>, HostError> {
        let entries = Dir::read_from(&self.fd).map_err(HostError::at("list", &self.path))?;
        let names =
            entries.map(|entry| entry.map(|entry| entry.file_name().to_owned())).collect::<Result<Vec<_>, Errno>>();
        names.map_err(HostError::at("list", &self.path))
    }

    /// Whether a regular file has these bytes and the right mode.
    fn holds(&self, name: &str, bytes: &[u8]) -> Result<bool, HostError> {
        Ok(self.digest(name)? == Some(Digest::of(bytes)))
    }

    /// The digest of a regular file that has the right mode.
    fn digest(&self, name: &str) -> Result<Option<Digest>, HostError> {
        let name = CString::new(name).map_err(|_nul| HostError::FileName { name: name.to_owned() })?;
        Ok(match self.read(&name)? {
            Found::File { mode, bytes } if mode & 0o7777 == FILE_MODE => Some(Digest::of(&bytes)),
            Found::File { .. } | Found::Other(_) | Found::Nothing => None,
        })
    }

    fn read(&self, name: &CStr) -> Result<Found, HostError> {
        let path = || self.path.join(name.to_string_lossy().as_ref());
        // Without O_NONBLOCK a FIFO would hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(Errno::LOOP) => return Ok(Found::Other("a symbolic link")),
            // Whoever made it so did not mean it for us, and it does not keep us from replacing it.
            Err(Errno::ACCESS) => return Ok(Found::Other("a file that this process may not read")),
            Err(Errno::NXIO) => return Ok(Found::Other("a socket")),
            Err(errno) => return Err(HostError::at("open", &path())(errno)),
        };
        let status = rustix::fs::fstat(&fd).map_err(HostError::at("examine", &path()))?;
        let kind = FileType::from_raw_mode(status.st_mode);
        if kind != FileType::RegularFile {
            return Ok(Found::Other(if kind == FileType::Directory { "a folder" } else { "a device or pipe" }));
        }
        let mut bytes = Vec::new();
        let read = File::from(fd).take(MAX_FILE_BYTES).read_to_end(&mut bytes);
        read.map_err(|error| HostError::at("read", &path())(errno(&error)))?;
        Ok(Found::File { mode: status.st_mode, bytes })
    }

    fn write_new(&self, name: &str, bytes: &[u8]) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(FILE_MODE);
        let mut file = File::from(rustix::fs::openat(&self.fd, name, flags, mode)?);
        // The umask took its part.
        rustix::fs::fchmod(&file, mode)?;
        file.write_all(bytes).map_err(|error| errno(&error))?;
        sys::start_writing(&file);
        Ok(file)
    }
}

/// A file with its content, but not yet with its name.
#[derive(Debug)]
pub(super) struct Staged {
    name: String,
    temporary: String,
    file: File,
    digest: Digest,
}

impl Staged {
    /// The name that it will have.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// What stands under a name.
enum Found {
    File { mode: u32, bytes: Vec<u8> },
    Other(&'static str),
    Nothing,
}

/// `path` of the host whose files are below `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn open_folder(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn make(path: &Path) -> Result<(), HostError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| HostError::at("make", parent)(errno(&error)))?;
    }
    match rustix::fs::mkdir(path, Mode::from_raw_mode(FOLDER_MODE)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(HostError::at("make", path)(errno)),
    }
    rustix::fs::chmod(path, Mode::from_raw_mode(FOLDER_MODE)).map_err(HostError::at("make", path))
}

/// The name, if it is one that a profile can have.
fn profile_name(name: &CStr) -> Option<String> {
    let text = name.to_str().ok()?;
    check_name(text).is_ok().then(|| text.to_owned())
}

fn check_name(name: &str) -> Result<(), HostError> {
    let element = !name.contains(['/', '\0']) && !name.starts_with('.') && name.ends_with(".json");
    if element && name != RESERVED { Ok(()) } else { Err(HostError::FileName { name: name.to_owned() }) }
}

/// A name that no profile has, and no other install at the same time.
fn temporary() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(".spo-{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(b".spo-") && name.ends_with(b".tmp")
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
