//! `spo-node installer`: the part of a node that has privilege.
//!
//! Policies of AppArmor and SELinux are compiled and loaded by the host's own programs, as root in the host's mount namespace. The daemon,
//! which talks to the API server, has no privilege; it hands over what is to be installed through a Unix socket. What goes through it is
//! a profile, by kind, name and `spec`: never a path, a command or text of a policy. The installer parses it, holds it against what no
//! configuration can permit, and renders it itself, so that whoever takes over the daemon cannot have more loaded than a profile can say.
//!
//! Requests are few and simple: [`wire`] says what is sent, [`server`] answers, [`remote`] is the host on the daemon's side.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures::StreamExt;
use spo_lsm::host::{AppArmorHost, SelinuxHost};

use crate::daemon::{BoxedHost, Changes};
use crate::signals::Ending;
use crate::watch::FolderWatch;
use server::Station;

#[doc(hidden)]
pub mod fuzz;
pub mod remote;
pub mod server;
pub mod wire;

mod enter;

/// Where the socket is, in the folder that the containers of a pod share.
pub const SOCKET: &str = "/var/run/spo-node/installer.sock";
/// The user of the daemon, who besides root may ask.
pub const DAEMON: u32 = 65535;

/// Settings of the installer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the socket is to be.
    pub socket: PathBuf,
    /// Whether this process is in the host's mount namespace already.
    pub on_host: bool,
}

/// Serves until a signal comes.
///
/// The socket is opened in this container, and then the mount namespace of the host is entered, which a process can do only while it
/// has one thread.
///
/// # Errors
/// The socket cannot be opened, or the host cannot be entered.
pub fn run(settings: &Settings) -> Result<()> {
    let listener = open(&settings.socket)?;
    if !settings.on_host {
        enter::host()?;
    }
    enter::drop_privileges()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let served = runtime.block_on(async {
        let ending = Ending::on_signals()?;
        let stations = watched_hosts().into_iter().map(|(host, changes)| Station::new(host, changes)).collect();
        tracing::info!(socket = %settings.socket.display(), "installing what the daemon hands over");
        server::serve(listener, stations, ending).await
    });
    // A program of the host that is under way goes on by itself; its transaction is whole or not at all.
    runtime.shutdown_background();
    served
}

/// The hosts of the modules that need privilege.
pub fn hosts() -> Vec<BoxedHost> {
    vec![Box::new(SelinuxHost::new()), Box::new(AppArmorHost::new())]
}

/// The same, each with what tells of changes that others make.
pub fn watched_hosts() -> Vec<(BoxedHost, Changes)> {
    let (selinux, apparmor) = (SelinuxHost::new(), AppArmorHost::new());
    let of_selinux = selinux.changes_in().map_or(Changes::Unseen, |folder| notices(&folder));
    let of_apparmor = notices(&apparmor.changes_in());
    vec![(Box::new(selinux), of_selinux), (Box::new(apparmor), of_apparmor)]
}

/// A notice whenever something happens in a folder.
fn notices(folder: &Path) -> Changes {
    let watch = match FolderWatch::new(folder) {
        Ok(watch) => watch,
        // Where there is no such folder, there is no such module.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Changes::Unseen,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "cannot watch: what others change is noticed at the next start");
            return Changes::Unseen;
        }
    };
    let notices = futures::stream::unfold(watch, async |mut watch| {
        // An error ends what can be seen.
        watch.next().await.ok().map(|_seen| ((), watch))
    });
    Changes::Notices(notices.boxed())
}

/// Opens the socket for the daemon and root alone. One that is left of an earlier process is removed.
fn open(path: &Path) -> Result<UnixListener> {
    let cannot = || format!("cannot open the socket {}; choose another place by --socket", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(cannot),
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(cannot)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).with_context(cannot)?;
    if rustix::process::geteuid().is_root() {
        chown(path, Some(DAEMON), Some(DAEMON)).with_context(cannot)?;
    }
    listener.set_nonblocking(true).with_context(cannot)?;
    Ok(listener)
}
