//! What the kernel says of its profiles, by the files of securityfs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode as FileMode, OFlags};
use spo_api::apparmor::v1::Mode;

use crate::host::{HostError, Unsupported};

/// The kernel's side.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    /// The switch of the module.
    enabled: PathBuf,
    securityfs: PathBuf,
}

impl Kernel {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            enabled: root.join("sys/module/apparmor/parameters/enabled"),
            securityfs: root.join("sys/kernel/security/apparmor"),
        }
    }

    /// Whether profiles can be loaded (`spec/node.md` 4.1).
    pub(super) fn support(&self) -> Result<(), Unsupported> {
        let is_on = std::fs::read(&self.enabled).is_ok_and(|text| text.starts_with(b"Y"));
        if !is_on {
            return Err(Unsupported {
                reason: "AppArmor is not switched on on this host".to_owned(),
                next_step: "boot a kernel that has it with apparmor=1 security=apparmor".to_owned(),
            });
        }
        if !self.securityfs.join("profiles").exists() {
            return Err(Unsupported {
                reason: format!("there is nothing at {}", self.securityfs.display()),
                next_step: "mount securityfs at /sys/kernel/security".to_owned(),
            });
        }
        Ok(())
    }

    /// The profiles that are loaded, with their modes; none for a mode that ours cannot have.
    pub(super) fn loaded(&self) -> Result<BTreeMap<String, Option<Mode>>, HostError> {
        let path = self.securityfs.join("profiles");
        let text = std::fs::read(&path).map_err(|error| HostError::at("read", &path)(errno(&error)))?;
        Ok(String::from_utf8_lossy(&text).lines().filter_map(line).collect())
    }

    /// Takes a profile away. Whoever runs under it runs on unconfined.
    pub(super) fn remove(&self, name: &str) -> Result<(), HostError> {
        let path = self.securityfs.join(".remove");
        let written = rustix::fs::open(&path, OFlags::WRONLY | OFlags::CLOEXEC, FileMode::empty())
            .and_then(|file| rustix::io::write(&file, name.as_bytes()));
        written.map(|_| ()).map_err(HostError::at("remove a profile by", &path))
    }
}

/// A line as `docker-default (enforce)`; the name may have blanks.
fn line(line: &str) -> Option<(String, Option<Mode>)> {
    let (name, mode) = line.strip_suffix(')')?.rsplit_once(" (")?;
    let mode = match mode {
        "enforce" => Some(Mode::Enforce),
        "complain" => Some(Mode::Complain),
        _ => None,
    };
    Some((name.to_owned(), mode))
}

fn errno(error: &std::io::Error) -> rustix::io::Errno {
    error.raw_os_error().map_or(rustix::io::Errno::IO, rustix::io::Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::*;

    fn kernel(enabled: Option<&str>, profiles: Option<&str>) -> (tempfile::TempDir, Kernel) {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        if let Some(enabled) = enabled {
            write("sys/module/apparmor/parameters/enabled", enabled);
        }
        if let Some(profiles) = profiles {
            write("sys/kernel/security/apparmor/profiles", profiles);
        }
        let kernel = Kernel::new(root.path());
        (root, kernel)
    }

    #[rstest]
    #[case::compiled_out(None, None, Some("AppArmor is not switched on on this host"))]
    #[case::off(Some("N\n"), Some(""), Some("AppArmor is not switched on on this host"))]
    #[case::not_mounted(Some("Y\n"), None, Some("there is nothing at "))]
    #[case::on(Some("Y\n"), Some(""), None)]
    fn w_nd_4_a_host_without_apparmor_says_what_it_lacks(
        #[case] enabled: Option<&str>,
        #[case] profiles: Option<&str>,
        #[case] reason: Option<&str>,
    ) {
        let (_root, kernel) = kernel(enabled, profiles);
        let said = kernel.support().err().map(|unsupported| unsupported.reason);
        assert_eq!(said.is_some(), reason.is_some());
        assert!(said.unwrap_or_default().starts_with(reason.unwrap_or_default()));
    }

    #[test]
    fn profiles_are_listed_with_their_modes() {
        let (_root, kernel) = kernel(Some("Y"), Some("web (enforce)\n/usr/bin/a b (complain)\nodd (kill)\nnone\n"));
        let loaded = kernel.loaded().unwrap();
        assert_eq!(
            loaded.into_iter().collect::<Vec<_>>(),
            [
                ("/usr/bin/a b".to_owned(), Some(Mode::Complain)),
                ("odd".to_owned(), None),
                ("web".to_owned(), Some(Mode::Enforce))
            ]
        );
    }
}
