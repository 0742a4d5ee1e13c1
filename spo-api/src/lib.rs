//! The Kubernetes API of the Security Profiles Operator.
//!
//! Wire types of the [kinds](Kind) in every served version, the [CRDs](crds) generated from them, and the vocabulary that
//! the other crates share: which profile is meant ([`ProfileKey`]), in which state it is ([`ProfileState`]), what is wrong
//! with an object ([`Validate`], [`Violation`]), which labels, names and finalizers tie the objects together ([`labels`],
//! [`finalizers`]), how recordings are marked ([`recording`]), and the system calls of each architecture ([`syscalls`]).
//!
//! The wire types are plain: texts are `String`, and what the schema lets be missing is an `Option`, so that whatever an API
//! server has let through is read, and written back as it was. A rule is a type of its own, for whoever uses the text:
//! [`ProfileName`], [`DnsLabel`], [`ConfigMapName`], [`SyscallName`], [`ListenerPath`], [`HostProcPath`],
//! [`RecordingId`](recording::RecordingId).
//!
//! The crate does no I/O, needs no Kubernetes client, and chooses no `k8s-openapi` version: the final program does.
//!
//! ```
//! use spo_api::seccomp::v1::{SeccompProfile, SeccompProfileSpec, Syscall};
//! use spo_api::{Validate, seccomp::Action};
//!
//! let allowed = Syscall { names: vec!["read".into()], action: Action::Allow, ..Default::default() };
//! let profile = SeccompProfile::new("web", SeccompProfileSpec { syscalls: Some(vec![allowed]), ..Default::default() });
//! assert_eq!(profile.spec.default_action, Action::Errno);
//! assert_eq!(profile.validate(), []);
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod apparmor;
pub mod binding;
pub mod condition;
pub mod daemon;
pub mod finalizers;
pub mod labels;
pub mod metadata;
pub mod node_status;
pub mod raw_selinux;
pub mod recording;
pub mod seccomp;
pub mod selinux;
pub mod syscalls;
pub mod version;

mod crds;
mod key;
mod kind;
mod names;
mod parsed;
mod paths;
mod profile;
mod schema;
mod state;
mod validate;
mod violation;
mod words;

pub use crds::{CONVERSION_PATH, CONVERSION_SERVICE, NAMESPACE, crds, crds_for, manifest};
pub use key::{Module, ProfileKey, ProfileKind};
pub use kind::{Kind, STORED_VERSION};
pub use names::{ConfigMapName, DnsLabel, InvalidName, ProfileName, SyscallName};
pub use paths::{HostProcPath, InvalidPath, LISTENER_DIR, ListenerPath};
pub use profile::SecurityProfile;
pub use state::{AdminState, ProfileState, first_state, fold, is_reconcilable};
pub use validate::{Validate, validate_object};
pub use violation::{FieldPath, Violation};
pub use words::UnknownWord;

/// API group of every kind of this crate.
pub const GROUP: &str = "security-profiles-operator.x-k8s.io";

/// The example of the README is compiled and run with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
