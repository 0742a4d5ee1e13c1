//! Packages for a guest, from Debian's archive, without touching the machine's own packages.
//!
//! apt runs with a state of its own: an empty list of installed packages, so that it names everything that a bare system needs, and the lists
//! of the guest's release, which may be another than the machine's. Where the archive is comes from the machine's own apt.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::Run;

/// The release whose SELinux policy knows containers (the one before has no `container_t`).
pub(super) const RELEASE: &str = "trixie";

/// What the archive's signatures are checked by.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt with a state of its own, below a folder.
#[derive(Debug)]
pub(super) struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// Reads the archive's lists.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        for part in ["lists/partial", "archives/partial", "none/partial"] {
            let part = dir.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        let archive = Self { dir: dir.to_owned() };
        archive.write("status", "")?;
        archive.write("sources.list", &sources(&sites()?)?)?;
        archive.write("apt.conf", &settings(dir))?;
        archive.apt().arg("update").quiet().run().context("cannot read the lists of Debian's archive")?;
        Ok(archive)
    }

    /// The files of these packages and of all that they need.
    pub(super) fn with_dependencies(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        // Asked with no file there, as apt names only those that it would fetch.
        let none = format!("Dir::Cache::archives={}", self.dir.join("none").display());
        let asked = self.apt().args(["install", "--print-uris", "-o", &none]).args(packages).quiet().output()?;
        let files = fetched(&asked);
        let fetch = self.apt().args(["install", "--download-only"]).args(packages).quiet();
        fetch.output().context("cannot fetch the packages of a guest")?;
        Ok(files.into_iter().map(|file| self.dir.join("archives").join(file)).collect())
    }

    /// The file of the kernel that this package, which holds nothing itself, stands for.
    pub(super) fn kernel(&self, package: &str) -> Result<PathBuf> {
        let cache = Run::new("apt-cache").arg("-c").arg(self.dir.join("apt.conf"));
        let text = cache.args(["depends", package]).quiet().output()?;
        let name = kernel(&text).with_context(|| format!("{package} names no kernel"))?;
        let uris = self.apt().args(["download", "--print-uris", name]).quiet().output()?;
        let file = fetched(&uris).pop().with_context(|| format!("{name} has no file"))?;
        let place = self.dir.join("archives").join(file);
        if !place.is_file() {
            self.apt().args(["download", name]).dir(self.dir.join("archives")).quiet().run()?;
        }
        Ok(place)
    }

    fn apt(&self) -> Run {
        Run::new("apt-get").arg("-c").arg(self.dir.join("apt.conf")).args(["-qq", "-y"])
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Where the machine's own packages come from.
fn sites() -> Result<String> {
    Run::new("apt-get").args(["indextargets", "--format", "$(SITE)"]).quiet().output()
}

/// A `sources.list` of the guest's release: the archive, and its security updates if the machine has those.
fn sources(sites: &str) -> Result<String> {
    let ending =
        |ending: &str| sites.lines().map(|site| site.trim_end_matches('/')).find(|site| site.ends_with(ending));
    let main = ending("/debian").context("apt on this machine names no Debian archive, which guests are made from")?;
    let mut text = format!("deb [signed-by={KEYRING}] {main} {RELEASE} main\n");
    if let Some(security) = ending("/debian-security") {
        text += &format!("deb [signed-by={KEYRING}] {security} {RELEASE}-security main\n");
    }
    Ok(text)
}

/// Read after the machine's own settings, which say how to get through to the archive.
fn settings(dir: &Path) -> String {
    let dir = dir.display();
    // What the machine does after each update, such as emptying its cache, would hit an apt that runs for the machine meanwhile.
    format!(
        "#clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         Dir::Etc::sourcelist \"{dir}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         Dir::State::lists \"{dir}/lists\";\n\
         Dir::State::status \"{dir}/status\";\n\
         Dir::Cache \"{dir}\";\n\
         Dir::Cache::archives \"{dir}/archives\";\n\
         APT::Architecture \"amd64\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Keep-Downloaded-Packages \"true\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Debug::NoLocking \"true\";\n"
    )
}

/// The file names in lines such as `'http://…/a_1_amd64.deb' a_1_amd64.deb 1234 SHA256:…`.
fn fetched(uris: &str) -> Vec<String> {
    let lines = uris.lines().filter(|line| line.starts_with('\''));
    lines.filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
}

/// The kernel among the dependencies of the package that stands for the newest one.
fn kernel(depends: &str) -> Option<&str> {
    let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names
        .into_iter()
        .find(|name| name.strip_prefix("linux-image-").is_some_and(|rest| rest.starts_with(char::is_numeric)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_the_machines_own_and_another_release() {
        let text = sources("http://a.example/debian\nhttp://a.example/debian-security\n").unwrap();
        assert!(text.contains("http://a.example/debian trixie main"), "{text}");
        assert!(text.contains("http://a.example/debian-security trixie-security main"), "{text}");
    }

    #[test]
    fn a_machine_without_a_debian_archive_is_told_so() {
        assert!(sources("http://a.example/ubuntu\n").is_err());
    }

    #[test]
    fn files_are_read_from_what_apt_would_fetch() {
        let uris = "'http://a/x_1%3a2_amd64.deb' x_1%3a2_amd64.deb 10 SHA256:0\nsomething else\n";
        assert_eq!(fetched(uris), ["x_1%3a2_amd64.deb"]);
    }

    #[test]
    fn the_kernel_is_the_numbered_package() {
        let depends =
            "linux-image-cloud-amd64\n  Depends: linux-base\n  Depends: linux-image-6.12.1+deb13-cloud-amd64\n";
        assert_eq!(kernel(depends), Some("linux-image-6.12.1+deb13-cloud-amd64"));
    }
}
