//! The file system of the cluster's node, as its processes see it.
//!
//! The node has mounts of its own, so a path of it means another file here. Paths are resolved below the node's root, links included.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, ResolveFlags, fstat, open, openat2, readlinkat, unlinkat};
use rustix::io::Errno;

/// The node's files.
#[derive(Debug, Clone)]
pub struct Node {
    root: Arc<OwnedFd>,
    kubelet: PathBuf,
}

/// Mode and owner of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits.
    pub mode: u32,
    /// The user's id.
    pub uid: u32,
    /// The group's id.
    pub gid: u32,
}

impl Node {
    /// `root` is a folder, such as the root of one of the node's processes; `kubelet` the kubelet's folder on the node.
    ///
    /// # Errors
    /// If the folder cannot be opened.
    pub fn open(root: &Path, kubelet: PathBuf) -> Result<Self> {
        let root = open(root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
            .with_context(|| format!("cannot open {}", root.display()))?;
        Ok(Self { root: Arc::new(root), kubelet })
    }

    /// The kubelet's folder.
    #[must_use]
    pub fn kubelet(&self) -> &Path {
        &self.kubelet
    }

    /// The folder of our profiles, by the path that the container runtime takes.
    #[must_use]
    pub fn profiles(&self) -> PathBuf {
        self.kubelet.join("seccomp/operator")
    }

    /// What a file contains; nothing if there is none.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let file = match self.at(path, OFlags::RDONLY) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot open {} on the node", path.display())),
        };
        let mut bytes = Vec::new();
        File::from(file)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {} on the node", path.display()))?;
        Ok(Some(bytes))
    }

    /// Overwrites a file in place, as somebody would who means harm.
    ///
    /// # Errors
    /// If there is none, or it cannot be written.
    pub fn overwrite(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let file = self.at(path, OFlags::WRONLY | OFlags::TRUNC);
        let file = file.with_context(|| format!("cannot open {} on the node", path.display()))?;
        File::from(file).write_all(bytes).with_context(|| format!("cannot write {} on the node", path.display()))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// If there is none, or it cannot be removed.
    pub fn remove(&self, path: &Path) -> Result<()> {
        let (dir, name) = (path.parent().context("no folder")?, path.file_name().context("no name")?);
        let removed = self.at(dir, OFlags::PATH).and_then(|dir| unlinkat(dir, name, AtFlags::empty()));
        removed.with_context(|| format!("cannot remove {} on the node", path.display()))
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// If there is no such folder, or it cannot be read.
    pub fn list(&self, path: &Path) -> Result<Vec<String>> {
        let list = || -> rustix::io::Result<Vec<String>> {
            let dir = Dir::new(self.at(path, OFlags::RDONLY | OFlags::DIRECTORY)?)?;
            let names = dir.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
            names.filter(|name| !matches!(name.as_deref(), Ok("." | ".."))).collect()
        };
        let mut names = list().with_context(|| format!("cannot list {} on the node", path.display()))?;
        names.sort();
        Ok(names)
    }

    /// Mode and owner of what a path leads to, through links.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub fn access(&self, path: &Path) -> Result<Access> {
        let stat = self.at(path, OFlags::PATH).and_then(fstat);
        let stat = stat.with_context(|| format!("cannot look at {} on the node", path.display()))?;
        Ok(Access { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid })
    }

    /// Where a link points.
    ///
    /// # Errors
    /// If it is no link.
    pub fn link(&self, path: &Path) -> Result<PathBuf> {
        let link = self.at(path, OFlags::PATH | OFlags::NOFOLLOW).and_then(|fd| readlinkat(fd, "", Vec::new()));
        let link = link.with_context(|| format!("{} is no link on the node", path.display()))?;
        Ok(link.to_string_lossy().into_owned().into())
    }

    fn at(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        openat2(&*self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_below_the_root() {
        let temp = std::env::temp_dir().join(format!("spo-tests-node-{}", std::process::id()));
        std::fs::create_dir_all(temp.join("data")).unwrap();
        std::fs::create_dir_all(temp.join("kubelet/seccomp")).unwrap();
        std::os::unix::fs::symlink("/data", temp.join("kubelet/seccomp/operator")).unwrap();
        std::fs::write(temp.join("data/p.json"), "{}").unwrap();
        let node = Node::open(&temp, "/kubelet".into()).unwrap();
        let file = node.profiles().join("p.json");
        assert_eq!(node.read(&file).unwrap().unwrap(), b"{}");
        assert_eq!(node.link(&node.profiles()).unwrap(), Path::new("/data"));
        assert_eq!(node.list(&node.profiles()).unwrap(), ["p.json"]);
        node.overwrite(&file, b"x").unwrap();
        assert_eq!(node.read(&file).unwrap().unwrap(), b"x");
        node.remove(&file).unwrap();
        assert_eq!(node.read(&file).unwrap(), None);
        std::fs::remove_dir_all(&temp).unwrap();
    }
}
