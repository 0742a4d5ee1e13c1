//! Conditions of profiles, and the one type of them that is used: `Ready`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ProfileState;
use crate::words::words;

/// The type of the only condition.
pub const READY: &str = "Ready";
/// The most characters of a message; the API server refuses a longer one.
const MESSAGE_MAX: usize = 32768;

/// One aspect of an object's state, with the bounds of `metav1.Condition`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = require_message)]
pub struct Condition {
    /// Which aspect.
    #[schemars(
        length(max = 316),
        regex(
            pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        )
    )]
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as one word for programs.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Why, as text for people; may be empty, must be there.
    #[serde(default)]
    #[schemars(length(max = MESSAGE_MAX))]
    pub message: String,
    /// When `status`, `reason` or `message` last changed.
    pub last_transition_time: Time,
    /// The generation of the object that this was said of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
}

words! {
    /// Whether a condition holds.
    #[derive(Default)]
    #[expect(missing_docs, reason = "the three words of metav1.ConditionStatus")]
    pub enum ConditionStatus("a status of a condition") {
        True = "True",
        False = "False",
        #[default]
        Unknown = "Unknown",
    }
}

words! {
    /// The reasons of the condition `Ready`.
    #[expect(missing_docs, reason = "each is its own explanation")]
    pub enum Reason("a reason of the condition Ready") {
        Available = "Available",
        Unavailable = "Unavailable",
        Creating = "Creating",
        Deleting = "Deleting",
        Pending = "Pending",
        Updating = "Updating",
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
    /// The condition `Ready`: true for [`Reason::Available`] only. A message that is too long for the API is cut.
    pub fn ready(reason: Reason, message: impl Into<String>, generation: Option<i64>, now: Time) -> Self {
        Self {
            r#type: READY.to_owned(),
            status: if reason == Reason::Available { ConditionStatus::True } else { ConditionStatus::False },
            reason: reason.as_str().to_owned(),
            message: cut(message.into()),
            last_transition_time: now,
            observed_generation: generation,
        }
    }

    /// Whether both say the same, whenever they said it and of whichever generation.
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

/// A message that is missing is read as an empty one, because releases before 1.0 left it out. It may not be written so.
fn require_message(schema: &mut Schema) {
    if let Some(message) = schema.get_mut("properties").and_then(|fields| fields.get_mut("message")) {
        message.as_object_mut().map(|message| message.remove("default"));
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push("message".into());
    }
}

fn cut(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_MAX) {
        message.truncate(end);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    fn ready(reason: Reason, message: &str, generation: Option<i64>, second: i64) -> Condition {
        Condition::ready(reason, message, generation, at(second))
    }

    #[test]
    fn the_first_condition_is_added() {
        let mut conditions = Vec::new();
        assert!(set_condition(&mut conditions, ready(Reason::Creating, "", None, 1)));
        assert_eq!(conditions, [ready(Reason::Creating, "", None, 1)]);
    }

    #[test]
    fn the_old_time_stays_when_nothing_changed() {
        let mut conditions = vec![ready(Reason::Available, "", Some(1), 1)];
        assert!(!set_condition(&mut conditions, ready(Reason::Available, "", Some(1), 9)));
        assert_eq!(conditions, [ready(Reason::Available, "", Some(1), 1)]);
    }

    #[test]
    fn a_change_of_the_reason_alone_replaces_the_time_too() {
        let mut conditions = vec![ready(Reason::Creating, "", None, 1)];
        assert!(set_condition(&mut conditions, ready(Reason::Deleting, "", None, 9)));
        assert_eq!(conditions, [ready(Reason::Deleting, "", None, 9)]);
    }

    #[test]
    fn a_newer_generation_is_taken_over_without_a_new_time() {
        let mut conditions = vec![ready(Reason::Available, "", Some(1), 1)];
        assert!(set_condition(&mut conditions, ready(Reason::Available, "", Some(2), 9)));
        assert_eq!(conditions, [ready(Reason::Available, "", Some(2), 1)]);
    }

    #[test]
    fn an_older_generation_is_not_taken_back() {
        let mut conditions = vec![ready(Reason::Available, "", Some(2), 1)];
        assert!(!set_condition(&mut conditions, ready(Reason::Available, "", Some(1), 9)));
        assert_eq!(conditions, [ready(Reason::Available, "", Some(2), 1)]);
    }

    #[test]
    fn conditions_of_other_types_are_left_alone() {
        let other = Condition { r#type: "Synced".to_owned(), ..ready(Reason::Available, "", None, 1) };
        let mut conditions = vec![other.clone()];
        assert!(set_condition(&mut conditions, ready(Reason::Available, "", None, 9)));
        assert_eq!(conditions, [other, ready(Reason::Available, "", None, 9)]);
    }

    #[test]
    fn only_available_is_ready() {
        use ProfileState::{Disabled, Error, InProgress, Installed, Partial, Pending, Terminating};
        for state in [Error, Terminating, Partial, Disabled, Pending, InProgress, Installed] {
            let condition = ready(state.into(), "", None, 1);
            assert_eq!(condition.status == ConditionStatus::True, state == Installed, "{state}");
        }
    }

    #[test]
    fn a_message_is_cut_where_the_api_server_would_refuse_it() {
        let condition = ready(Reason::Unavailable, &"ä".repeat(MESSAGE_MAX + 1), None, 1);
        assert_eq!(condition.message.chars().count(), MESSAGE_MAX);
    }
}
