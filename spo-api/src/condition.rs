//! Conditions of profiles, and the one type of them that is used: `Ready`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProfileState;

/// The type of the only condition.
pub const READY: &str = "Ready";

/// One aspect of an object's state, with the bounds of `metav1.Condition`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect.
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as one word for programs.
    pub reason: String,
    /// Why, as text for people; may be empty, must be there.
    pub message: String,
    /// When `status`, `reason` or `message` last changed.
    pub last_transition_time: Time,
    /// The generation of the object that this was said of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the three words of metav1.ConditionStatus")]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// The reasons of the condition `Ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is its own explanation")]
pub enum Reason {
    Available,
    Unavailable,
    Creating,
    Deleting,
    Pending,
    Updating,
}

impl Reason {
    /// The text of `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Unavailable => "Unavailable",
            Self::Creating => "Creating",
            Self::Deleting => "Deleting",
            Self::Pending => "Pending",
            Self::Updating => "Updating",
        }
    }
}

impl From<ProfileState> for Reason {
    /// The reason that goes with a profile's state.
    fn from(state: ProfileState) -> Self {
        match state {
            ProfileState::Installed => Self::Available,
            ProfileState::Pending | ProfileState::InProgress => Self::Creating,
            ProfileState::Terminating => Self::Deleting,
            ProfileState::Partial | ProfileState::Disabled | ProfileState::Error => Self::Unavailable,
        }
    }
}

impl Condition {
    /// The condition `Ready`: true for [`Reason::Available`] only.
    pub fn ready(reason: Reason, message: impl Into<String>, generation: Option<i64>, now: Time) -> Self {
        Self {
            r#type: READY.to_owned(),
            status: if reason == Reason::Available { ConditionStatus::True } else { ConditionStatus::False },
            reason: reason.as_str().to_owned(),
            message: message.into(),
            last_transition_time: now,
            observed_generation: generation,
        }
    }

    fn says_the_same_as(&self, other: &Self) -> bool {
        self.r#type == other.r#type
            && self.status == other.status
            && self.reason == other.reason
            && self.message == other.message
    }
}

/// Puts `new` in the place of the condition of its type, and says whether anything changed.
///
/// Where status, reason and message are as they were, the old time stays; a newer generation is still taken over.
pub fn set_condition(conditions: &mut Vec<Condition>, new: Condition) -> bool {
    match conditions.iter_mut().find(|old| old.r#type == new.r#type) {
        Some(old) if old.says_the_same_as(&new) => {
            let newer = new.observed_generation > old.observed_generation;
            if newer {
                old.observed_generation = new.observed_generation;
            }
            newer
        }
        Some(old) => {
            *old = new;
            true
        }
        None => {
            conditions.push(new);
            true
        }
    }
}
