//! One daemon per profiles folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// The file that is locked. The folder itself everybody may open, and whoever has it open can lock it.
const FILE: &str = ".lock";

/// A daemon that was killed can leave a child behind that tries a filter; it ends, and with it the lock, well before this.
const PATIENCE: Duration = Duration::from_secs(2);

/// The right to install into a folder. It ends with this value, or with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another spo-node daemon installs into {}; end that one first", .0.display())]
    Taken(PathBuf),
    /// Its file cannot be opened or locked.
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
    /// Takes the lock on `folder`: that of the kernel on a file in it which nobody else may open. It ends with its holder, and so
    /// the file may stay.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// See [`LockError`].
    pub async fn take(folder: &Path) -> Result<Self, LockError> {
        let impossible = |errno| LockError::Impossible { folder: folder.to_owned(), errno };
        let file = open(folder).map_err(impossible)?;
        let file = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => file,
            Err(Errno::WOULDBLOCK) => {
                tracing::info!(folder = %folder.display(), "waiting for another daemon to end");
                wait(file).await.ok_or_else(|| LockError::Taken(folder.to_owned()))?
            }
            Err(errno) => return Err(impossible(errno)),
        };
        Ok(Self { _file: file })
    }
}

fn open(folder: &Path) -> Result<File, Errno> {
    // A pipe that somebody left there is not waited for.
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(folder.join(FILE), flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// Waits for the lock, but not for ever: the thread that does ends with the process.
async fn wait(file: File) -> Option<File> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        if flock(&file, FlockOperation::LockExclusive).is_ok() {
            // If nobody waits any more, the file is closed, and the lock with it.
            _ = sender.send(file);
        }
    });
    tokio::time::timeout(PATIENCE, receiver).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_second_is_told_who_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).await.unwrap();
        let error = Lock::take(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains("another spo-node daemon"), "{error}");
        drop(first);
        Lock::take(folder.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_lock_that_is_about_to_end_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).await.unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(first);
        });
        Lock::take(folder.path()).await.unwrap();
    }

    #[tokio::test]
    async fn who_may_only_read_the_folder_keeps_nobody_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let strangers = File::open(folder.path()).unwrap();
        flock(&strangers, FlockOperation::LockExclusive).unwrap();
        let _ours = Lock::take(folder.path()).await.unwrap();
        let mode = folder.path().join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "no stranger can open what is locked");
    }

    #[tokio::test]
    async fn what_is_no_file_is_told_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join(FILE)).unwrap();
        assert!(matches!(Lock::take(folder.path()).await, Err(LockError::Impossible { errno: Errno::LOOP, .. })));
    }
}
