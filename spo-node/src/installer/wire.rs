//! What daemon and installer say to each other: JSON, in both directions.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/<module>/support` | [`Support`] |
//! | `GET /v1/<module>/installed` | [`Listed`] |
//! | `POST /v1/<module>/steps` with [`Steps`] | [`Outcomes`] |
//! | `GET /v1/<module>/changes` | nothing, as soon as others may have changed something |
//!
//! Both ends are of one release, but for the minutes of an upgrade. So whoever does not understand the other refuses, and what is to be
//! installed comes with the digest of what the sender would make of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{ProfileKey, ProfileKind, ProfileName, Violation};
use spo_lsm::host::{Change, Content, Foreign, HostError, Installed, Step, Unsupported};
use spo_lsm::selinux::{Denied, Inherit};
use spo_lsm::{Checked, Policy, Profile, apparmor, check, parse, render, selinux};

use crate::status::{chain, list};

/// The most that a request may say.
pub const MAX_BYTES: usize = 16 << 20;

/// Whether profiles of a module can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Support {
    /// Why not, if so.
    pub unsupported: Option<Why>,
}

/// Why something is not supported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Why {
    reason: String,
    next_step: String,
}

/// What is installed, or why that cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Listed {
    /// What is.
    Installed {
        /// The digest of each file, as [`spo_lsm::Digest`] is written; none for one that is not as it should be.
        files: BTreeMap<String, Option<String>>,
    },
    /// Why.
    Failed(Failure),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Steps {
    /// In this order.
    pub steps: Vec<Do>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Do {
    /// To install a profile.
    Install {
        /// The kind.
        kind: ProfileKind,
        /// The name.
        name: String,
        /// What it says, in `v1`.
        spec: Value,
        /// The digest of what the daemon would install.
        digest: String,
    },
    /// To remove one.
    Remove {
        /// The kind.
        kind: ProfileKind,
        /// The name.
        name: String,
    },
}

/// What came of each step, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outcomes {
    /// One for each step.
    pub outcomes: Vec<Became>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "as `Change`, and a failure")]
pub enum Became {
    Written,
    Unchanged,
    Removed,
    Absent,
    Failed(Failure),
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// For people.
    pub message: String,
    /// Whether it may go better another time with the same profile.
    pub may_pass: bool,
}

impl From<Result<(), Unsupported>> for Support {
    fn from(support: Result<(), Unsupported>) -> Self {
        let why = |unsupported: Unsupported| Why { reason: unsupported.reason, next_step: unsupported.next_step };
        Self { unsupported: support.err().map(why) }
    }
}

impl From<Support> for Result<(), Unsupported> {
    fn from(support: Support) -> Self {
        let unsupported = |why: Why| Unsupported { reason: why.reason, next_step: why.next_step };
        support.unsupported.map(unsupported).map_or(Ok(()), Err)
    }
}

impl From<Result<Installed, HostError>> for Listed {
    fn from(installed: Result<Installed, HostError>) -> Self {
        let digest = |content| match content {
            Content::Profile(digest) => Some(digest.to_string()),
            Content::Stale => None,
        };
        match installed {
            Ok(installed) => Self::Installed {
                files: installed.files.into_iter().map(|(name, content)| (name, digest(content))).collect(),
            },
            Err(error) => Self::Failed((&error).into()),
        }
    }
}

impl From<Listed> for Result<Installed, HostError> {
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Installed { files } => {
                let content = |digest: Option<String>| {
                    digest.and_then(|digest| digest.parse().ok()).map_or(Content::Stale, Content::Profile)
                };
                let files = files.into_iter().map(|(name, digest)| (name, content(digest))).collect();
                Ok(Installed { files, foreign: Vec::<Foreign>::new() })
            }
            Listed::Failed(failure) => Err(failure.into()),
        }
    }
}

impl From<&HostError> for Failure {
    fn from(error: &HostError) -> Self {
        Self { message: chain(error), may_pass: error.may_pass() }
    }
}

impl From<Failure> for HostError {
    fn from(failure: Failure) -> Self {
        Self::Told { message: failure.message, may_pass: failure.may_pass }
    }
}

impl From<Result<Change, HostError>> for Became {
    fn from(result: Result<Change, HostError>) -> Self {
        match result {
            Ok(Change::Written) => Self::Written,
            Ok(Change::Unchanged) => Self::Unchanged,
            Ok(Change::Removed) => Self::Removed,
            Ok(Change::Absent) => Self::Absent,
            Err(error) => Self::Failed((&error).into()),
        }
    }
}

impl From<Became> for Result<Change, HostError> {
    fn from(became: Became) -> Self {
        Ok(match became {
            Became::Written => Change::Written,
            Became::Unchanged => Change::Unchanged,
            Became::Removed => Change::Removed,
            Became::Absent => Change::Absent,
            Became::Failed(failure) => return Err(failure.into()),
        })
    }
}

/// A step that cannot be said, or that is not understood as it was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Profiles for seccomp are installed by the daemon itself.
    #[error("{0} is not installed by the installer")]
    Kind(ProfileKind),
    /// No profile has such a name.
    #[error("{0:?} is no name of a profile")]
    Name(String),
    /// The spec is not one of the kind.
    #[error("its spec is not understood: {0}")]
    Spec(String),
    /// It is wrong, or may not be installed under any configuration.
    #[error("the installer refuses it: {0}")]
    Refused(String),
    /// Both ends make different text of it.
    #[error(
        "daemon and installer do not agree on what it is; they are of different releases until the upgrade of this node is done"
    )]
    Digest,
}

impl From<Misfit> for HostError {
    fn from(misfit: Misfit) -> Self {
        Self::Told { message: misfit.to_string(), may_pass: misfit == Misfit::Digest }
    }
}

impl Do {
    /// A step as it is sent.
    ///
    /// # Errors
    /// It is about a profile for seccomp.
    pub fn of(step: &Step) -> Result<Self, Misfit> {
        let (kind, name) = (step.key().kind, step.key().name.to_string());
        Ok(match step {
            Step::Install { checked, artifact } => {
                Self::Install { kind, name, spec: spec(checked.profile())?, digest: artifact.digest().to_string() }
            }
            Step::Remove { .. } => Self::Remove { kind, name },
        })
    }

    /// The step, made anew of what was sent.
    ///
    /// # Errors
    /// See [`Misfit`].
    pub fn step(self) -> Result<Step, Misfit> {
        match self {
            Self::Install { kind, name, spec, digest } => {
                let checked = checked(kind, parsed(&name)?, spec)?;
                let artifact = render(&checked);
                let same = digest == artifact.digest().to_string();
                if same { Ok(Step::Install { checked, artifact }) } else { Err(Misfit::Digest) }
            }
            Self::Remove { kind: ProfileKind::Seccomp, .. } => Err(Misfit::Kind(ProfileKind::Seccomp)),
            Self::Remove { kind, name } => {
                let key = ProfileKey { kind, name: parsed(&name)? };
                Ok(Step::Remove { file_name: spo_lsm::file_name(&key), key })
            }
        }
    }

    /// The kind of the profile that it is about.
    pub fn kind(&self) -> ProfileKind {
        match self {
            Self::Install { kind, .. } | Self::Remove { kind, .. } => *kind,
        }
    }
}

fn parsed(name: &str) -> Result<ProfileName, Misfit> {
    name.parse().map_err(|_invalid| Misfit::Name(name.to_owned()))
}

fn spec(profile: &Profile) -> Result<Value, Misfit> {
    let spec = match profile {
        Profile::Selinux(profile) => serde_json::to_value(selinux::to_spec(profile)),
        Profile::RawSelinux(profile) => serde_json::to_value(RawSelinuxProfileSpec {
            policy: Some(profile.text().to_owned()),
            ..RawSelinuxProfileSpec::default()
        }),
        Profile::AppArmor(profile) => serde_json::to_value(apparmor::to_spec(profile)),
        Profile::Seccomp(_) => return Err(Misfit::Kind(ProfileKind::Seccomp)),
    };
    spec.map_err(|error| Misfit::Spec(error.to_string()))
}

/// A profile that was sent, held against what no configuration can permit.
fn checked(kind: ProfileKind, name: ProfileName, spec: Value) -> Result<Checked, Misfit> {
    let refused = |violations: Vec<Violation>| Misfit::Refused(list(&violations));
    let profile = match kind {
        ProfileKind::Selinux => parse(name, &read::<SelinuxProfileSpec>(spec)?),
        ProfileKind::RawSelinux => parse(name, &read::<RawSelinuxProfileSpec>(spec)?),
        ProfileKind::AppArmor => parse(name, &read::<AppArmorProfileSpec>(spec)?),
        ProfileKind::Seccomp => return Err(Misfit::Kind(kind)),
    };
    let profile = profile.map_err(refused)?;
    check(&profile, &widest(&profile)).map_err(refused)
}

/// What the widest configuration permits: that in force is for the daemon to know. What no profile can say, no configuration permits.
fn widest(profile: &Profile) -> Policy {
    let mut policy = Policy::default();
    policy.selinux.denied = Denied { types: BTreeSet::new(), classes: BTreeSet::new(), permissions: BTreeSet::new() };
    let system: Vec<String> = match profile {
        Profile::Selinux(profile) => profile
            .inherits()
            .iter()
            .filter_map(|inherit| match inherit {
                Inherit::System(name) => Some(name.clone()),
                Inherit::Profile(_) => None,
            })
            .collect(),
        Profile::RawSelinux(profile) => profile.inherits().map(str::to_owned).collect(),
        Profile::Seccomp(_) | Profile::AppArmor(_) => Vec::new(),
    };
    policy.selinux.system_profiles.extend(system);
    policy
}

fn read<T: serde::de::DeserializeOwned>(spec: Value) -> Result<T, Misfit> {
    serde_json::from_value(spec).map_err(|error| Misfit::Spec(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A step that installs a profile, as a daemon would make it of its object.
    fn install(kind: ProfileKind, spec: Value) -> Step {
        let spec = spec.to_string();
        let name: ProfileName = "web".parse().unwrap();
        let profile = match kind {
            ProfileKind::Selinux => parse(name, &serde_json::from_str::<SelinuxProfileSpec>(&spec).unwrap()),
            ProfileKind::RawSelinux => parse(name, &serde_json::from_str::<RawSelinuxProfileSpec>(&spec).unwrap()),
            ProfileKind::AppArmor => parse(name, &serde_json::from_str::<AppArmorProfileSpec>(&spec).unwrap()),
            ProfileKind::Seccomp => unreachable!("the installer has none"),
        };
        let profile = profile.unwrap();
        let checked = check(&profile, &widest(&profile)).unwrap();
        Step::Install { artifact: render(&checked), checked }
    }

    fn steps() -> Vec<Step> {
        vec![
            install(
                ProfileKind::Selinux,
                json!({"mode": "Permissive", "inherit": [{"name": "net_container"}, {"kind": "SelinuxProfile", "name": "base"}],
                       "allow": {"var_log_t": {"file": ["write", "append"]}, "@self": {"tcp_socket": ["listen"]}, "shadow_t": {"file": ["read"]}}}),
            ),
            install(ProfileKind::Selinux, json!({})),
            install(
                ProfileKind::AppArmor,
                json!({"mode": "Complain", "abstract": {
                    "executable": {"allowedExecutables": ["/bin/sh"], "allowedLibraries": ["/lib/**"]},
                    "filesystem": {"readOnlyPaths": ["/etc/**"], "writeOnlyPaths": ["/var/log/x"], "readWritePaths": ["/tmp/{a,b}"]},
                    "network": {"allowRaw": false, "allowedProtocols": {"allowTcp": true}},
                    "capability": {"allowedCapabilities": ["net_bind_service"]},
                }}),
            ),
            install(
                ProfileKind::RawSelinux,
                json!({"policy": "(blockinherit container)\n(allow process var_log_t (file (write)))"}),
            ),
            Step::Remove {
                key: ProfileKey { kind: ProfileKind::RawSelinux, name: "old".parse().unwrap() },
                file_name: "old.cil".to_owned(),
            },
        ]
    }

    #[test]
    fn what_is_sent_is_what_was_meant() {
        for step in steps() {
            let text = serde_json::to_string(&Do::of(&step).unwrap()).unwrap();
            let again: Do = serde_json::from_str(&text).unwrap();
            assert_eq!(again.step().unwrap(), step, "{text}");
        }
    }

    #[test]
    fn what_the_other_end_would_write_otherwise_is_not_installed() {
        let Ok(Do::Install { kind, name, spec, .. }) = Do::of(&steps()[0]) else { panic!("an install") };
        let other = Do::Install { kind, name, spec, digest: format!("sha256:{}", "0".repeat(64)) };
        let error = HostError::from(other.step().unwrap_err());
        assert!(error.may_pass(), "it goes better when the upgrade is done");
    }

    #[test]
    fn what_is_installed_is_told_whole() {
        let files =
            [("a.cil".to_owned(), Content::Stale), ("b.cil".to_owned(), Content::Profile(spo_lsm::Digest::of(b"b")))];
        let installed = Installed { files: files.into(), foreign: Vec::new() };
        let listed = Listed::from(Ok(installed.clone()));
        let again: Listed = serde_json::from_str(&serde_json::to_string(&listed).unwrap()).unwrap();
        assert_eq!(Result::from(again), Ok(installed));
    }

    #[test]
    fn a_failure_keeps_its_reason_and_whether_it_may_pass() {
        for (error, may_pass) in [
            (HostError::NoSpace { path: "/var".into() }, true),
            (HostError::Tool { tool: "semodule", message: "no".to_owned(), may_pass: false }, false),
        ] {
            let told: Result<Change, HostError> = Became::from(Err(error.clone())).into();
            assert_eq!(told, Err(HostError::Told { message: error.to_string(), may_pass }));
        }
    }
}
