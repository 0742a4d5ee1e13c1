//! What a cluster's configuration permits profiles to contain.

use std::collections::BTreeSet;

use spo_api::daemon::v1::SecurityProfilesOperatorDaemonSpec;
use spo_api::seccomp::Action;

use crate::selinux::Limits;

/// What the cluster's configuration permits. The default is that of a cluster whose configuration says nothing: any system call, and
/// what [`Limits`] has built in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `security.allowedSyscalls`: the calls that a profile may permit. None, or an empty set, switches the check off.
    pub allowed_syscalls: Option<BTreeSet<String>>,
    /// `security.allowedSeccompActions`: the permissive actions that a profile may use while the check is on; all of
    /// ALLOW, LOG, TRACE and NOTIFY by default.
    pub allowed_actions: Option<BTreeSet<Action>>,
    /// `selinux`: what SelinuxProfiles and RawSelinuxProfiles may say, and which there are.
    pub selinux: Limits,
}

impl Policy {
    /// What a configuration says. Which SelinuxProfiles there are it does not, so that [`Limits::profiles`] is for the caller to fill in.
    pub fn from_configuration(configuration: &SecurityProfilesOperatorDaemonSpec) -> Self {
        let security = configuration.security.as_ref();
        let syscalls = security.and_then(|security| security.allowed_syscalls.as_ref());
        let actions = security.and_then(|security| security.allowed_seccomp_actions.as_ref());
        Self {
            allowed_syscalls: syscalls.map(|names| names.iter().cloned().collect()),
            allowed_actions: actions.map(|actions| actions.iter().copied().collect()),
            selinux: Limits::from_configuration(configuration.selinux.as_ref()),
        }
    }
}
