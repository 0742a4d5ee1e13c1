//! The part of the cluster's configuration that admission depends on.

use spo_api::daemon::v1::SecurityProfilesOperatorDaemonSpec;

use super::decode::{self, Specified};

/// What the configuration says.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// What becomes of a pod whose binding names a profile that is not there.
    pub(crate) missing_profile: MissingProfile,
    /// Whether a command that is run in a container is preceded by `env` and the request's UID.
    pub(crate) exec_prefix: bool,
    /// Whether SELinux is switched off.
    pub(crate) selinux_off: bool,
}

/// What becomes of a pod whose binding names a profile that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingProfile {
    /// The binding has no effect, so that a dangling reference keeps no pod from being created.
    Skip,
    /// The pod is refused.
    Refuse,
}

impl Configuration {
    /// What counts where there is no configuration.
    pub(super) const NONE: Self = Self { missing_profile: MissingProfile::Skip, exec_prefix: true, selinux_off: false };
}

/// The record of a configuration. `None` for one that cannot be read.
pub(super) fn read(object: Specified) -> Option<Configuration> {
    let spec: SecurityProfilesOperatorDaemonSpec = decode::spec("SecurityProfilesOperatorDaemon", object)?;
    Some(Configuration {
        selinux_off: spec.selinux.and_then(|selinux| selinux.enable) == Some(false),
        ..Configuration::NONE
    })
}
