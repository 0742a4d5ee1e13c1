//! What this machine has, and installing what it lacks.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::run::{Run, cache, say};

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
    // Another installation on this machine may be under way.
    let patient = ["-o", "DPkg::Lock::Timeout=600"];
    let apt = || Run::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(patient);
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

/// A program of crates.io at one version, built once and kept outside the clone. Says what it builds.
pub(crate) fn tool(name: &str, version: &str, args: &[&str]) -> Result<PathBuf> {
    tool_built_with(name, version, args, &[])
}

/// As [`tool`], for one whose build asks for something by environment variables.
pub(crate) fn tool_built_with(name: &str, version: &str, args: &[&str], env: &[(&str, &OsStr)]) -> Result<PathBuf> {
    let tools = cache()?.join("tools");
    let path = tools.join("bin").join(name);
    if Run::new(&path).arg("--version").quiet().output().is_ok_and(|text| is_version(&text, version)) {
        return Ok(path);
    }
    say(&format!("building {name} {version} into {}, once", tools.display()));
    let install =
        Run::cargo().args(["install", name, "--version", version, "--locked", "--force", "--root"]).arg(&tools);
    env.iter().fold(install.args(args), |run, (key, value)| run.env(key, value)).run()?;
    Ok(path)
}

/// Whether what `--version` printed names this version as a word.
fn is_version(text: &str, version: &str) -> bool {
    text.split_whitespace().any(|word| word == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name_and_files_by_path() {
        assert!(present("sh"));
        assert!(present("/proc/self"));
        assert!(!present("/nowhere/at-all"));
        assert!(!present("no-such-program-anywhere"));
    }

    #[test]
    fn a_version_is_a_word_of_its_own() {
        assert!(is_version("cargo-deny 0.20.2\n", "0.20.2"));
        assert!(!is_version("cargo-deny 0.20.20\n", "0.20.2"));
    }
}
