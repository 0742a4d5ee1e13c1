//! Guests as further nodes: machines of QEMU with a kernel of their own, with AppArmor or with SELinux enforcing.
//!
//! Each hangs on the bridge of the cluster, by a device in the cluster's network. Its pods have a network of their own behind it, to which
//! the cluster's network has a route: no translation of addresses, and nothing to forward. One kube-proxy, that of node1, is enough, as whatever
//! a guest sends to a Service passes through node1. Images are on a disk of their own, unpacked before the boot.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::build::Tool;
use super::cgroup::Cgroups;
use super::control::Plan;
use super::namespace::Namespace;
use super::process::{Service, until};
use super::{kubeconfig, node};
use crate::run::say;
use crate::vm::{self, Image, Lsm, Machine, PROGRAM, Words, disk, scratch, store};

mod settings;

/// What the first process of a guest runs.
const SCRIPT: &str = include_str!("guests/node.sh");

/// How long a guest may take to become a node: a minute is usual where everything is busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// Room on the disk of the kubelet's files.
const FREE_MIB: u64 = 64;

/// A guest that is a node, called after its security module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest {
    lsm: Lsm,
    pub(super) service: &'static str,
    /// Where its kubelet answers.
    pub(super) address: &'static str,
    /// The network of its pods.
    pods: &'static str,
    mac: &'static str,
}

/// Those that there are.
pub(super) const ALL: [Guest; 2] = [
    Guest {
        lsm: Lsm::Apparmor,
        service: "guest-apparmor",
        address: "10.88.255.11",
        pods: "10.89.11.0/24",
        mac: "52:54:00:00:00:11",
    },
    Guest {
        lsm: Lsm::Selinux,
        service: "guest-selinux",
        address: "10.88.255.12",
        pods: "10.89.12.0/24",
        mac: "52:54:00:00:00:12",
    },
];

/// Brings guests up that are not, with the images of these tars; those that are up with other images are booted anew.
pub(super) fn up(plan: &Plan, lsms: &[Lsm], images: &[&Path]) -> Result<()> {
    let start = Instant::now();
    let image = vm::prepare()?;
    let wanted: Vec<Guest> = ALL.into_iter().filter(|guest| lsms.contains(&guest.lsm)).collect();
    let known = digests(images);
    let missing: Vec<&Guest> = wanted.iter().filter(|guest| !guest.is_up(plan, &known)).collect();
    if let Some((first, others)) = missing.split_first() {
        let filled = first.fill(plan, &image, images)?;
        for other in others {
            other.make_place(plan)?;
            disk::copy(&filled, &other.file(plan, STORE))?;
        }
    }
    missing.iter().try_for_each(|guest| guest.start(plan, &image, &known))?;
    wanted.iter().try_for_each(|guest| guest.until_ready(plan))?;
    if !missing.is_empty() {
        say(&format!("{} guests are nodes after {:.1} s", missing.len(), start.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// The disk of images.
const STORE: &str = "store.img";

/// Notes which images a guest was booted with.
const IMAGES: &str = "images";

fn digests(images: &[&Path]) -> String {
    images.iter().map(|image| crate::image::pack::digest_in(image).unwrap_or_default() + "\n").collect()
}

impl Guest {
    /// Its node's name.
    pub(super) fn name(&self) -> &'static str {
        self.lsm.name()
    }

    fn place(&self, plan: &Plan) -> PathBuf {
        plan.dir.join("guests").join(self.name())
    }

    fn file(&self, plan: &Plan, name: &str) -> PathBuf {
        self.place(plan).join(name)
    }

    fn service(&self, plan: &Plan) -> Service {
        Service::new(&plan.dir, self.service)
    }

    fn is_up(&self, plan: &Plan, images: &str) -> bool {
        let booted_with = fs::read_to_string(self.file(plan, IMAGES));
        self.service(plan).pid().is_some() && booted_with.is_ok_and(|text| text == images)
    }

    fn make_place(&self, plan: &Plan) -> Result<()> {
        self.service(plan).kill()?;
        plan.dir.make(Path::new("guests").join(self.name()))
    }

    /// Makes the disk of images.
    fn fill(&self, plan: &Plan, image: &Image, images: &[&Path]) -> Result<PathBuf> {
        self.make_place(plan)?;
        let disk = self.file(plan, STORE);
        store::make(image, images, &disk)?;
        Ok(disk)
    }

    fn start(&self, plan: &Plan, image: &Image, images: &str) -> Result<()> {
        // What an earlier boot said about it holds no more.
        plan.delete(&format!("/api/v1/nodes/{}", self.name()));
        disk::copy(&image.root(), &self.file(plan, "root.img"))?;
        let job = scratch::folder()?;
        self.fill_job(plan, job.path())?;
        disk::plain(job.path(), "job", FREE_MIB, &self.file(plan, "job.img"))?;
        Namespace::of(&plan.dir).plug(self.service, self.address, self.pods)?;
        let pid = self.service(plan).start(&self.command(plan, image))?;
        fs::write(self.file(plan, IMAGES), images).context("cannot note the images of a guest")?;
        Cgroups::of(&plan.dir)?.adopt(pid)
    }

    /// What the guest finds in `/job`: the kubelet, and how it and containerd are set up.
    fn fill_job(&self, plan: &Plan, job: &Path) -> Result<()> {
        for dir in ["pki", "cni"] {
            fs::create_dir(job.join(dir)).with_context(|| format!("cannot make {dir}"))?;
        }
        let copy = |from: PathBuf, to: &str| {
            fs::copy(&from, job.join(to)).map(drop).with_context(|| format!("cannot copy {}", from.display()))
        };
        copy(plan.tools.path(Tool::Kubelet), "kubelet")?;
        copy(plan.dir.join("pki/ca.crt"), "pki/ca.crt")?;
        for end in ["crt", "key"] {
            copy(plan.dir.join(format!("pki/{}.{end}", self.name())), &format!("pki/kubelet.{end}"))?;
        }
        let write =
            |name: &str, text: String| fs::write(job.join(name), text).with_context(|| format!("cannot write {name}"));
        write("script", SCRIPT.to_owned())?;
        write("node.env", format!("node={} address={}\n", self.name(), self.address))?;
        write("kubeconfig", kubeconfig::text(&settings::server(plan), Path::new("/job/pki"), "kubelet")?)?;
        write("kubelet.json", settings::kubelet().to_string())?;
        write("containerd.toml", settings::containerd())?;
        write("cni/10-bridge.conflist", settings::network(self.pods).to_string())
    }

    fn command(&self, plan: &Plan, image: &Image) -> std::process::Command {
        let mut machine = Machine::new(self.lsm);
        machine.memory_mib = 2048;
        let place = self.place(plan);
        let mut words = Words(machine.arguments(image, &place, "script"));
        words.drive(&place.join(STORE), "store", 3);
        let tap = self.service;
        words.all(&["-netdev", &format!("tap,id=net,ifname={tap},script=no,downscript=no")]);
        words.all(&["-device", &format!("virtio-net-pci,netdev=net,romfile=,mac={}", self.mac)]);
        let mut command = plan.command(PROGRAM);
        command.args(words.0);
        command
    }

    fn until_ready(&self, plan: &Plan) -> Result<()> {
        until(&format!("the node {}", self.name()), PATIENCE, &[self.service(plan)], || {
            Ok(node::is_ready(plan, self.name()))
        })
        .with_context(|| format!("its console is {}", self.file(plan, "console").display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_share_nothing() {
        let [a, b] = ALL;
        assert!(a.address != b.address && a.pods != b.pods && a.mac != b.mac && a.service != b.service);
        // The longest name that a network device may have.
        assert!(ALL.iter().all(|guest| guest.service.len() < 16));
    }
}
