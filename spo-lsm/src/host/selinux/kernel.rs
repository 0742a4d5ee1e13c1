//! What the kernel says of its policy, by the files of selinuxfs.

use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::host::{HostError, Unsupported};

/// The policy that the kernel enforces.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    selinuxfs: PathBuf,
    /// The context of this process: user and level of it are names that the policy has.
    own_context: PathBuf,
}

impl Kernel {
    pub(super) fn new(root: &Path) -> Self {
        Self { selinuxfs: root.join("sys/fs/selinux"), own_context: root.join("proc/self/attr/current") }
    }

    /// Whether it has SELinux, and a policy.
    pub(super) fn support(&self) -> Result<(), Unsupported> {
        if !self.selinuxfs.join("enforce").exists() {
            return Err(Unsupported {
                reason: "SELinux is not switched on on this host".to_owned(),
                next_step: "boot a kernel that has it with security=selinux, and a policy of the distribution"
                    .to_owned(),
            });
        }
        if self.user_and_level().is_none() {
            return Err(Unsupported {
                reason: "the kernel has no SELinux policy".to_owned(),
                next_step: "install a policy of the distribution, and boot with it".to_owned(),
            });
        }
        Ok(())
    }

    /// Whether what the policy does not allow is refused; if not, it is only logged.
    pub(super) fn is_enforcing(&self) -> bool {
        std::fs::read(self.selinuxfs.join("enforce")).is_ok_and(|text| text.starts_with(b"1"))
    }

    /// Whether the policy has a type of this name.
    ///
    /// The role is the one of files: of processes, the policy says which roles and users may have which type, which is not asked here.
    pub(super) fn has_type(&self, name: &str) -> Result<bool, HostError> {
        let Some((user, level)) = self.user_and_level() else { return Ok(false) };
        let context = format!("{user}:object_r:{name}{level}\0");
        let path = self.selinuxfs.join("context");
        let written = rustix::fs::open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| rustix::io::write(&file, context.as_bytes()));
        match written {
            Ok(_) => Ok(true),
            Err(Errno::INVAL) => Ok(false),
            Err(errno) => Err(HostError::at("ask the kernel for a type by", &path)(errno)),
        }
    }

    /// The user of this process, and the lower level with a colon before it where the policy has levels.
    fn user_and_level(&self) -> Option<(String, String)> {
        let context = std::fs::read_to_string(&self.own_context).ok()?;
        let mut parts = context.trim_end_matches(['\0', '\n']).splitn(4, ':');
        let (user, _role, _type) = (parts.next()?, parts.next()?, parts.next()?);
        let level =
            parts.next().map_or_else(String::new, |range| format!(":{}", range.split('-').next().unwrap_or(range)));
        Some((user.to_owned(), level))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::*;

    fn kernel(enforce: Option<&str>, context: &str) -> (tempfile::TempDir, Kernel) {
        let root = tempfile::tempdir().unwrap();
        for folder in ["sys/fs/selinux", "proc/self/attr"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        if let Some(enforce) = enforce {
            fs::write(root.path().join("sys/fs/selinux/enforce"), enforce).unwrap();
        }
        fs::write(root.path().join("proc/self/attr/current"), context).unwrap();
        let kernel = Kernel::new(root.path());
        (root, kernel)
    }

    #[rstest]
    #[case::off(None, "docker-default (enforce)\n", Some("SELinux is not switched on on this host"))]
    #[case::no_policy(Some("0"), "kernel\0", Some("the kernel has no SELinux policy"))]
    #[case::on(Some("1"), "system_u:system_r:spc_t:s0-s0:c0.c1023\0", None)]
    fn w_nd_4_a_host_without_selinux_says_what_it_lacks(
        #[case] enforce: Option<&str>,
        #[case] context: &str,
        #[case] reason: Option<&str>,
    ) {
        let (_root, kernel) = kernel(enforce, context);
        assert_eq!(kernel.support().err().map(|unsupported| unsupported.reason).as_deref(), reason);
        assert_eq!(kernel.is_enforcing(), enforce == Some("1"));
    }

    #[rstest]
    #[case("system_u:system_r:spc_t:s0-s0:c0.c1023\0", "system_u", ":s0")]
    #[case("root:staff_r:staff_t:s0:c1,c2\n", "root", ":s0:c1,c2")]
    #[case("system_u:system_r:kernel_t\0", "system_u", "")]
    fn user_and_level_are_those_of_the_process(#[case] context: &str, #[case] user: &str, #[case] level: &str) {
        let (_root, kernel) = kernel(Some("1"), context);
        assert_eq!(kernel.user_and_level(), Some((user.to_owned(), level.to_owned())));
    }
}
