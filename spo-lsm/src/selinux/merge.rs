//! One profile that permits what two permit (`spec/node.md` 12).

use spo_api::ProfileName;

use super::effect::is_own;
use super::parse::{MAX_INHERITS, MAX_PERMISSIONS, MAX_RULES};
use super::{Inherit, Profile, SELF};

/// Why there is no profile that permits what two permit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// One refuses what it does not allow, and the other only logs it. Merged into a permissive profile nothing would be refused any
    /// more, merged into an enforcing one what the other let pass would be.
    #[error("{enforcing} is Enforcing and {permissive} is Permissive; set spec.mode of both to the one that is wanted")]
    Modes {
        /// The one that refuses.
        enforcing: ProfileName,
        /// The one that logs.
        permissive: ProfileName,
    },
    /// Each inherits another SelinuxProfile. Both bring a type `process`, and there is room for one.
    #[error(
        "one inherits the SelinuxProfile {first} and the other {second}, and a profile can inherit one only; merge these two, and inherit what comes of it"
    )]
    Bases {
        /// What the first inherits.
        first: ProfileName,
        /// What the second inherits.
        second: ProfileName,
    },
    /// It would be larger than a profile may be.
    #[error(
        "together they have more rules than a profile may have ({MAX_RULES} classes with {MAX_PERMISSIONS} permissions, {MAX_INHERITS} inherited policies); split them by container"
    )]
    TooLarge,
}

/// The profile that permits what `base` and `other` permit, and nothing else. Name and state are those of `base`.
///
/// A rule about the own type of `other` becomes one about that of `base`: a workload that ran as the one is to run as the other.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(base: &Profile, other: &Profile) -> Result<Profile, MergeError> {
    modes(base, other)?;
    let mut merged = Profile { warnings: Vec::new(), ..base.clone() };
    for inherit in other.inherits.iter().filter(|inherit| !is_base(inherit, base)) {
        if !merged.inherits.contains(inherit) {
            merged.inherits.push(inherit.clone());
        }
    }
    bases(&merged)?;
    for (label, classes) in &other.rules {
        let label = if is_own(&other.name, label) { own_label(&merged) } else { label.clone() };
        for (class, permissions) in classes {
            let classes = merged.rules.entry(label.clone()).or_default();
            classes.entry(class.clone()).or_default().extend(permissions.iter().cloned());
        }
    }
    if is_too_large(&merged) { Err(MergeError::TooLarge) } else { Ok(merged) }
}

/// Whether it is `base` that is inherited, whose rules are there anyway.
fn is_base(inherit: &Inherit, base: &Profile) -> bool {
    matches!(inherit, Inherit::Profile(name) if *name == base.name)
}

fn modes(base: &Profile, other: &Profile) -> Result<(), MergeError> {
    use spo_api::selinux::v1::Mode::{Enforcing, Permissive};
    let modes = |enforcing: &Profile, permissive: &Profile| MergeError::Modes {
        enforcing: enforcing.name.clone(),
        permissive: permissive.name.clone(),
    };
    match (base.mode, other.mode) {
        (Enforcing, Permissive) => Err(modes(base, other)),
        (Permissive, Enforcing) => Err(modes(other, base)),
        (Enforcing, Enforcing) | (Permissive, Permissive) => Ok(()),
    }
}

fn bases(merged: &Profile) -> Result<(), MergeError> {
    let mut profiles = merged.inherited_profiles();
    match (profiles.next(), profiles.next()) {
        (Some(first), Some(second)) if first != second => {
            Err(MergeError::Bases { first: first.clone(), second: second.clone() })
        }
        _ => Ok(()),
    }
}

/// The label by which `merged` speaks of its own type, so that one stays one.
fn own_label(merged: &Profile) -> String {
    merged.rules.keys().find(|label| is_own(&merged.name, label)).map_or(SELF, String::as_str).to_owned()
}

fn is_too_large(merged: &Profile) -> bool {
    let classes = merged.rules.values();
    let pairs: usize = classes.clone().map(|classes| classes.len()).sum();
    let permissions: usize = classes.flat_map(|classes| classes.values()).map(|permissions| permissions.len()).sum();
    pairs > MAX_RULES || permissions > MAX_PERMISSIONS || merged.inherits.len() > MAX_INHERITS
}
