//! One daemon per profiles folder.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

/// A daemon that was killed can leave a child behind that tries a filter; it ends, and with it the lock, well before this.
const PATIENCE: Duration = Duration::from_secs(2);

/// The right to install into a folder. It ends with this value, or with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _folder: OwnedFd,
}

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another spo-node daemon installs into {}; end that one first", .0.display())]
    Taken(PathBuf),
    /// The folder cannot be opened or locked.
    #[error("cannot lock {}", folder.display())]
    Impossible {
        /// The folder.
        folder: PathBuf,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
}

impl Lock {
    /// Takes the lock on `folder`, the one of the kernel, so that no file is left behind.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let impossible = |errno| LockError::Impossible { folder: folder.to_owned(), errno };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(folder, flags, Mode::empty()).map_err(impossible)?;
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _folder: fd }),
            Err(Errno::WOULDBLOCK) => {
                wait(fd).map(|fd| Self { _folder: fd }).ok_or_else(|| LockError::Taken(folder.to_owned()))
            }
            Err(errno) => Err(impossible(errno)),
        }
    }
}

/// Waits for the lock, but not for ever: the thread that does ends with the process.
fn wait(fd: OwnedFd) -> Option<OwnedFd> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let file = File::from(fd);
        if flock(&file, FlockOperation::LockExclusive).is_ok() {
            // If nobody waits any more, the file is closed, and the lock with it.
            _ = sender.send(OwnedFd::from(file));
        }
    });
    receiver.recv_timeout(PATIENCE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another spo-node daemon"), "{error}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_lock_that_is_about_to_end_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(first);
        });
        Lock::take(folder.path()).unwrap();
    }
}
