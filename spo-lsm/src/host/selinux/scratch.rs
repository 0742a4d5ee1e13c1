//! Files that are handed to a program of the host, for as long as it runs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{Mode, OFlags};

use crate::host::HostError;

/// A folder of its own, which goes away with this. It is in memory, so that it works on a host whose disk is full.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

/// Begins the names of these folders; the number of the process follows, and a number of its own.
const PREFIX: &str = "security-profiles-operator.";

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Scratch {
    /// A new folder in `parent`, which nobody but this user can write to. What processes left that were killed is swept up.
    pub(super) fn new(parent: &Path) -> Result<Self, HostError> {
        sweep(parent);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{PREFIX}{}.{number}", std::process::id()));
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

fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('.').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_dir_all(entry.path());
        }
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
        let left = parent.path().join(format!("{PREFIX}{}.0", u32::MAX));
        std::fs::create_dir(&left).unwrap();
        let (scratch, other) = (Scratch::new(parent.path()).unwrap(), Scratch::new(parent.path()).unwrap());
        let path = scratch.write("web.cil", b"(block web)").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"(block web)");
        assert!(scratch.write("web.cil", b"").is_err());
        assert!(!left.exists() && other.path().exists());
        drop((scratch, other));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
