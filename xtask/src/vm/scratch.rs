//! Temporary folders for disks of guests and what goes onto them: some hundred megabytes each, so those of a process that was killed are
//! removed by the next.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// How their names begin; the id of the process follows.
const PREFIX: &str = "spo-guest-";

/// A folder that ends with this process, or soon after it.
pub(crate) fn folder() -> Result<TempDir> {
    let parent = std::env::temp_dir();
    sweep(&parent);
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let made = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent);
    made.with_context(|| format!("cannot make a folder in {}", parent.display()))
}

/// Removes what processes of this user have left that are no more.
fn sweep(parent: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_left = owner(&entry.file_name().to_string_lossy()).is_some_and(|pid| !is_alive(pid));
        let is_mine = entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == user);
        if is_left && is_mine {
            // If it cannot be removed, it is no worse than before.
            let _still_there = fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that a folder is named after.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        // No process has an id as large as this.
        let mine = format!("{PREFIX}{}-a", std::process::id());
        let names = [&mine, "spo-guest-4294967295-b", "spo-guest-x", "other-4294967295-c"];
        for name in names {
            fs::create_dir_all(temp.path().join(name).join("folder")).unwrap();
        }
        sweep(temp.path());
        let left = names.map(|name| temp.path().join(name).exists());
        assert_eq!(left, [true, false, true, true]);
    }
}
