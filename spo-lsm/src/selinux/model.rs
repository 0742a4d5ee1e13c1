//! A SelinuxProfile as it is reasoned about.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::selinux::v1::Mode;
use spo_api::{AdminState, ProfileName, Violation};

/// The label that is the profile's own type.
pub const SELF: &str = "@self";

/// Permissions by class.
pub(super) type Classes = BTreeMap<String, BTreeSet<String>>;
/// Permissions by class by label.
pub(super) type Rules = BTreeMap<String, Classes>;

/// A well-formed SelinuxProfile; only [`parse`](super::parse) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(super) name: ProfileName,
    pub(super) state: Option<AdminState>,
    pub(super) mode: Mode,
    pub(super) inherits: Vec<Inherit>,
    pub(super) rules: Rules,
    pub(super) warnings: Vec<Violation>,
}

/// What a profile builds on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Inherit {
    /// A template of the operator.
    System(String),
    /// Another SelinuxProfile.
    Profile(ProfileName),
}

impl Profile {
    /// Its name.
    pub fn name(&self) -> &ProfileName {
        &self.name
    }

    /// Whether nodes install it.
    pub fn state(&self) -> Option<AdminState> {
        self.state
    }

    /// Whether what it does not allow is refused.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What it builds on, as it was written.
    pub fn inherits(&self) -> &[Inherit] {
        &self.inherits
    }

    /// The SelinuxProfiles that it builds on, as [`Limits::profiles`](super::Limits::profiles) wants them.
    pub fn inherited_profiles(&self) -> impl Iterator<Item = &ProfileName> {
        self.inherits.iter().filter_map(|inherit| match inherit {
            Inherit::Profile(name) => Some(name),
            Inherit::System(_) => None,
        })
    }

    /// Permissions by class by label, without what permits nothing. The label [`SELF`] is its own type.
    pub fn rules(&self) -> &BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
        &self.rules
    }

    /// What is no reason to refuse it, but should be told to whoever wrote it.
    pub fn warnings(&self) -> &[Violation] {
        &self.warnings
    }
}
