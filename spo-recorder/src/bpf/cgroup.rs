//! The cgroup2 file system: a directory's inode is the id by which the kernel knows the cgroup.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How deep below the root a pod's directory is looked for; the kubelet's, inside of a cluster inside of a container, is at 6.
const DEPTH: usize = 8;

/// Where cgroup2 is mounted, by a file like `/proc/self/mounts`.
pub(super) fn mount_point(mounts: &Path) -> Option<PathBuf> {
    let mounts = fs::read_to_string(mounts).ok()?;
    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    mounts.lines().map(fields).find(|f| f.get(2).is_some_and(|kind| kind == "cgroup2")).map(|f| PathBuf::from(&f[1]))
}

/// The directory of a name at or below `root`, if there is one.
pub(super) fn find(root: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    find_within(root, name, DEPTH)
}

fn find_within(dir: &Path, name: &str, depth: usize) -> io::Result<Option<PathBuf>> {
    let children = children(dir)?;
    if let Some(found) = children.iter().find(|child| child.file_name().is_some_and(|own| own == name)) {
        return Ok(Some(found.clone()));
    }
    if depth == 0 {
        return Ok(None);
    }
    for child in children {
        if let Some(found) = find_within(&child, name, depth - 1)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The cgroups in a cgroup. One that is gone has none.
pub(super) fn children(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut dirs = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            dirs.push(entry.path());
        }
    }
    Ok(dirs)
}

/// The id of a cgroup; `None` if it is gone.
pub(super) fn id(dir: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(dir) {
        Ok(metadata) => Ok(Some(metadata.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_found_wherever_its_quality_of_service_puts_it() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join("kubepods/burstable/pod1-2");
        fs::create_dir_all(&pod).unwrap();
        fs::create_dir_all(root.path().join("system.slice/ssh.service")).unwrap();
        assert_eq!(find(root.path(), "pod1-2").unwrap(), Some(pod));
        assert_eq!(find(root.path(), "pod1-3").unwrap(), None);
    }

    #[test]
    fn a_cgroup_that_is_gone_has_no_children_and_no_id() {
        let root = tempfile::tempdir().unwrap();
        assert!(children(&root.path().join("gone")).unwrap().is_empty());
        assert_eq!(id(&root.path().join("gone")).unwrap(), None);
    }

    #[test]
    fn cgroup2_is_found_among_the_older_hierarchies() {
        let dir = tempfile::tempdir().unwrap();
        let mounts = dir.path().join("mounts");
        fs::write(&mounts, "cgroup /sys/fs/cgroup/pids cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n")
            .unwrap();
        assert_eq!(mount_point(&mounts), Some(PathBuf::from("/sys/fs/cgroup/unified")));
    }
}
