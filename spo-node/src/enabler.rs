//! `spo-node non-root-enabler`: what a node needs once, done with privilege, so that the daemon needs none.
//!
//! Every step leaves what it finds as it should be, so it may be run at every start of the pod.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::args::Enabler;
use crate::paths::{self, KubeletConfig, below};
use crate::source::kubernetes;

/// The user and the group of the daemon.
const DAEMON: u32 = 65535;
const FOLDER_MODE: u32 = 0o744;

/// Prepares the node.
///
/// # Errors
/// What could not be made, and where.
pub fn enable(settings: &Enabler) -> Result<()> {
    let (root, kubelet) = (&settings.host.root, kubelet(settings)?);
    let seccomp = below(root, &kubelet.join("seccomp"));
    let state = below(root, Path::new(paths::STATE));
    folder(&seccomp)?;
    folder(&state)?;
    // Whatever mode it had: it is ours. The kubelet's may be as others need it.
    set_mode(&state)?;
    link(&below(root, &paths::profiles(&kubelet)))?;
    let config =
        serde_json::to_vec(&KubeletConfig { kubelet_dir: kubelet }).context("cannot write where the kubelet is")?;
    write(&below(root, Path::new(paths::KUBELET_CONFIG)), &config)?;
    lchown(&state, Some(DAEMON), Some(DAEMON))
        .with_context(|| format!("cannot give {} to the user {DAEMON}; run this as root", state.display()))?;
    copy(&settings.profiles, &seccomp)?;
    if settings.apparmor {
        tracing::warn!("this version has no AppArmor profiles of its own; --apparmor has no effect");
    }
    tracing::info!(state = %state.display(), seccomp = %seccomp.display(), "the node is prepared");
    Ok(())
}

/// The kubelet's folder: as the command line says, else the node's label, else the environment or the default.
fn kubelet(settings: &Enabler) -> Result<PathBuf> {
    let in_cluster = settings.kubeconfig.is_some() || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let labelled = match (&settings.host.kubelet_dir, &settings.node_name) {
        (None, Some(node)) if in_cluster => {
            let how = kubernetes::Settings { kubeconfig: settings.kubeconfig.clone(), node_name: node.clone() };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
            runtime.block_on(kubernetes::node::kubelet_dir(&how))?
        }
        _ => None,
    };
    Ok(labelled.unwrap_or_else(|| settings.host.configured_kubelet()))
}

/// A folder, and the parents that it lacks. One that is made here has the mode that the reference operator gives it.
fn folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
    set_mode(path)
}

fn set_mode(folder: &Path) -> Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))
        .with_context(|| format!("cannot set the mode of {}", folder.display()))
}

/// The profiles folder as a link to the state folder. A folder that is there already stays.
fn link(profiles: &Path) -> Result<()> {
    match symlink(paths::STATE, profiles) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match fs::read_link(profiles) {
            Ok(target) if target != Path::new(paths::STATE) => {
                bail!(
                    "{} is a link to {}, and should be one to {}; remove it",
                    profiles.display(),
                    target.display(),
                    paths::STATE
                )
            }
            Ok(_) => Ok(()),
            Err(_no_link) if profiles.is_dir() => {
                tracing::warn!(folder = %profiles.display(), "the profiles folder is no link; the daemon must be able to write to it");
                Ok(())
            }
            Err(_no_link) => bail!("{} is neither a folder nor a link; remove it", profiles.display()),
        },
        Err(error) => Err(error).with_context(|| format!("cannot make the link {}", profiles.display())),
    }
}

/// Copies the files of `from`, if there is such a folder: that of a ConfigMap, whose files are links.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", from.display())),
    };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", from.display()))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b".."));
        if !hidden && path.is_file() {
            let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            write(&to.join(path.file_name().unwrap_or_default()), &content)?;
        }
    }
    Ok(())
}

/// Puts a file in its place whole.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let parent: PathBuf = path.parent().unwrap_or(Path::new("/")).to_owned();
    let write = || {
        let permissions = Permissions::from_mode(0o644);
        let mut file =
            tempfile::Builder::new().prefix(".spo-").suffix(".tmp").permissions(permissions).tempfile_in(parent)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok::<_, std::io::Error>(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
