//! The kinds of the API, one table each.
//!
//! A test holds the tables against the CRDs: a field that is added to a type and not here breaks the build.

use spo_api::Kind;

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
    pub(crate) kind: Kind,
    /// `spec` and `status`.
    pub(crate) fields: &'static [Field],
    /// What releases before 1.0 wrote differently in the older version.
    pub(crate) legacy: &'static [Legacy],
}

/// The table of a kind.
pub(crate) fn table(kind: Kind) -> &'static Table {
    match kind {
        Kind::SeccompProfile => &seccomp::TABLE,
        Kind::SelinuxProfile => &selinux::TABLE,
        Kind::RawSelinuxProfile => &selinux::RAW,
        Kind::AppArmorProfile => &apparmor::TABLE,
        Kind::ProfileBinding => &binding::TABLE,
        Kind::ProfileRecording => &recording::TABLE,
        Kind::SecurityProfileNodeStatus => &node_status::TABLE,
        Kind::SecurityProfilesOperatorDaemon => &daemon::TABLE,
    }
}

impl Table {
    /// Whether a field at the root of an object is looked at.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
            || self.legacy.iter().any(|legacy| legacy.steps().first() == Some(&name))
    }

    /// Whether there is a conversion between two versions.
    pub(crate) fn check_pair(&self, from: Version, to: Version) -> Result<(), Reason> {
        if let Some(version) = [from, to].into_iter().find(|version| !self.kind.versions().contains(&version.as_str()))
        {
            return Err(Reason::NoSuchVersion { version, kind: self.kind });
        }
        if from == to { Err(Reason::SameVersion(to)) } else { Ok(()) }
    }
}
