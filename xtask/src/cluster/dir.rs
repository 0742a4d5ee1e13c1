//! The folder in which a cluster keeps everything: certificates, logs, process ids, and all that its node writes.
//!
//! A marker says whose it is. What has no marker is never taken over and never removed.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::Run;

/// The folder of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Dir(PathBuf);

const MARKER: &str = "made-by-cargo-xtask-cluster";

impl Dir {
    /// Of the cluster with a node: `$SPO_CLUSTER`, else a fixed place. On disk rather than in `/run`, which is memory: images and
    /// etcd's log take some hundred megabytes.
    pub(crate) fn node() -> Self {
        let dir = std::env::var_os("SPO_CLUSTER");
        Self(dir.map_or_else(|| "/var/tmp/spo-cluster".into(), PathBuf::from))
    }

    /// Of this user's API server without a node.
    pub(crate) fn api() -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self(std::env::temp_dir().join(format!("spo-api-{user}")))
    }

    /// A folder that does not exist yet.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// The kubeconfig of the administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.join("kubeconfig")
    }

    /// Where a folder of the node is to be found from outside of it. Only `/run`, `/var/lib` and `/var/log` are the node's own.
    pub(super) fn of_node(&self, path: &str) -> PathBuf {
        self.join("node").join(path.trim_start_matches('/'))
    }

    /// Makes the folder, which must not exist, with the marker in it.
    pub(super) fn claim(&self) -> Result<()> {
        let make = fs::DirBuilder::new().mode(0o755).create(&self.0);
        make.with_context(|| format!("cannot make {} (is it somebody else's?)", self.0.display()))?;
        self.write(MARKER, "`cargo xtask cluster down` removes this folder and what runs in it.\n")?;
        ["log", "pid"].into_iter().try_for_each(|name| self.make(name))
    }

    /// Whether there is a cluster of this user here.
    pub(super) fn is_ours(&self) -> Result<bool> {
        let meta = match fs::symlink_metadata(&self.0) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error).with_context(|| format!("cannot look at {}", self.0.display())),
        };
        let mine = meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw();
        // One that is empty was being made when its maker was killed.
        if mine && fs::remove_dir(&self.0).is_ok() {
            return Ok(false);
        }
        if !mine || !self.join(MARKER).is_file() {
            bail!(
                "{} is no cluster of yours (no file {MARKER} in it, or another owner): move it away, or set SPO_CLUSTER \
                 to another place",
                self.0.display()
            );
        }
        Ok(true)
    }

    pub(super) fn make(&self, name: impl AsRef<Path>) -> Result<()> {
        let path = self.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))
    }

    pub(super) fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<()> {
        let path = self.join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn read(&self, name: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.join(name)).ok()
    }

    /// Removes everything, but nothing of another file system that may be mounted below.
    pub(super) fn remove(&self) -> Result<()> {
        // Under another name first: half a cluster must never be taken for one.
        let mut old = self.0.clone().into_os_string();
        old.push(".removed");
        let rm = || Run::new("rm").args(["-rf", "--one-file-system", "--"]).arg(&old).quiet().run();
        rm()?;
        fs::rename(&self.0, &old).with_context(|| format!("cannot rename {}", self.0.display()))?;
        rm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_with_our_marker_is_ours() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::at(temp.path().join("cluster"));
        assert!(!dir.is_ours().unwrap());
        fs::create_dir(dir.path()).unwrap();
        fs::write(dir.join("file"), "").unwrap();
        assert!(dir.is_ours().unwrap_err().to_string().contains(MARKER));
        assert!(dir.claim().is_err(), "a folder that exists is not taken over");
        fs::remove_file(dir.join("file")).unwrap();
        assert!(!dir.is_ours().unwrap(), "an empty folder is half a claim");
        dir.claim().unwrap();
        assert!(dir.is_ours().unwrap());
        dir.remove().unwrap();
        assert!(!dir.path().exists());
    }

    #[test]
    fn a_link_is_never_taken_for_a_cluster() {
        let temp = tempfile::tempdir().unwrap();
        let real = Dir::at(temp.path().join("real"));
        real.claim().unwrap();
        std::os::unix::fs::symlink(real.path(), temp.path().join("link")).unwrap();
        assert!(Dir::at(temp.path().join("link")).is_ours().is_err());
    }
}
