//! The control groups of a cluster: one root of its own in every hierarchy.
//!
//! The kubelet puts its pods below it, and our processes start in it, so that everything that belongs to the cluster can be found
//! and killed, whoever started it and however it was orphaned.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

use super::dir::Dir;
use super::process::until;

/// The root of the cluster in this folder, as the kubelet's `cgroupRoot` has it. Clusters in different folders have different ones.
pub(super) fn root(dir: &Dir) -> String {
    let digest = Sha256::digest(dir.path().as_os_str().as_encoded_bytes());
    format!("/spo-cluster-{}", hex::encode(&digest[..4]))
}

/// Where the processes are that are no pod.
const DAEMONS: &str = "daemons";

/// The control groups of one cluster.
#[derive(Debug)]
pub(super) struct Cgroups {
    /// The cluster's root in each hierarchy.
    roots: Vec<PathBuf>,
}

impl Cgroups {
    pub(super) fn of(dir: &Dir) -> Result<Self> {
        let table = fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
        let root = root(dir);
        Ok(Self { roots: hierarchies(&table).into_iter().map(|mount| mount.join(&root[1..])).collect() })
    }

    pub(super) fn create(&self) -> Result<()> {
        for root in &self.roots {
            // On cgroup2 a group with processes cannot have groups with limits below it; so they get one beside the pods.
            let daemons = root.join(DAEMONS);
            fs::create_dir_all(&daemons).with_context(|| format!("cannot make {}", daemons.display()))?;
        }
        Ok(())
    }

    /// Moves a process, with the children that it will have, into the cluster.
    pub(super) fn adopt(&self, pid: Pid) -> Result<()> {
        let root = self.roots.first().context("no control groups are mounted on this machine")?;
        let file = root.join(DAEMONS).join("cgroup.procs");
        fs::write(&file, pid.to_string()).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Kills every process, and removes the groups.
    pub(super) fn sweep(&self) -> Result<()> {
        until("the last processes of the cluster to end", Duration::from_secs(30), &[], || {
            let pids: Vec<Pid> = self.roots.iter().flat_map(|root| members(root)).collect();
            for pid in &pids {
                // One that has ended meanwhile is what is wanted.
                let _ = kill_process(*pid, Signal::KILL);
            }
            Ok(pids.is_empty())
        })?;
        // The kernel counts an ended process as a member for a moment.
        until("the cluster's control groups to be empty", Duration::from_secs(10), &[], || {
            Ok(self.roots.iter().all(|root| remove(root)))
        })
    }
}

/// Where the hierarchies of control groups are mounted, each once, that of cgroup2 first.
fn hierarchies(table: &str) -> Vec<PathBuf> {
    let mut found: Vec<(bool, &str, &str)> = Vec::new();
    for line in table.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (mut left, mut right) = (left.split(' '), right.split(' '));
        let (Some(device), Some(root), Some(place)) = (left.nth(2), left.next(), left.next()) else { continue };
        let kind = right.next();
        let is_group = matches!(kind, Some("cgroup" | "cgroup2"));
        if is_group && root == "/" && !found.iter().any(|(_, known, _)| *known == device) {
            found.push((kind != Some("cgroup2"), device, place));
        }
    }
    found.sort_by_key(|(old, ..)| *old);
    found.into_iter().map(|(.., place)| place.into()).collect()
}

/// The processes of a group and of those below it.
fn members(group: &Path) -> Vec<Pid> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let own = own.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?));
    own.chain(below(group).iter().flat_map(|group| members(group))).collect()
}

/// Removes a group and those below it; says whether it is gone.
fn remove(group: &Path) -> bool {
    below(group).iter().for_each(|group| {
        remove(group);
    });
    fs::remove_dir(group).is_ok() || !group.exists()
}

fn below(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_in_different_folders_have_different_groups() {
        let roots = ["/a", "/b"].map(|path| root(&Dir::at(path)));
        assert_ne!(roots[0], roots[1]);
        assert_eq!(roots[0], root(&Dir::at("/a")));
    }

    #[test]
    fn each_hierarchy_is_found_once_and_the_new_one_first() {
        let table = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
                     41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
                     42 31 0:29 / /elsewhere rw,relatime - cgroup cgroup rw,cpu\n\
                     43 31 0:30 /part /sys/fs/cgroup/part rw,relatime - cgroup cgroup rw,pids\n\
                     31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n";
        let found = hierarchies(table);
        assert_eq!(found, [Path::new("/sys/fs/cgroup/unified"), Path::new("/sys/fs/cgroup/cpu")]);
    }
}
