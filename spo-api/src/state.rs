//! The state of a profile, on one node and over all of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::labels;
use crate::words::words;

words! {
    /// How far a profile has come, on a node (`SecurityProfileNodeStatus`) or over all of them (a profile's own status).
    ///
    /// `Ord` is by [rank](ProfileState::rank), so that the lowest of several is their minimum. `ALL` has the order of the schema.
    pub enum ProfileState("a state of a profile") {
        /// Recorded from one replica or container, and waiting to be merged. Not installed.
        Partial = "Partial",
        /// Switched off by `spec.state`. Not installed.
        Disabled = "Disabled",
        /// Nothing was done yet.
        Pending = "Pending",
        /// Being installed.
        InProgress = "InProgress",
        /// Installed and proven, for the current generation.
        Installed = "Installed",
        /// The object is being deleted.
        Terminating = "Terminating",
        /// It could not be installed; the condition says why.
        Error = "Error",
    }
}

impl ProfileState {
    /// All of them, lowest rank first.
    pub const BY_RANK: [Self; 7] = [
        Self::Error,
        Self::Terminating,
        Self::Partial,
        Self::Disabled,
        Self::Pending,
        Self::InProgress,
        Self::Installed,
    ];

    /// Where the state stands among the others: 0 is [`ProfileState::Error`], 6 is [`ProfileState::Installed`].
    pub const fn rank(self) -> u8 {
        match self {
            Self::Error => 0,
            Self::Terminating => 1,
            Self::Partial => 2,
            Self::Disabled => 3,
            Self::Pending => 4,
            Self::InProgress => 5,
            Self::Installed => 6,
        }
    }
}

impl Ord for ProfileState {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for ProfileState {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The state of a profile over its nodes: the lowest of theirs, [`ProfileState::Installed`] if there is none.
pub fn fold(states: impl IntoIterator<Item = ProfileState>) -> ProfileState {
    states.into_iter().min().unwrap_or(ProfileState::Installed)
}

words! {
    /// `spec.state`: whether nodes install the profile.
    #[derive(Default)]
    pub enum AdminState("a value of spec.state") {
        /// Nodes install it.
        #[default]
        Enabled = "Enabled",
        /// Nodes keep the object and skip it.
        Disabled = "Disabled",
    }
}

/// The state that a node starts from, by a profile's `spec.state` and its labels: [`ProfileState::Disabled`],
/// [`ProfileState::Partial`], or [`ProfileState::Pending`] for one that is to be installed.
pub fn first_state(state: Option<AdminState>, labels: Option<&BTreeMap<String, String>>) -> ProfileState {
    if state == Some(AdminState::Disabled) {
        ProfileState::Disabled
    } else if labels.is_some_and(|labels| labels.contains_key(labels::PARTIAL)) {
        ProfileState::Partial
    } else {
        ProfileState::Pending
    }
}

/// Whether nodes install a profile with this `spec.state` and these labels: it is neither switched off nor partial.
pub fn is_reconcilable(state: Option<AdminState>, labels: Option<&BTreeMap<String, String>>) -> bool {
    first_state(state, labels) == ProfileState::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_state_wins() {
        use ProfileState::{Error, Installed, Pending, Terminating};
        assert_eq!(fold([]), Installed);
        assert_eq!(fold([Installed, Pending, Installed]), Pending);
        assert_eq!(fold([Pending, Error, Terminating]), Error);
    }

    #[test]
    fn neither_disabled_nor_partial_profiles_are_installed() {
        let partial = BTreeMap::from([(labels::PARTIAL.to_owned(), String::new())]);
        let plain = BTreeMap::new();
        let check = |state, labels, want| {
            assert_eq!(first_state(state, labels), want, "{state:?} {labels:?}");
            assert_eq!(is_reconcilable(state, labels), want == ProfileState::Pending);
        };
        check(None, None, ProfileState::Pending);
        check(Some(AdminState::Enabled), Some(&plain), ProfileState::Pending);
        check(None, Some(&partial), ProfileState::Partial);
        check(Some(AdminState::Disabled), None, ProfileState::Disabled);
        check(Some(AdminState::Disabled), Some(&partial), ProfileState::Disabled);
    }

    #[test]
    fn ranks_follow_the_listed_order() {
        for (rank, state) in ProfileState::BY_RANK.into_iter().enumerate() {
            assert_eq!(usize::from(state.rank()), rank, "{state}");
        }
        assert!(ProfileState::BY_RANK.is_sorted());
    }
}
