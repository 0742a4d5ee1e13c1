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
pub use key::{ProfileKey, ProfileKind};
pub use kind::{Kind, STORED_VERSION};
pub use names::{ConfigMapName, DnsLabel, InvalidName, ProfileName, SyscallName};
pub use paths::{HostProcPath, InvalidPath, LISTENER_DIR, ListenerPath};
pub use profile::SecurityProfile;
pub use state::{AdminState, ProfileState, first_state, fold, is_reconcilable};
pub use validate::Validate;
pub use violation::{FieldPath, Violation};
pub use words::UnknownWord;

/// API group of every kind of this crate.
pub const GROUP: &str = "security-profiles-operator.x-k8s.io";
