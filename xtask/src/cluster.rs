//! `cargo xtask cluster`: a real Kubernetes, for the tests and for trying things out.
//!
//! etcd and Kubernetes are built from source, once, by the go.mod in this folder; containerd, runc and the rest come from Debian.
//! Two shapes: one node with everything on it, as root, in a network and with system folders of its own ([`namespace`]), and beside it
//! guests as further nodes where that is wanted ([`guests`]); and a bare API server for any user ([`api`]).
//!
//! The cluster's network is its own, so clients run in it: `cargo xtask cluster kubectl` and `cargo xtask cluster exec`. Nothing
//! outside of it can reach it, and it cannot reach out.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command as Process, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::run::say;
use crate::vm::Lsm;
use dir::Dir;

pub(crate) mod api;
pub(crate) mod build;
mod busybox;
mod cgroup;
mod control;
pub(crate) mod dir;
mod go;
mod guests;
mod kubeconfig;
mod namespace;
pub(crate) mod node;
mod pki;
mod process;
mod settings;
mod sysctl;

/// Runs a real Kubernetes: one node, in a network of its own.
///
/// The first time, Kubernetes and etcd are built from source, which takes minutes; they are kept in ~/.cache/spo or where SPO_CACHE says.
/// State, logs included, is in /var/tmp/spo-cluster or where SPO_CLUSTER says.
#[derive(Debug, clap::Args)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    command: Command,
    /// Only etcd and an API server, on the loopback device: no node, no controllers, no root, ready in seconds.
    #[arg(long, global = true)]
    api_only: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds the binaries, and starts nothing.
    Build,
    /// Starts the cluster. Harmless if it is up; one that is damaged is replaced.
    Up {
        /// Further nodes: guests in QEMU with this security module, by whose names they go; 2 GiB each.
        ///
        /// They have the image that was loaded last; where that changed, they are booted anew.
        #[arg(long, value_name = "LSM,…", value_delimiter = ',', conflicts_with = "api_only")]
        guests: Vec<Lsm>,
    },
    /// Ends it and removes all of it. Harmless if there is none.
    Down,
    /// Prints the administrator's kubeconfig. It works inside the cluster's network: see `exec`.
    Kubeconfig,
    /// Brings an image onto the node: a tar, such as `cargo xtask image` makes.
    Load {
        /// The tar, of an OCI layout or as Docker saves it.
        image: PathBuf,
    },
    /// Runs kubectl in it.
    #[command(disable_help_flag = true)]
    Kubectl {
        /// Arguments of kubectl.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Runs any program in the cluster's network, with KUBECONFIG set.
    Exec {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
}

impl Cluster {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Build => build::build(if self.api_only { build::API } else { build::ALL }).map(drop)?,
            Command::Up { guests } => up(self.api_only, &guests)?,
            Command::Down if self.api_only => api::down(&Dir::api())?,
            Command::Down => node::down(&Dir::node())?,
            Command::Kubeconfig => print_kubeconfig(self.api_only)?,
            Command::Load { image } => node::load(&Dir::node(), &image)?,
            Command::Kubectl { args } => {
                let mut kubectl = existing(self.api_only)?.kubectl();
                return status(kubectl.args(args));
            }
            Command::Exec { command } => {
                let (program, args) = command.split_first().context("which program?")?;
                let plan = existing(self.api_only)?;
                let mut process = match &plan.namespace {
                    Some(namespace) => namespace.on_network(program),
                    None => Process::new(program),
                };
                return status(process.args(args).env("KUBECONFIG", plan.dir.kubeconfig()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs a program to its end, and ends as it did.
fn status(process: &mut Process) -> Result<ExitCode> {
    let status = process.status().context("cannot start it in the cluster")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
    Ok(ExitCode::from(code))
}

fn up(api_only: bool, guests: &[Lsm]) -> Result<()> {
    let (dir, only) = if api_only { (Dir::api(), " --api-only") } else { (Dir::node(), "") };
    if api_only {
        api::up(&dir)?;
    } else {
        node::up(&dir)?;
        if !guests.is_empty() {
            node::up_guests(&dir, guests)?;
        }
    }
    say(&format!("kubectl: cargo xtask cluster{only} kubectl get pods --all-namespaces"));
    say(&format!("the end: cargo xtask cluster{only} down"));
    Ok(())
}

/// The cluster that was started before.
fn existing(api_only: bool) -> Result<control::Plan> {
    let dir = if api_only { Dir::api() } else { Dir::node() };
    let only = if api_only { " --api-only" } else { "" };
    if !dir.is_ours()? {
        bail!("no cluster is up in {}: cargo xtask cluster{only} up", dir.path().display());
    }
    if api_only {
        let tools = build::build(build::API)?;
        return api::running(&dir, &tools).context("the API server has ended: cargo xtask cluster --api-only up");
    }
    Ok(node::plan(&dir, build::build(build::ALL)?))
}

fn print_kubeconfig(api_only: bool) -> Result<()> {
    use std::io::Write as _;
    let plan = existing(api_only)?;
    let text = plan.dir.read("kubeconfig").context("the cluster has no kubeconfig")?;
    if !api_only {
        say("for use in the cluster's network: cargo xtask cluster exec COMMAND");
    }
    writeln!(anstream::stdout().lock(), "{text}").context("cannot write to standard output")
}
