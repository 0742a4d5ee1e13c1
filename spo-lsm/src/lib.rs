//! Profiles of the kernel's security modules: model, check, render, and the host they are installed on.
//!
//! Everything but [`host`] is pure: equal input gives equal output, and no file, clock or kernel is asked. What a profile
//! goes through, each arrow one function:
//!
//! ```text
//! SeccompProfileSpec ────┐
//! SelinuxProfileSpec ────┤
//! RawSelinuxProfileSpec ─┼─ parse ─> Profile ─ check ─> Checked ─ render ─> Artifact ─ Host::apply ─> Outcome
//! AppArmorProfileSpec ───┘                      │
//! configuration ──────────────────────> Policy ─┘
//!
//! runtime-spec JSON ─ seccomp::parse_oci ─> seccomp::Profile ─ seccomp::resolve ─> the same with the entries of its bases
//!                                                ├─ seccomp::compile ─> Program (what the kernel runs)
//!                                                └─ seccomp::evaluate ─> Verdict
//! text in CIL ─ selinux::cil::parse ─> Node
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
//!
//! [`selinux`], [`selinux::raw`] and [`apparmor`] have an example each. There is a [`host::Host`] for each module of the kernel; steps about
//! profiles of another one are refused, as [`host::HostError::Unsupported`].
#![warn(missing_docs, clippy::wildcard_enum_match_arm)]

use spo_api::Violation;

/// The README's example is a test.
#[cfg(all(doctest, feature = "host"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(not(any(feature = "seccomp", feature = "selinux", feature = "apparmor")))]
compile_error!("spo-lsm knows no profiles without a module: enable seccomp, selinux, apparmor or host");

#[cfg(feature = "apparmor")]
pub mod apparmor;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "seccomp")]
pub mod seccomp;
#[cfg(feature = "selinux")]
pub mod selinux;

mod artifact;
mod findings;
mod pair;
mod policy;
mod profile;

pub use artifact::{Artifact, Digest, InvalidDigest, file_name};
pub use pair::{Diff, KindsDiffer, MergeError, diff, merge};
pub use policy::Policy;
pub use profile::{Profile, Spec, parse};

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
#[cfg_attr(
    not(any(feature = "seccomp", feature = "selinux")),
    expect(unused_variables, reason = "AppArmorProfiles depend on no configuration")
)]
pub fn check(profile: &Profile, policy: &Policy) -> Result<Checked, Vec<Violation>> {
    let violations = match profile {
        #[cfg(feature = "seccomp")]
        Profile::Seccomp(seccomp) => seccomp::check(seccomp, policy),
        #[cfg(feature = "selinux")]
        Profile::Selinux(selinux) => selinux::check(selinux, &policy.selinux),
        #[cfg(feature = "selinux")]
        Profile::RawSelinux(raw) => selinux::raw::check(raw, &policy.selinux),
        // An AppArmorProfile that is well formed depends on no configuration.
        #[cfg(feature = "apparmor")]
        Profile::AppArmor(_) => Vec::new(),
    };
    if violations.is_empty() { Ok(Checked(profile.clone())) } else { Err(violations) }
}

/// The file that a node keeps for a profile. Equal profiles give equal bytes.
pub fn render(profile: &Checked) -> Artifact {
    let text = match &profile.0 {
        #[cfg(feature = "seccomp")]
        Profile::Seccomp(seccomp) => seccomp::to_json(seccomp, seccomp::Form::Compact),
        #[cfg(feature = "selinux")]
        Profile::Selinux(selinux) => selinux::to_cil(selinux),
        #[cfg(feature = "selinux")]
        Profile::RawSelinux(raw) => selinux::raw::to_cil(raw),
        #[cfg(feature = "apparmor")]
        Profile::AppArmor(apparmor) => apparmor::to_text(apparmor, apparmor.loaded_as()),
    };
    let key = profile.0.key();
    Artifact { file_name: file_name(&key), key, bytes: text.into_bytes() }
}
