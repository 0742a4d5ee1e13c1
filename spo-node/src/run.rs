//! From the command line to what it asks for.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::CommandFactory;
use spo_api::Module;
use spo_lsm::host::{SeccompHost, Unsupported};

use crate::args::{self, Args, Command, From, Global, Modules};
use crate::daemon::{Changes, Daemon, Lane};
use crate::health::{self, Ready};
use crate::installer::{self, remote::RemoteHost};
use crate::lock::{Lock, LockError};
use crate::metrics::{self, counters::Counters};
use crate::signals::Ending;
use crate::source::Source;
use crate::source::directory::Directory;
use crate::source::kubernetes::{self, Kubernetes};
use crate::status::chain;
use crate::{enabler, log, paths, render, survey};

/// Does what the command line says.
///
/// # Errors
/// Whatever keeps it from being done; [`failed`] prints it.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Daemon(daemon) => {
            start_log(args.global);
            choose_crypto()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
            let ended = runtime.block_on(serve(daemon));
            // A batch of steps that hangs in the kernel must not keep the process.
            runtime.shutdown_background();
            ended
        }
        Command::Installer(settings) => {
            start_log(args.global);
            let settings = installer::Settings { socket: settings.socket, on_host: settings.on_host };
            installer::run(&settings).map(|()| ExitCode::SUCCESS)
        }
        Command::NonRootEnabler(enabler) => {
            start_log(args.global);
            choose_crypto()?;
            enabler::enable(&enabler).map(|()| ExitCode::SUCCESS)
        }
        Command::Render(settings) => render::render(&settings),
        Command::Status(settings) => survey::status(&settings),
        #[cfg(feature = "cli")]
        Command::Spoc { args } => Ok(crate::spoc::forward(args)),
        Command::Version { json } => version(json).map(|()| ExitCode::SUCCESS),
        Command::Completions { shell } => completions(shell).map(|()| ExitCode::SUCCESS),
    }
}

/// Prints an error with its causes, and gives the exit status.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    // Where nobody can read it, the exit status still says it.
    _ = writeln!(std::io::stderr().lock(), "spo-node: {error:#}");
    ExitCode::FAILURE
}

fn start_log(global: Global) {
    // What the second line says has to be true: nothing is served yet.
    log::start(global.verbosity, false);
    if global.profiling {
        tracing::warn!("this version serves no profiles of itself; --profiling has no effect");
    }
}

/// Which code TLS uses, for the whole process.
fn choose_crypto() -> Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_already| anyhow::anyhow!("a crypto provider is set already"))
}

async fn serve(settings: args::Daemon) -> Result<ExitCode> {
    say_what_is_missing(settings.modules)?;
    let ending = Ending::on_signals()?;
    let ready = Ready::default();
    if !settings.once {
        health::start(settings.health_port, &ready)?;
    }
    let node = settings.node_name.clone().unwrap_or_else(machine);
    match &settings.source {
        From::Directory(folder) => {
            let statuses = settings
                .status_dir
                .clone()
                .unwrap_or_else(|| paths::below(&settings.host.root, Path::new(paths::STATUSES)));
            let source = Directory::open(folder, &statuses, &node)?;
            let counters = Counters::new()?;
            if let Some(port) = settings.metrics_port() {
                ensure!(
                    settings.modules.with_insecure_metrics_access,
                    "there is no API server to say who may read metrics: pass --with-insecure-metrics-access too, which shows them to everybody"
                );
                metrics::start(port, metrics::Access::Insecure, counters.clone())?;
            }
            install(source, &settings, &counters, &ready, ending).await
        }
        From::Kubernetes => {
            let how = kubernetes::Settings { kubeconfig: settings.kubeconfig.clone(), node_name: node };
            if let Some(key) = settings.startup_taint.clone() {
                let (how, ready) = (how.clone(), ready.clone());
                tokio::spawn(async move {
                    ready.wait().await;
                    kubernetes::node::remove_taint(how, key).await;
                });
            }
            let source = Kubernetes::connect(&how, &settings.operator_namespace).await?;
            let counters = Counters::new()?;
            if let Some(port) = settings.metrics_port() {
                metrics::start(port, access(&settings, source.client()), counters.clone())?;
            }
            install(source, &settings, &counters, &ready, ending).await
        }
    }
}

fn access(settings: &args::Daemon, client: kube::Client) -> metrics::Access {
    if settings.modules.with_insecure_metrics_access {
        return metrics::Access::Insecure;
    }
    metrics::Access::Secure { client, certificates: settings.metrics_cert_dir.clone() }
}

async fn install<S: Source>(
    source: S,
    settings: &args::Daemon,
    counters: &Counters,
    ready: &Ready,
    mut ending: Ending,
) -> Result<ExitCode> {
    let (root, kubelet) = (&settings.host.root, settings.host.kubelet());
    let folder = paths::profiles_here(root, &kubelet);
    let _lock = tokio::select! {
        lock = lock(&folder) => lock?,
        () = ending.wait() => {
            ensure!(!settings.once, "ended by a signal before anything was done");
            return Ok(ExitCode::SUCCESS);
        }
    };
    tracing::info!(folder = %folder.display(), "installing profiles");
    let ended =
        Daemon::new(source, lanes(settings, folder)).counted(counters).run(settings.once, ready, ending).await?;
    if settings.once && ended.errors > 0 {
        tracing::error!(errors = ended.errors, "not everything could be installed");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A lane for each module.
fn lanes(settings: &args::Daemon, folder: PathBuf) -> Vec<Lane> {
    let kubelet = settings.host.kubelet();
    let seccomp = SeccompHost::new(&settings.host.root, &paths::profiles(&kubelet));
    let privileged = [
        (Module::Selinux, "--with-selinux", settings.modules.with_selinux),
        (Module::AppArmor, "--with-apparmor", settings.modules.with_apparmor),
    ];
    let mut lanes = vec![match settings.modules.with_seccomp {
        true => Lane::new(Box::new(seccomp), Changes::Folder(folder)),
        false => Lane::without(Module::Seccomp, switched_off("--with-seccomp")),
    }];
    let (on, off): (Vec<_>, Vec<_>) = privileged.into_iter().partition(|(_, _, is_on)| *is_on);
    lanes.extend(off.into_iter().map(|(module, flag, _)| Lane::without(module, switched_off(flag))));
    let on = on.into_iter().map(|(module, _, _)| module);
    match installer_socket(settings) {
        Some(socket) => lanes.extend(on.map(|module| {
            let host = RemoteHost::new(module, &socket, tokio::runtime::Handle::current());
            let changes = host.changes();
            Lane::new(Box::new(host), changes)
        })),
        None if settings.host.root == Path::new("/") => {
            let on: Vec<Module> = on.collect();
            let hosts = installer::watched_hosts().into_iter().filter(|(host, _)| on.contains(&host.module()));
            lanes.extend(hosts.map(|(host, changes)| Lane::new(host, changes)));
        }
        None => lanes.extend(on.map(|module| Lane::without(module, elsewhere(&settings.host.root)))),
    }
    lanes
}

/// The socket of the installer, if there is to be one.
fn installer_socket(settings: &args::Daemon) -> Option<PathBuf> {
    let usual = || matches!(settings.source, From::Kubernetes).then(|| PathBuf::from(installer::SOCKET));
    settings.installer_socket.clone().or_else(usual)
}

fn switched_off(flag: &str) -> Unsupported {
    Unsupported {
        reason: "profiles of its kind are switched off on this node".to_owned(),
        next_step: format!("switch them on in the configuration of the operator, or by {flag}"),
    }
}

/// Programs of a host that is somewhere else cannot be run.
fn elsewhere(root: &Path) -> Unsupported {
    Unsupported {
        reason: format!("the host below {} is not this one, whose kernel would take the profile", root.display()),
        next_step: "run without --root, or pass --installer-socket".to_owned(),
    }
}

/// Takes the lock on the profiles folder, which is made. Where that is not possible no profile can be installed either, and each
/// says so in its status.
async fn lock(folder: &Path) -> Result<Option<Lock>> {
    if let Err(error) = make(folder) {
        tracing::error!(folder = %folder.display(), %error, "cannot make the profiles folder; run `spo-node non-root-enabler` as root, or this as root");
    }
    match Lock::take(folder).await {
        Ok(lock) => Ok(Some(lock)),
        Err(taken @ LockError::Taken(_)) => Err(taken.into()),
        Err(error @ LockError::Impossible { .. }) => {
            tracing::error!(error = %chain(&error), "going on without a lock");
            Ok(None)
        }
    }
}

fn make(folder: &Path) -> std::io::Result<()> {
    if folder.symlink_metadata().is_ok() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o744))
}

fn say_what_is_missing(modules: Modules) -> Result<()> {
    let any = modules.with_seccomp || modules.with_selinux || modules.with_apparmor;
    ensure!(any, "no module is enabled: leave out --with-seccomp=false");
    if modules.with_recording {
        tracing::warn!(flag = "--with-recording", "this version does not serve that yet");
    }
    Ok(())
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn version(json: bool) -> Result<()> {
    let version = spo_api::version!();
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&version)?)?
    } else {
        write!(out, "{version}")?
    }
    Ok(())
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "spo-node", &mut text);
    Ok(std::io::stdout().lock().write_all(&text)?)
}
