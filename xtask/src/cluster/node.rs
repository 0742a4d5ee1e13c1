//! The cluster with a node: the control plane, and containerd, kubelet and kube-proxy as `node1`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::build::{self, Tool, Tools};
use super::cgroup::Cgroups;
use super::control::{Plan, Ports};
use super::dir::Dir;
use super::namespace::{NODE_ADDRESS, Namespace};
use super::process::{Service, until};
use super::settings::{self, KUBELET_DIR, SOCKET};
use super::{busybox, guests, kubeconfig, pki, sysctl};
use crate::image::pack;
use crate::machine::{Package, is_root, require};
use crate::run::{Run, say};
use crate::vm::Lsm;

/// What Debian has of a node.
const PACKAGES: &[Package] = &[
    Package { name: "containerd", file: "containerd" },
    Package { name: "runc", file: "runc" },
    Package { name: "containernetworking-plugins", file: "/usr/lib/cni/bridge" },
    Package { name: "iproute2", file: "ip" },
    Package { name: "iptables", file: "iptables" },
    Package { name: "nftables", file: "nft" },
    Package { name: "conntrack", file: "conntrack" },
    Package { name: "busybox-static", file: "/usr/share/doc/busybox-static" },
];

const CONTAINERD: &str = "containerd";

/// The components, in the order in which they are killed: first those that would start others anew.
const SERVICES: [&str; 7] =
    ["kube-controller-manager", "kubelet", "kube-proxy", CONTAINERD, "kube-scheduler", "kube-apiserver", "etcd"];

/// Brings the cluster up, unless it is. One that is damaged, or made by other binaries, is replaced.
pub(crate) fn up(dir: &Dir) -> Result<()> {
    if !is_root() {
        bail!("a cluster with a node needs root; `cargo xtask cluster up --api-only` does not");
    }
    require(PACKAGES, "a cluster with a node")?;
    let tools = build::build(build::ALL)?;
    if dir.is_ours()? {
        if is_up(dir, &tools) {
            say(&format!("the cluster in {} is up", dir.path().display()));
            return Ok(());
        }
        say(&format!(
            "the cluster in {} is not whole, or made by other binaries: making it anew",
            dir.path().display()
        ));
        down(dir)?;
    }
    let start = Instant::now();
    let plan = make(dir, tools)?;
    run(&plan)?;
    dir.write(KEY, &plan.tools.key)?;
    say(&format!("node1 is ready after {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

/// What the cluster was made by. Written when it is complete.
const KEY: &str = "key";

fn is_up(dir: &Dir, tools: &Tools) -> bool {
    dir.read(KEY).as_ref() == Some(&tools.key)
        && SERVICES.iter().all(|name| Service::new(dir, name).pid().is_some())
        && plan(dir, tools.clone()).is_served()
}

/// The cluster in this folder.
pub(super) fn plan(dir: &Dir, tools: Tools) -> Plan {
    Plan { dir: dir.clone(), tools, ports: Ports::USUAL, namespace: Some(Namespace::of(dir)) }
}

/// Makes what the processes need.
fn make(dir: &Dir, tools: Tools) -> Result<Plan> {
    dir.claim()?;
    sysctl::save(dir)?;
    let plan = plan(dir, tools);
    pki::issue(dir, &[pki::API, pki::NODE, pki::GUESTS])?;
    kubeconfig::write(dir, "kubeconfig", "admin", plan.ports.api)?;
    for tool in [Tool::ControllerManager, Tool::Scheduler, Tool::Kubelet, Tool::Proxy] {
        kubeconfig::write(dir, &format!("{tool}.kubeconfig"), tool.name(), plan.ports.api)?;
    }
    dir.make("cni")?;
    dir.write("cni/10-bridge.conflist", settings::network().to_string())?;
    dir.write("containerd.toml", settings::containerd(dir, settings::snapshotter(dir.path())?))?;
    dir.write("kubelet.json", settings::kubelet(dir).to_string())?;
    dir.write("resolv.conf", "")?;
    Cgroups::of(dir)?.create()?;
    Namespace::of(dir).create()?;
    Ok(plan)
}

/// Starts everything, what others wait for first.
fn run(plan: &Plan) -> Result<()> {
    let groups = Cgroups::of(&plan.dir)?;
    let start = |name, command: &Command| -> Result<()> {
        let pid = Service::new(&plan.dir, name).start(command)?;
        groups.adopt(pid)
    };
    start("etcd", &plan.etcd())?;
    start("kube-apiserver", &plan.api_server())?;
    start(CONTAINERD, &containerd(plan))?;
    images(plan)?;
    plan.until_served()?;
    start("kube-controller-manager", &plan.controller_manager())?;
    start("kube-scheduler", &plan.scheduler())?;
    start("kubelet", &kubelet(plan))?;
    start("kube-proxy", &proxy(plan))?;
    let services: Vec<Service> = SERVICES.iter().map(|name| Service::new(&plan.dir, name)).collect();
    until("node1 to be ready", Duration::from_secs(120), &services, || Ok(is_ready(plan, "node1")))?;
    // Pods are refused before the controllers have made the account they run as by default.
    until("the service account `default`", Duration::from_secs(60), &services, || {
        Ok(plan.get("/api/v1/namespaces/default/serviceaccounts/default").is_some())
    })
}

pub(super) fn is_ready(plan: &Plan, name: &str) -> bool {
    let Some(node) = plan.get(&format!("/api/v1/nodes/{name}")) else { return false };
    let node: serde_json::Value = serde_json::from_str(&node).unwrap_or_default();
    let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Ends the cluster of this folder and removes what is left of it, also after a crash. Without one there is nothing to do.
pub(crate) fn down(dir: &Dir) -> Result<()> {
    if !dir.is_ours()? {
        return Ok(());
    }
    for name in guests::ALL.iter().map(|guest| guest.service).chain(SERVICES) {
        Service::new(dir, name).kill()?;
    }
    // Containers, and what a crash has left.
    Cgroups::of(dir)?.sweep()?;
    Namespace::of(dir).release()?;
    sysctl::restore(dir)?;
    dir.remove()
}

/// The words before a command line that run it in the network of the cluster, with the files of the machine.
pub(crate) fn on_network(dir: &Dir) -> Vec<OsString> {
    let command = Namespace::of(dir).on_network("");
    let mut words = vec![command.get_program().to_owned()];
    words.extend(command.get_args().map(ToOwned::to_owned));
    // The place of the program.
    words.pop();
    words
}

/// What a test finds the cluster by.
pub(crate) fn environment(dir: &Dir) -> Result<Vec<(String, String)>> {
    let kubectl = build::build(build::ALL)?.path(Tool::Kubectl).display().to_string();
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let node = Service::new(dir, CONTAINERD).pid().map_or_else(String::new, |pid| format!("/proc/{pid}/root"));
    Ok(vec![
        pair("KUBECONFIG", dir.kubeconfig().display().to_string()),
        pair("SPO_TEST_KUBECTL", kubectl),
        pair("SPO_TEST_NODE_ROOT", node),
        pair("SPO_TEST_KUBELET_DIR", KUBELET_DIR.to_owned()),
        pair("SPO_TEST_BUSYBOX", busybox::NAME.to_owned()),
        pair("SPO_TEST_IMAGE_DIGEST", dir.read(LOADED).unwrap_or_default()),
    ])
}

/// What people look at first when something on the cluster is not as it should be.
const LOOKS: [&[&str]; 3] = [
    &["get", "pods", "--all-namespaces", "--output=wide"],
    &[
        "get",
        "events",
        "--all-namespaces",
        "--field-selector=type!=Normal,reason!=MissingClusterDNS",
        "--sort-by=.metadata.creationTimestamp",
    ],
    &[
        "logs",
        "--namespace=security-profiles-operator",
        "--selector=app=security-profiles-operator",
        "--all-containers",
        "--prefix",
        "--tail=60",
        "--max-log-requests=20",
    ],
];

/// Prints what the cluster's pods, its warnings and the logs of our programs are now, with which a failed test can be explained.
pub(crate) fn show_state(dir: &Dir) -> Result<()> {
    let plan = plan(dir, build::build(build::ALL)?);
    for look in LOOKS {
        say(&format!("$ kubectl {}", look.join(" ")));
        let output = plan.kubectl().args(look).output().context("cannot start kubectl")?;
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).lines().for_each(say);
    }
    Ok(())
}

/// Makes guests nodes of the cluster, which is up; those that are keep running unless the image that was loaded is another now.
pub(crate) fn up_guests(dir: &Dir, lsms: &[Lsm]) -> Result<()> {
    if lsms.is_empty() {
        return Ok(());
    }
    let plan = plan(dir, build::build(build::ALL)?);
    let (busybox, loaded) = (dir.join(BUSYBOX), dir.join(LOADED_TAR));
    let images: Vec<&Path> = [&busybox, &loaded].into_iter().map(PathBuf::as_path).filter(|tar| tar.exists()).collect();
    guests::up(&plan, lsms, &images)
}

/// Brings an image, packed as a tar of the OCI layout or as Docker saves it, onto the node.
pub(crate) fn load(dir: &Dir, image: &Path) -> Result<()> {
    if Service::new(dir, CONTAINERD).pid().is_none() {
        bail!("no cluster is up: cargo xtask cluster up");
    }
    import(dir, image)?;
    // For guests, which are booted with it.
    let kept = dir.join(LOADED_TAR);
    Run::new("cp").args(["--force", "--reflink=auto"]).arg(image).arg(&kept).quiet().run()?;
    dir.write(LOADED, pack::digest_in(image).unwrap_or_default())
}

/// Notes the digest of the image that was loaded last.
const LOADED: &str = "loaded";

/// The tars of the node's images.
const LOADED_TAR: &str = "loaded.tar";
const BUSYBOX: &str = "busybox.tar";

fn images(plan: &Plan) -> Result<()> {
    let image = plan.dir.join(BUSYBOX);
    busybox::pack(&image)?;
    let socket = plan.dir.of_node(SOCKET);
    let service = Service::new(&plan.dir, CONTAINERD);
    until("containerd", Duration::from_secs(60), &[service], || {
        Ok(Run::new("ctr").arg("--address").arg(&socket).arg("version").quiet().succeeds())
    })?;
    import(&plan.dir, &image)
}

fn import(dir: &Dir, image: &Path) -> Result<()> {
    let ctr = Run::new("ctr").arg("--address").arg(dir.of_node(SOCKET)).args(["--namespace", "k8s.io"]);
    let output = ctr.args(["images", "import"]).arg(image).quiet().output();
    output.map(drop).with_context(|| format!("containerd does not take {}", image.display()))
}

fn containerd(plan: &Plan) -> Command {
    let mut command = plan.command(CONTAINERD);
    command.arg("--config").arg(plan.dir.join("containerd.toml"));
    command
}

fn kubelet(plan: &Plan) -> Command {
    let mut command = plan.tool(Tool::Kubelet);
    command.arg("--config").arg(plan.dir.join("kubelet.json"));
    command.arg("--kubeconfig").arg(plan.config_of(Tool::Kubelet));
    command.args(["--root-dir", KUBELET_DIR, "--hostname-override", "node1", "--node-ip", NODE_ADDRESS]);
    command
}

fn proxy(plan: &Plan) -> Command {
    let mut command = plan.tool(Tool::Proxy);
    command.arg("--kubeconfig").arg(plan.config_of(Tool::Proxy));
    // The size of the connection table is the machine's, and not to be set from within a network namespace.
    command.args(["--hostname-override", "node1", "--proxy-mode", "nftables", "--conntrack-max-per-core", "0"]);
    // It serves guests as well. What one pod of a guest asks of another through a Service has to come back this way.
    command.arg("--masquerade-all");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_of_the_node_is_one_that_is_stopped() {
        for tool in build::ALL.iter().filter(|tool| **tool != Tool::Kubectl) {
            assert!(SERVICES.contains(&tool.name()), "{tool} would be left behind");
        }
    }
}
