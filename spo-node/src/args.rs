//! The command line: the reference operator's names where it has them, and what `--help` teaches.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args as Group, Parser, Subcommand};

use crate::paths;

const AFTER_HELP: &str = "\
Without a cluster, a folder of manifests is all it takes:
  mkdir profiles && cp web.yaml profiles/
  sudo spo-node daemon --source directory:profiles
installs each SeccompProfile as /var/lib/kubelet/seccomp/operator/<name>.json
and keeps it so; edit, add or remove manifests as you like. How each profile
stands is in /run/security-profiles-operator/status.";

const DAEMON_HELP: &str = "\
Examples:
  spo-node daemon
      in a pod: profiles from the API server
  spo-node daemon --source directory:/etc/profiles
      profiles from a folder of manifests
  spo-node daemon --source directory:profiles --once
      install what is there, and end: status 1 if anything is in Error
  spo-node daemon --source directory:profiles --root /tmp/try --health-port 0
      the same below /tmp/try, touching nothing else

SIGTERM ends it within a second, and leaves what is installed as it is.";

const INSTALLER_HELP: &str = "\
In a pod, its container needs hostPID, and the shared folder of the socket. It
enters the host's mount namespace, gives up what privilege it needs no more,
and takes profiles from the daemon: kind, name and spec, nothing else.

Outside a pod no installer is needed: a daemon that runs as root with
--source directory:PATH installs profiles itself.";

const STATUS_HELP: &str = "\
Run it as root: what is loaded for AppArmor and SELinux is for root to see.

Examples:
  sudo spo-node status
  sudo spo-node status --json | jq '.modules[].profiles[] | select(.state != \"installed\")'

Nothing is changed. The exit status is 1 if something is not as it should be, or
cannot be read. What a daemon in a cluster says of this node:
  kubectl get securityprofilenodestatuses";

const RENDER_HELP: &str = "\
Examples:
  spo-node render profiles out          out/<name>.json for each profile
  spo-node render web.yaml out          the same for one file
  spo-node render --json profiles out   for programs

Nothing is touched but the folder OUT. The exit status is 1 if any profile was
refused.";

/// Install security profiles on this node, and keep them as they should be.
#[derive(Debug, Parser)]
#[command(name = "spo-node", arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Settings of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Settings of every command.
#[derive(Debug, Clone, Copy, Group)]
pub struct Global {
    /// How much to log: 0 what changes, 1 decisions too, 2 everything.
    #[arg(long, short = 'V', env = "SPO_VERBOSITY", default_value_t = 0, value_name = "LEVEL", global = true)]
    pub verbosity: u8,
    /// Serve profiles of the process itself; this version does not yet, and says so.
    #[arg(long, short, env = "SPO_PROFILING", global = true, hide = true,
        action = ArgAction::Set, num_args = 0..=1, default_value_t = false, default_missing_value = "true", require_equals = true, value_parser = boolean)]
    pub profiling: bool,
    /// The port for that.
    #[arg(long, env = "SPO_PROFILING_PORT", default_value_t = 6060, value_name = "PORT", global = true, hide = true)]
    pub profiling_port: u16,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install the profiles of a source, and keep them as it wants them.
    #[command(visible_alias = "d", args_override_self = true, after_help = DAEMON_HELP)]
    Daemon(Daemon),
    /// Prepare this node, as root, so that the daemon needs no privilege.
    NonRootEnabler(Enabler),
    /// Install profiles for SELinux and AppArmor, as root, for a daemon that has no privilege.
    #[command(after_help = INSTALLER_HELP)]
    Installer(Installer),
    /// Write what would be installed for some manifests, and touch nothing else.
    #[command(after_help = RENDER_HELP)]
    Render(Render),
    /// Say what is installed on this host, whether the kernel agrees, and what the daemon says of it.
    #[command(after_help = STATUS_HELP)]
    Status(Status),
    /// Run the spoc command line: everything after `spoc` is for it.
    #[cfg(feature = "cli")]
    #[command(visible_alias = "s", disable_help_flag = true)]
    Spoc {
        /// What spoc is given.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        args: Vec<std::ffi::OsString>,
    },
    /// Print what this program was built from.
    #[command(visible_alias = "v")]
    Version {
        /// Print an object of JSON.
        #[arg(long, short)]
        json: bool,
    },
    /// Print the completions of a shell, to be sourced by it.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Settings of `spo-node daemon`.
#[derive(Debug, Clone, Group)]
pub struct Daemon {
    /// Where profiles come from: `kubernetes`, or `directory:PATH` for a folder of manifests.
    #[arg(long, value_name = "SOURCE", default_value = "kubernetes")]
    pub source: From,
    /// Install what the source has now, and end. The exit status is 1 if any profile is in Error.
    #[arg(long)]
    pub once: bool,
    /// The folder for the statuses of a folder's profiles, one file each.
    #[arg(long, value_name = "FOLDER", help = format!("The folder for the statuses of a folder's profiles, one file each [default: {}]", paths::STATUSES))]
    pub status_dir: Option<PathBuf>,
    /// Settings about the host.
    #[command(flatten)]
    pub host: Host,
    /// The name of this node in statuses; that of the machine by default.
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node_name: Option<String>,
    /// The port of `/healthz` and `/readyz`; 0 for none. With --once there is none.
    #[arg(long, default_value_t = 8085, value_name = "PORT")]
    pub health_port: u16,
    /// The port of `/metrics` and `/metrics-spod`; 0 for none. In a pod it is 9443 by default, elsewhere there is none. With --once there is
    /// none either.
    #[arg(long, value_name = "PORT")]
    pub metrics_port: Option<u16>,
    /// The folder with `tls.crt` and `tls.key` that metrics are served with. It is watched.
    #[arg(long, value_name = "FOLDER", default_value = paths::METRICS)]
    pub metrics_cert_dir: PathBuf,
    /// The file that says how to reach the API server, for running outside a pod. In a pod, the service account serves.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A taint of this node that is taken away after the first complete pass, so that no pod meets a node without its profiles. Whoever
    /// makes nodes puts it there. Needs the role of deploy/startup-taint.yaml.
    #[arg(long, env = "SPO_STARTUP_TAINT", value_name = "KEY")]
    pub startup_taint: Option<String>,
    /// The namespace of the operator, in which the configuration object is.
    #[arg(long, env = "OPERATOR_NAMESPACE", value_name = "NAMESPACE", default_value = spo_api::NAMESPACE)]
    pub operator_namespace: String,
    /// The socket of the installer, which installs profiles for SELinux and AppArmor. Without it, a daemon with a folder of profiles
    /// installs them itself, and one in a pod looks for it at its usual place.
    #[arg(long, value_name = "SOCKET")]
    pub installer_socket: Option<PathBuf>,
    /// Which modules this node is to serve.
    #[command(flatten)]
    pub modules: Modules,
}

/// The port of metrics in a pod, by the reference operator.
const METRICS_PORT: u16 = 9443;

impl Daemon {
    /// Where metrics are served, if they are to be.
    pub fn metrics_port(&self) -> Option<u16> {
        let is_pod = self.source == From::Kubernetes && self.kubeconfig.is_none();
        let usual = || is_pod.then_some(METRICS_PORT);
        self.metrics_port.or_else(usual).filter(|port| *port != 0 && !self.once)
    }
}

/// Settings about the host.
#[derive(Debug, Clone, Group)]
pub struct Host {
    /// The folder below which the host's files are.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    pub root: PathBuf,
    /// Where the kubelet keeps its files. By default what non-root-enabler wrote down, else KUBELET_DIR, else /var/lib/kubelet.
    #[arg(long, value_name = "FOLDER")]
    pub kubelet_dir: Option<PathBuf>,
    #[arg(long = "kubelet-dir-otherwise", env = "KUBELET_DIR", default_value = paths::KUBELET, hide = true)]
    kubelet_otherwise: PathBuf,
}

impl Host {
    /// The kubelet's folder, as the host names it.
    pub fn kubelet(&self) -> PathBuf {
        paths::kubelet(&self.root, self.kubelet_dir.as_deref(), &self.kubelet_otherwise)
    }

    /// The same for whoever writes it down: what was written down before does not count.
    pub fn configured_kubelet(&self) -> PathBuf {
        std::path::Path::new("/").join(self.kubelet_dir.as_ref().unwrap_or(&self.kubelet_otherwise))
    }
}

macro_rules! switch {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident = $default:literal $(env $env:literal)?,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Group)]
        pub struct $name {
            $($(#[$doc])*
            #[arg(long, $(env = $env,)? action = ArgAction::Set, num_args = 0..=1, default_value_t = $default,
                default_missing_value = "true", require_equals = true, value_name = "BOOL", value_parser = boolean,
                help_heading = "The reference operator's switches")]
            pub $field: bool,)*
        }
    };
}

switch! {
    /// Which modules a node serves, by the reference operator's names.
    Modules {
        /// Install SeccompProfiles.
        with_seccomp = true,
        /// Install SelinuxProfiles.
        with_selinux = false,
        /// Accepted for the reference operator's sake: with --with-selinux, RawSelinuxProfiles are installed unless the configuration says otherwise.
        with_raw_selinux = false,
        /// Install AppArmorProfiles.
        with_apparmor = false,
        /// Make profiles of recordings; this version does not yet, and says so.
        with_recording = false env "ENABLE_RECORDING",
        /// Accepted for the reference operator's sake: memory follows the node anyway.
        with_mem_optim = false,
        /// Serve metrics in plain text, to everybody who reaches the port. Without an API server this is the only way.
        with_insecure_metrics_access = false env "ENABLE_INSECURE_METRICS_ACCESS",
    }
}

/// Settings of `spo-node installer`.
#[derive(Debug, Clone, Group)]
pub struct Installer {
    /// Where the daemon finds it.
    #[arg(long, value_name = "SOCKET", default_value = crate::installer::SOCKET)]
    pub socket: PathBuf,
    /// This process is in the host's mount namespace already: for running outside a pod.
    #[arg(long)]
    pub on_host: bool,
}

/// Settings of `spo-node status`.
#[derive(Debug, Clone, Group)]
pub struct Status {
    /// Settings about the host.
    #[command(flatten)]
    pub host: Host,
    /// The folder of statuses of a daemon with a folder of profiles.
    #[arg(long, value_name = "FOLDER")]
    pub status_dir: Option<PathBuf>,
    /// Print an object of JSON: modules with their profiles, and statuses.
    #[arg(long, short)]
    pub json: bool,
}

/// Settings of `spo-node non-root-enabler`.
#[derive(Debug, Clone, Group)]
pub struct Enabler {
    /// Settings about the host.
    #[command(flatten)]
    pub host: Host,
    /// The name of this node. In a cluster, a label of it may say where the kubelet keeps its files.
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node_name: Option<String>,
    /// The file that says how to reach the API server, for running outside a pod.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The folder whose files are copied into the kubelet's seccomp folder, if it exists.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/spo-profiles")]
    pub profiles: PathBuf,
    /// The container runtime of this node; accepted for the reference operator's sake.
    #[arg(long, short, default_value = "", hide = true)]
    pub runtime: String,
    /// Load the operator's own AppArmor profiles; this version has none yet, and says so.
    #[arg(long, short, env = "SPO_APPARMOR", hide = true,
        action = ArgAction::Set, num_args = 0..=1, default_value_t = false, default_missing_value = "true", require_equals = true, value_parser = boolean)]
    pub apparmor: bool,
}

/// Settings of `spo-node render`.
#[derive(Debug, Clone, Group)]
pub struct Render {
    /// A folder of manifests, or one manifest.
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// The folder to write into, which is made.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Say what was written and what was refused as one object of JSON.
    #[arg(long)]
    pub json: bool,
}

/// What the reference operator takes for a truth value. Nothing at all is how a manifest leaves a variable unset.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err("true or false belongs here".to_owned()),
    }
}

/// Where profiles come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The API server.
    Kubernetes,
    /// A folder of manifests.
    Directory(PathBuf),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "kubernetes" => Ok(Self::Kubernetes),
            Some(("directory", "")) => Err("a path belongs behind `directory:`".to_owned()),
            Some(("directory", path)) => Ok(Self::Directory(PathBuf::from(path))),
            _ => Err("there are `kubernetes` and `directory:PATH`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn daemon(words: &[&str]) -> Result<Daemon, clap::Error> {
        let words = ["spo-node", "daemon"].iter().chain(words);
        match Args::try_parse_from(words)?.command {
            Command::Daemon(daemon) => Ok(daemon),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_source_is_named_by_its_kind() {
        assert_eq!(daemon(&[]).unwrap().source, From::Kubernetes);
        assert_eq!(daemon(&["--source", "directory:a:b"]).unwrap().source, From::Directory("a:b".into()));
        for wrong in ["directory", "directory:", "folder:/x", "kubernetes:x"] {
            assert!(daemon(&["--source", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn metrics_are_served_in_a_pod_and_elsewhere_where_a_port_is_named() {
        let port = |words: &[&str]| daemon(words).unwrap().metrics_port();
        assert_eq!(port(&["--metrics-port", "0"]), None);
        assert_eq!(port(&["--source", "directory:x"]), None);
        assert_eq!(port(&["--source", "directory:x", "--metrics-port", "9100"]), Some(9100));
        assert_eq!(port(&["--kubeconfig", "x"]), None);
        assert_eq!(port(&["--once", "--metrics-port", "9100"]), None);
    }

    #[test]
    fn the_switches_of_the_reference_are_understood() {
        let line = [
            "--with-seccomp",
            "--with-selinux=false",
            "--with-raw-selinux=false",
            "--with-recording=false",
            "--with-mem-optim=true",
        ];
        let modules = daemon(&line).unwrap().modules;
        assert!(modules.with_seccomp && modules.with_mem_optim && !modules.with_selinux);
        assert!(!daemon(&["--with-seccomp=false"]).unwrap().modules.with_seccomp);
        assert!(daemon(&["--with-recording=1"]).unwrap().modules.with_recording);
        assert!(!daemon(&["--with-recording="]).unwrap().modules.with_recording);
        assert!(daemon(&["--with-recording=yes"]).is_err());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn what_follows_spoc_is_for_spoc() {
        let words = ["spo-node", "spoc", "record", "--help", "-o", "x", "--", "true"];
        let Command::Spoc { args } = Args::try_parse_from(words).unwrap().command else { panic!() };
        assert_eq!(args.len(), 6);
    }
}
