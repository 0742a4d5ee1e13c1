//! Files that are handed to a program of the host, for as long as it runs.

use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::host::HostError;

/// A folder of its own, which goes away with this. It is in memory, so that it works on a host whose disk is full.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new folder in `parent`, which nobody but this user can write to.
    pub(super) fn new(parent: &Path) -> Result<Self, HostError> {
        let path = parent.join(format!("security-profiles-operator-{}", std::process::id()));
        // What a process of the same number left behind when it was killed. That there is none is the usual case.
        let _ = std::fs::remove_dir_all(&path);
        rustix::fs::mkdir(&path, Mode::RWXU).map_err(HostError::at("make", &path))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into it.
    pub(super) fn write(&self, name: &str, mut bytes: &[u8]) -> Result<PathBuf, HostError> {
        let path = self.path.join(name);
        let at = || HostError::at("write", &path);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(at())?;
        while !bytes.is_empty() {
            let written = rustix::io::write(&file, bytes).map_err(at())?;
            bytes = &bytes[written..];
        }
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next one sweeps it up.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_goes_away_and_what_was_left_of_another_is_swept_up() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path()).unwrap();
        let path = scratch.write("web.cil", b"(block web)").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"(block web)");
        assert!(scratch.write("web.cil", b"").is_err());
        std::mem::forget(scratch);
        let again = Scratch::new(parent.path()).unwrap();
        assert!(!path.exists() && again.path().exists());
        drop(again);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
