//! What a cluster's configuration permits profiles to contain.

#[cfg(feature = "seccomp")]
use std::collections::BTreeSet;

#[cfg(any(feature = "seccomp", feature = "selinux"))]
use spo_api::daemon::v1::SecurityProfilesOperatorDaemonSpec;
#[cfg(feature = "seccomp")]
use spo_api::seccomp::Action;

#[cfg(feature = "selinux")]
use crate::selinux::Limits;

/// What the cluster's configuration permits. The default is that of a cluster whose configuration says nothing: any system call, and
/// what the limits of SELinux have built in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `security.allowedSyscalls`: the calls that a profile may permit. None, or an empty set, switches the check off.
    #[cfg(feature = "seccomp")]
    pub allowed_syscalls: Option<BTreeSet<String>>,
    /// `security.allowedSeccompActions`: the permissive actions that a profile may use while the check is on; all of
    /// ALLOW, LOG, TRACE and NOTIFY by default.
    #[cfg(feature = "seccomp")]
    pub allowed_actions: Option<BTreeSet<Action>>,
    /// `selinux`: what SelinuxProfiles and RawSelinuxProfiles may say, and which there are.
    #[cfg(feature = "selinux")]
    pub selinux: Limits,
}

impl Policy {
    /// What a configuration says. Which SelinuxProfiles there are it does not, so that [`Limits::profiles`] is for the caller to fill in.
    #[cfg(any(feature = "seccomp", feature = "selinux"))]
    pub fn from_configuration(configuration: &SecurityProfilesOperatorDaemonSpec) -> Self {
        #[cfg(feature = "seccomp")]
        let security = configuration.security.as_ref();
        Self {
            #[cfg(feature = "seccomp")]
            allowed_syscalls: security
                .and_then(|security| security.allowed_syscalls.as_ref())
                .map(|names| names.iter().cloned().collect()),
            #[cfg(feature = "seccomp")]
            allowed_actions: security
                .and_then(|security| security.allowed_seccomp_actions.as_ref())
                .map(|actions| actions.iter().copied().collect()),
            #[cfg(feature = "selinux")]
            selinux: Limits::from_configuration(configuration.selinux.as_ref()),
        }
    }
}
