//! The Kubernetes API of the Security Profiles Operator.
//!
//! Wire types of the kinds, the CRDs generated from them, and the vocabulary that the other crates share: which
//! modules exist ([`ProfileKind`]), which profile is meant ([`ProfileKey`]), in which state it is
//! ([`ProfileState`]), which labels, names and finalizers tie the objects together ([`labels`], [`finalizers`]), and the
//! system calls of each architecture ([`syscalls`]).
//!
//! The crate does no I/O, needs no Kubernetes client, and chooses no `k8s-openapi` version: the final program does.
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
mod names;
mod schema;
mod state;
mod violation;

pub use crds::{crds, manifest};
pub use key::{ProfileKey, ProfileKind};
pub use names::{InvalidName, ProfileName};
pub use state::{AdminState, ProfileState, first_state, fold, is_reconcilable};
pub use violation::{FieldPath, Violation};

/// API group of every kind of this crate.
pub const GROUP: &str = "security-profiles-operator.x-k8s.io";
