//! The kinds of the API, one table each.
//!
//! A test holds the tables against the CRDs: a field that is added to a type and not here breaks the build.

use crate::error::Reason;
use crate::legacy::Legacy;
use crate::shape::Field;
use crate::version::Version;

mod apparmor;
mod binding;
mod daemon;
mod node_status;
mod parts;
mod recording;
mod seccomp;
mod selinux;
#[cfg(test)]
mod tests;

/// What conversion knows of a kind.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The version besides `v1`.
    pub(crate) old: Version,
    /// `spec` and `status`.
    pub(crate) fields: &'static [Field],
    /// What releases before 1.0 wrote differently in the older version.
    pub(crate) legacy: &'static [Legacy],
}

impl Table {
    /// Whether a field at the root of an object is looked at.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name) || self.legacy.iter().any(|legacy| legacy.steps().first() == Some(&name))
    }

    /// Whether there is a conversion between two versions.
    pub(crate) fn check_pair(&self, from: Version, to: Version) -> Result<(), Reason> {
        for version in [from, to] {
            if ![Version::V1, self.old].contains(&version) {
                return Err(Reason::NoSuchVersion(version, self.old));
            }
        }
        if from == to { Err(Reason::SameVersion(to)) } else { Ok(()) }
    }
}

static TABLES: [Table; 8] = [
    seccomp::TABLE,
    selinux::TABLE,
    selinux::RAW,
    apparmor::TABLE,
    binding::TABLE,
    recording::TABLE,
    node_status::TABLE,
    daemon::TABLE,
];

/// The table of a kind.
pub(crate) fn table(kind: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == kind)
}
