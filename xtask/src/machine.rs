//! What this machine has, and installing what it lacks.

use std::path::Path;

use anyhow::{Result, bail};

use crate::run::{Run, say};

/// A Debian package, and a file by which it is known to be there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// A path, or the name of a program in PATH.
    pub(crate) file: &'static str,
}

/// Installs those of `packages` that are missing, and says which. Elsewhere than on Debian or Ubuntu, or without root, it
/// says what is missing instead.
pub(crate) fn require(packages: &[Package], what_for: &str) -> Result<()> {
    let missing: Vec<&str> = packages.iter().filter(|p| !present(p.file)).map(|p| p.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !present("apt-get") {
        bail!("{what_for} needs what Debian calls: {list}. This machine has no apt-get; install them and try again");
    }
    if !is_root() {
        bail!("{what_for} needs: {list}. Run as root, or first: sudo apt-get install {list}");
    }
    say(&format!("installing for {what_for}: {list}"));
    let apt = || Run::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["update", "-qq"]).run()?;
    apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing).run()
}

/// Whether a path exists, or a program is in PATH.
pub(crate) fn present(file: &str) -> bool {
    if file.starts_with('/') {
        return Path::new(file).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(file).is_file())
        || ["/usr/sbin", "/sbin"].iter().any(|dir| Path::new(dir).join(file).is_file())
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
