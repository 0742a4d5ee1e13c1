//! What a cluster's configuration permits profiles to contain.

use std::collections::BTreeSet;

use spo_api::seccomp::Action;

/// What the cluster's configuration permits. The default permits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `security.allowedSyscalls`: the calls that a profile may permit. None, or an empty set, switches the check off.
    pub allowed_syscalls: Option<BTreeSet<String>>,
    /// `security.allowedSeccompActions`: the permissive actions that a profile may use while the check is on; all of
    /// ALLOW, LOG, TRACE and NOTIFY by default.
    pub allowed_actions: Option<BTreeSet<Action>>,
}
