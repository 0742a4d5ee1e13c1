//! The network and the mounts of a cluster, apart from those of the machine.
//!
//! Everything of a cluster runs in a network namespace of its own, so that its bridge, addresses, ports and packet filter rules
//! exist nowhere else; and in a mount namespace of its own, in which `/run`, `/var/lib` and `/var/log` are folders of the
//! cluster, so that what kubelet, containerd and the node daemon write there never touches the machine's. Both are held by
//! files below the cluster's folder, and go away whole. What a cluster shares with the machine: processes, control groups, and
//! all other folders.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::dir::Dir;
use crate::run::Run;

/// The bridge of the pods. Their node has the first address of it.
pub(super) const BRIDGE: &str = "spo0";

/// The address of the node.
pub(super) const NODE_ADDRESS: &str = "10.88.0.1";

/// The addresses of the pods, and the last of them. Those behind it are of machines on the bridge.
pub(super) const POD_ADDRESSES: &str = "10.88.0.0/16";
pub(super) const LAST_POD_ADDRESS: &str = "10.88.254.255";

/// The folders that the node does not share with the machine.
const OWN: &[&str] = &["/run", "/var/lib", "/var/log"];

/// The two namespaces of a cluster.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    dir: Dir,
}

impl Namespace {
    pub(super) fn of(dir: &Dir) -> Self {
        Self { dir: dir.clone() }
    }

    /// Makes both, with a loopback device, the bridge, and the node's own folders.
    pub(super) fn create(&self) -> Result<()> {
        self.dir.make("ns")?;
        let holder = self.dir.join("ns");
        // A mount namespace can only be held by a file on a mount that is not shared: it would contain itself.
        mount(["--bind"]).arg(&holder).arg(&holder).run()?;
        mount(["--make-private"]).arg(&holder).run()?;
        for file in ["net", "mnt"] {
            self.dir.write(PathBuf::from("ns").join(file), "")?;
        }
        let unshare =
            Run::new("unshare").arg(option("--net", self.file("net"))).arg(option("--mount", self.file("mnt")));
        unshare.args(["--propagation", "slave", "true"]).quiet().run()?;
        self.mounts()?;
        self.network()
    }

    fn mounts(&self) -> Result<()> {
        // The kubelet lets volumes pass mounts on, for which the tree must be shared among the containers.
        self.run("mount", ["--make-rshared", "/"])?;
        for place in OWN {
            let own = self.dir.of_node(place);
            fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
            self.run("mount", ["--bind".as_ref(), own.as_os_str(), place.as_ref()])?;
        }
        Ok(())
    }

    fn network(&self) -> Result<()> {
        let address = format!("{NODE_ADDRESS}/16");
        for words in [
            &["link", "set", "lo", "up"][..],
            &["link", "add", BRIDGE, "type", "bridge"],
            &["address", "add", &address, "dev", BRIDGE],
            &["link", "set", BRIDGE, "up"],
            // It leads nowhere; but without a default route the components look for the address of their host in vain.
            &["route", "add", "default", "dev", BRIDGE],
        ] {
            self.run("ip", words)?;
        }
        // The node is the router of what hangs on its bridge.
        self.run("sh", ["-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
    }

    /// Makes a device for a machine on the bridge, which has an address there, and a network of pods behind it. Harmless if it is there.
    pub(super) fn plug(&self, device: &str, address: &str, pods: &str) -> Result<()> {
        if self.run("ip", ["link", "show", device]).is_err() {
            self.run("ip", ["tuntap", "add", device, "mode", "tap"])?;
            self.run("ip", ["link", "set", device, "master", BRIDGE, "up"])?;
        }
        self.run("ip", ["route", "replace", pods, "via", address, "dev", BRIDGE, "onlink"])
    }

    /// Lets go of both. They end with the last process in them.
    pub(super) fn release(&self) -> Result<()> {
        let table = fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
        for place in [self.file("mnt"), self.file("net"), self.dir.join("ns")] {
            // As often as it is mounted: an `up` that was killed may have left more than one.
            for _ in 0..mounted(&table, &place.to_string_lossy()) {
                Run::new("umount").arg("--lazy").arg(&place).quiet().run()?;
            }
        }
        Ok(())
    }

    /// The command, to be run in both namespaces.
    pub(super) fn inside(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.enter();
        command.arg(option("--mount", self.file("mnt"))).arg("--").arg(program);
        command
    }

    /// The command, to be run in the network of the cluster, with the files of the machine.
    pub(super) fn on_network(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.enter();
        command.arg("--").arg(program);
        command
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(option("--net", self.file("net")));
        command
    }

    fn run<A: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Result<()> {
        let output = self.inside(program).args(args).output().context("cannot start nsenter")?;
        let error = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{program} in the cluster's namespace: {}", error.trim());
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join("ns").join(name)
    }
}

fn option(name: &str, value: PathBuf) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(format!("{name}="));
    option.push(value);
    option
}

fn mount<const N: usize>(args: [&str; N]) -> Run {
    Run::new("mount").args(args).quiet()
}

/// How many mounts of this table stand at `place`.
fn mounted(table: &str, place: &str) -> usize {
    table.lines().filter(|line| line.split(' ').nth(4) == Some(place)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_counted_by_their_place() {
        let table = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                     40 31 0:4 net:[1] /c/ns/net rw - nsfs nsfs rw\n\
                     41 40 0:4 net:[2] /c/ns/net rw - nsfs nsfs rw\n\
                     42 40 0:4 / /c/ns/net2 rw - nsfs nsfs rw\n";
        assert_eq!(mounted(table, "/c/ns/net"), 2);
        assert_eq!(mounted(table, "/c/ns"), 0);
    }
}
