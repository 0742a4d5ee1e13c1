//! From what was found out about a profile to what its status says. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::api::ObjectMeta;
use spo_api::condition::{Condition, Reason, set_condition};
use spo_api::node_status::v1::{
    SecurityProfileNodeStatus, SecurityProfileNodeStatusSpec, SecurityProfileNodeStatusStatus,
};
use spo_api::{Module, ProfileKey, ProfileKind, ProfileState, Violation, labels};
use spo_lsm::host::{HostError, Unsupported};

use crate::catalogue::Refusal;
use crate::source::{EventReason, Report};

/// What a message has at most: one is kept of every profile on every node, and read by people.
const MAX_MESSAGE_BYTES: usize = 1024;
/// What is wrong with a profile takes so much of it at most; the rest is counted.
pub(crate) const MAX_LIST_BYTES: usize = 600;

/// Where a profile stands on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Installed and proven.
    Installed {
        /// What its author should know.
        warnings: Vec<Violation>,
    },
    /// Its object is being deleted, and pods use it: its file stays.
    Held,
    /// Its object is being deleted, and its file is gone.
    Removed,
    /// Switched off.
    Disabled {
        /// Whether its file is still there, because pods use it.
        kept: bool,
    },
    /// Waiting to be merged, its file gone.
    Partial,
    /// This kernel cannot use it.
    Unsupported(Unsupported),
    /// It cannot be installed as it is written.
    Refused {
        /// Why.
        why: Refusal,
        /// Whether a file of an earlier generation is still there.
        kept: bool,
    },
    /// It could not be installed.
    Failed {
        /// Why.
        error: HostError,
        /// Whether a file of an earlier generation is still there.
        kept: bool,
    },
    /// It could not be removed.
    Stuck {
        /// What it should be.
        state: ProfileState,
        /// Why.
        error: HostError,
    },
}

impl Standing {
    /// The state of the node status.
    pub fn state(&self) -> ProfileState {
        match self {
            Self::Installed { .. } => ProfileState::Installed,
            Self::Held | Self::Removed => ProfileState::Terminating,
            Self::Disabled { .. } => ProfileState::Disabled,
            Self::Partial => ProfileState::Partial,
            Self::Unsupported(_) | Self::Refused { .. } | Self::Failed { .. } => ProfileState::Error,
            Self::Stuck { state: ProfileState::Terminating, .. } => ProfileState::Terminating,
            Self::Stuck { .. } => ProfileState::Error,
        }
    }

    /// What an event about it would be called, where it is worth one by itself.
    pub fn warning(&self, module: Module) -> Option<EventReason> {
        match self {
            Self::Installed { .. } | Self::Held | Self::Removed | Self::Disabled { .. } | Self::Partial => None,
            Self::Unsupported(_) => Some(EventReason::NotSupported(module)),
            Self::Refused { why: Refusal::NotPermitted(_) | Refusal::Unknown(_), .. } => Some(EventReason::NotAllowed),
            Self::Refused { .. } => Some(EventReason::Invalid(module)),
            Self::Failed { .. } => Some(EventReason::CannotSave(module)),
            Self::Stuck { .. } => Some(EventReason::CannotRemove(module)),
        }
    }

    /// Whether a step that failed is what it says.
    pub fn is_of_a_step(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Stuck { .. })
    }

    /// The message, for people: at most 1 KiB.
    pub fn message(&self, key: &ProfileKey) -> String {
        let place = place(key);
        let text = match self {
            Self::Installed { warnings } if warnings.is_empty() => format!("installed as {place}"),
            Self::Installed { warnings } => format!("installed as {place}; please look at {}", list(warnings)),
            Self::Held => format!("being deleted; {place} stays until no pod uses it"),
            Self::Removed => "being deleted; removed from this node".to_owned(),
            Self::Disabled { kept: false } => "switched off by spec.state, and not on this node".to_owned(),
            Self::Disabled { kept: true } => format!("switched off by spec.state; {place} stays until no pod uses it"),
            Self::Partial => "waits to be merged with the other parts of its recording".to_owned(),
            Self::Unsupported(unsupported) => unsupported.to_string(),
            Self::Refused { why, .. } => why.to_string(),
            Self::Failed { error, .. } => format!("cannot install {place}: {}", chain(error)),
            Self::Stuck { error, .. } => format!("cannot remove {place}: {}", chain(error)),
        };
        let end = match self {
            Self::Refused { kept: true, .. } | Self::Failed { kept: true, .. } => {
                format!("; {place} stays as an earlier generation left it")
            }
            _ => String::new(),
        };
        cut(text, MAX_MESSAGE_BYTES - end.len()) + &end
    }
}

/// Where the profile is, as a pod names it.
fn place(key: &ProfileKey) -> String {
    match key.kind {
        ProfileKind::Seccomp => spo_api::seccomp::localhost_profile(&key.name),
        ProfileKind::Selinux | ProfileKind::RawSelinux => format!("{}.process", key.name),
        ProfileKind::AppArmor => key.name.to_string(),
    }
}

/// Several violations as one sentence: the first few, and how many more there are.
pub(crate) fn list(violations: &[Violation]) -> String {
    let mut text = String::new();
    for (index, violation) in violations.iter().enumerate() {
        let next = violation.to_string();
        if index > 0 && text.len() + next.len() > MAX_LIST_BYTES {
            return format!("{text}; and {} more", violations.len() - index);
        }
        text.push_str(if index > 0 { "; " } else { "" });
        text.push_str(&cut(next, MAX_LIST_BYTES));
    }
    text
}

/// A text, or as much of it as there is room for.
pub(crate) fn cut(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes - '…'.len_utf8()));
        text.push('…');
    }
    text
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// The node status object that says what `report` does about `node`.
///
/// What `old` says besides is kept: denials, conditions of other types, and the time of a condition that did not change. Nothing of it is where
/// it is of another object, that had the same name: that one's generation may have been a later one.
pub fn node_status(
    report: &Report,
    node: &str,
    old: Option<&SecurityProfileNodeStatus>,
    now: Time,
) -> SecurityProfileNodeStatus {
    let is_of_the_same = |old: &&SecurityProfileNodeStatus| {
        let owners = old.metadata.owner_references.iter().flatten();
        report.object.uid.as_ref().is_none_or(|uid| owners.into_iter().any(|owner| owner.uid == *uid))
    };
    let old = old.filter(is_of_the_same).and_then(|old| old.status.as_ref());
    let mut conditions = old.and_then(|old| old.conditions.clone()).unwrap_or_default();
    set_condition(
        &mut conditions,
        Condition::ready(report.reason, report.message.as_str(), Some(report.generation), now),
    );
    let mut object = SecurityProfileNodeStatus::new(
        &labels::node_status_name(&report.key, node),
        SecurityProfileNodeStatusSpec { node_name: node.to_owned() },
    );
    object.metadata = metadata(report, node);
    object.status = Some(SecurityProfileNodeStatusStatus {
        status: Some(report.state),
        conditions: Some(conditions),
        denials: old.and_then(|old| old.denials.clone()),
    });
    object
}

fn metadata(report: &Report, node: &str) -> ObjectMeta {
    let key = &report.key;
    let owner = report.object.uid.as_ref().map(|uid| OwnerReference {
        api_version: report.object.api_version.clone(),
        kind: key.kind.to_string(),
        name: key.name.to_string(),
        uid: uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    });
    let labels = [
        (labels::PROFILE_ID, labels::profile_id(key.kind, key.name.as_str())),
        (labels::NODE_NAME, labels::node_name_value(node)),
        (labels::PROFILE_STATE, report.state.to_string()),
        (labels::PROFILE_KIND, key.kind.to_string()),
    ];
    ObjectMeta {
        name: Some(labels::node_status_name(key, node)),
        labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>()),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// What is reported of a profile that stands so.
pub(crate) fn report(desired: &crate::source::Desired, standing: &Standing) -> Report {
    let state = standing.state();
    Report {
        key: desired.key.clone(),
        generation: desired.generation,
        object: desired.object.clone(),
        state,
        reason: Reason::from(state),
        message: standing.message(&desired.key),
        event: None,
        is_forbidden: matches!(standing, Standing::Refused { why: Refusal::NotPermitted(_), .. }),
    }
}

#[cfg(test)]
mod tests {
    use spo_api::FieldPath;
    use spo_api::condition::ConditionStatus;

    use super::*;
    use crate::source::ObjectRef;

    fn key() -> ProfileKey {
        ProfileKey { kind: ProfileKind::Seccomp, name: "web".parse().unwrap() }
    }

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    fn report(state: ProfileState, uid: Option<&str>) -> Report {
        Report {
            key: key(),
            generation: 3,
            object: ObjectRef {
                api_version: "security-profiles-operator.x-k8s.io/v1".into(),
                uid: uid.map(Into::into),
            },
            state,
            reason: state.into(),
            message: "why".into(),
            event: None,
            is_forbidden: false,
        }
    }

    #[test]
    fn a_node_status_carries_labels_owner_and_condition() {
        let status = node_status(&report(ProfileState::Installed, Some("1-2")), "node1", None, at(1));
        let labels = status.metadata.labels.unwrap();
        assert_eq!(labels["spo.x-k8s.io/profile-id"], "SeccompProfile-web");
        assert_eq!(labels["spo.x-k8s.io/node-name"], "node1");
        assert_eq!(labels["spo.x-k8s.io/profile-state"], "Installed");
        assert_eq!(labels["spo.x-k8s.io/profile-kind"], "SeccompProfile");
        let owners = status.metadata.owner_references.unwrap();
        assert_eq!((owners.len(), owners[0].uid.as_str(), owners[0].controller), (1, "1-2", Some(true)));
        assert_eq!(status.spec.node_name, "node1");
        let ready = &status.status.unwrap().conditions.unwrap()[0];
        assert_eq!((ready.status, ready.observed_generation), (ConditionStatus::True, Some(3)));
    }

    #[test]
    fn an_object_without_identity_owns_nothing() {
        assert_eq!(
            node_status(&report(ProfileState::Error, None), "node1", None, at(1)).metadata.owner_references,
            None
        );
    }

    #[test]
    fn what_did_not_change_keeps_its_time() {
        let report = report(ProfileState::Installed, None);
        let first = node_status(&report, "node1", None, at(1));
        assert_eq!(node_status(&report, "node1", Some(&first), at(9)), first);
    }

    #[test]
    fn a_refusal_names_field_reason_and_what_stays() {
        let why = Refusal::Invalid(vec![Violation::new(FieldPath::new("spec").child("flags"), "is wrong")]);
        let standing = Standing::Refused { why, kept: true };
        assert_eq!(
            standing.message(&key()),
            "spec.flags: is wrong; operator/web.json stays as an earlier generation left it"
        );
        assert_eq!(standing.state(), ProfileState::Error);
    }

    #[test]
    fn a_message_tells_the_first_of_what_is_wrong_and_counts_the_rest() {
        let wrong = |index: usize| Violation::new(FieldPath::new("spec").index(index), "is wrong");
        let message = |count| {
            let why = Refusal::Invalid((0..count).map(wrong).collect());
            Standing::Refused { why, kept: true }.message(&key())
        };
        assert!(message(3).starts_with("spec[0]: is wrong; spec[1]: is wrong; spec[2]: is wrong; operator"));
        let many = message(5000);
        assert!(many.starts_with("spec[0]: is wrong; ") && many.contains(" more; operator/web.json stays"), "{many}");
        assert!(many.len() <= MAX_MESSAGE_BYTES, "{}", many.len());
    }

    #[test]
    fn a_message_has_a_kibibyte_at_most_and_says_what_stays() {
        let why = Refusal::Unknown("ä".repeat(5000));
        let longest = ProfileKey { name: "n".repeat(253).parse().unwrap(), ..key() };
        let message = Standing::Refused { why, kept: true }.message(&longest);
        assert!(message.len() <= MAX_MESSAGE_BYTES && message.contains("ä…; operator/nnn"), "{message}");
        assert!(message.ends_with("n.json stays as an earlier generation left it"), "{message}");
    }

    #[test]
    fn w_nd_4_a_kernel_without_seccomp_is_told_in_the_status() {
        let unsupported =
            Unsupported { reason: "this kernel has no seccomp filters".into(), next_step: "use another".into() };
        let standing = Standing::Unsupported(unsupported);
        assert_eq!(standing.message(&key()), "this kernel has no seccomp filters; use another");
        assert_eq!(standing.warning(Module::Seccomp), Some(EventReason::NotSupported(Module::Seccomp)));
        assert_eq!(standing.state(), ProfileState::Error);
    }
}
