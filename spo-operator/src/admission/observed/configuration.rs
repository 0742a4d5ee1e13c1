//! The part of the cluster's configuration that admission depends on.

use spo_api::daemon::v1::{MissingProfile, SecurityProfilesOperatorDaemonSpec};
use spo_lsm::Policy;

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
    /// What profiles may say.
    pub(super) policy: Policy,
}

/// What counts where there is none, or one that says nothing.
impl Default for Configuration {
    fn default() -> Self {
        Self::from(SecurityProfilesOperatorDaemonSpec::default())
    }
}

impl From<SecurityProfilesOperatorDaemonSpec> for Configuration {
    fn from(spec: SecurityProfilesOperatorDaemonSpec) -> Self {
        let policy = Policy::from_configuration(&spec);
        let webhook = spec.webhook.unwrap_or_default();
        Self {
            missing_profile: webhook.binding.and_then(|binding| binding.missing_profile).unwrap_or_default(),
            exec_prefix: webhook.exec_metadata.and_then(|exec| exec.prefix_command).unwrap_or(true),
            selinux_off: spec.selinux.and_then(|selinux| selinux.enable) == Some(false),
            policy,
        }
    }
}

/// The record of a configuration. `None` for one that cannot be read.
pub(super) fn read(object: Specified) -> Option<Configuration> {
    decode::spec::<SecurityProfilesOperatorDaemonSpec>("SecurityProfilesOperatorDaemon", object).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_configuration_leaves_open_is_as_in_the_reference() {
        let silent = Configuration::default();
        assert_eq!(
            (silent.missing_profile, silent.exec_prefix, silent.selinux_off),
            (MissingProfile::Skip, true, false)
        );
    }

    #[test]
    fn what_a_configuration_says_is_taken() {
        let spec = serde_json::json!({
            "webhook": {"binding": {"missingProfile": "Refuse"}, "execMetadata": {"prefixCommand": false}},
            "selinux": {"enable": false},
        });
        let said = Configuration::from(serde_json::from_value::<SecurityProfilesOperatorDaemonSpec>(spec).unwrap());
        assert_eq!((said.missing_profile, said.exec_prefix, said.selinux_off), (MissingProfile::Refuse, false, true));
    }
}
