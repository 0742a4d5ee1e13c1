//! Profiles of the kernel's security modules: model, check, render, and the host they are installed on.
//!
//! Everything but [`host`] is pure: equal input gives equal output, and no file, clock or kernel is asked. What a profile
//! goes through, each arrow one function:
//!
//! ```text
//! SeccompProfileSpec ─ seccomp::parse ─┐
//! runtime-spec JSON ─ seccomp::parse_oci ─> Profile ─ seccomp::resolve ─> Profile ─ check ─> Checked ─ render ─> Artifact ─ Host::apply ─> Outcome
//!                                              └─ seccomp::compile ─> Program (what the kernel runs)   └─ seccomp::evaluate ─> Verdict
//! ```
//!
//! A [`Profile`] can only be made by a parser, so it is well formed; a [`Checked`] only by [`check`], so it may be installed.
//!
//! ```
//! use spo_api::seccomp::v1::SeccompProfileSpec;
//! use spo_lsm::{Policy, Profile, check, render, seccomp};
//!
//! let spec: SeccompProfileSpec = serde_json::from_str(
//!     r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "write", "exit_group"], "action": "SCMP_ACT_ALLOW"}]}"#,
//! )?;
//! let profile = seccomp::parse("web".parse()?, &spec).map_err(|violations| violations[0].to_string())?;
//! let program = seccomp::compile(&profile, spo_api::syscalls::Abi::X86_64)?;
//! assert!(program.instructions().len() < 20);
//!
//! let checked = check(&Profile::Seccomp(profile), &Policy::default()).map_err(|violations| violations[0].to_string())?;
//! let artifact = render(&checked);
//! assert_eq!(artifact.file_name, "web.json");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs, clippy::wildcard_enum_match_arm)]

use spo_api::{ProfileKey, ProfileKind, ProfileName, Violation};

pub mod host;
pub mod seccomp;

mod artifact;
mod findings;
mod policy;

pub use artifact::{Artifact, Digest};
pub use policy::Policy;

/// A well-formed profile of one of the modules.
#[derive(Debug, Clone, PartialEq)]
pub enum Profile {
    /// For seccomp.
    Seccomp(seccomp::Profile),
}

impl Profile {
    /// Its name.
    pub fn name(&self) -> &ProfileName {
        match self {
            Self::Seccomp(profile) => profile.name(),
        }
    }

    /// Which profile of the cluster it is.
    pub fn key(&self) -> ProfileKey {
        match self {
            Self::Seccomp(profile) => ProfileKey { kind: ProfileKind::Seccomp, name: profile.name().clone() },
        }
    }

    /// What is no reason to refuse it, but should be told to whoever wrote it.
    pub fn warnings(&self) -> &[Violation] {
        match self {
            Self::Seccomp(profile) => profile.warnings(),
        }
    }
}

/// A profile that may be installed; only [`check`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked(Profile);

impl Checked {
    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.0
    }
}

/// Whether a profile means what a node can install, and what `policy` permits.
///
/// One function for webhook, manager, node and command line, so that they agree.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(profile: &Profile, policy: &Policy) -> Result<Checked, Vec<Violation>> {
    let violations = match profile {
        Profile::Seccomp(seccomp) => seccomp::check(seccomp, policy),
    };
    if violations.is_empty() { Ok(Checked(profile.clone())) } else { Err(violations) }
}

/// The file that a node keeps for a profile. Equal profiles give equal bytes.
pub fn render(profile: &Checked) -> Artifact {
    match &profile.0 {
        Profile::Seccomp(seccomp) => Artifact {
            key: profile.0.key(),
            file_name: spo_api::seccomp::file_name(seccomp.name()),
            bytes: seccomp::to_json(seccomp, seccomp::Form::Compact).into_bytes(),
        },
    }
}
