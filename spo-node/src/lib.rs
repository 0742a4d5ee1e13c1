//! Everything of the Security Profiles Operator that runs on a node.
//!
//! The [`daemon`] takes desired profiles from a [`source`], a folder of manifests or the API server, compares them with what is
//! installed ([`sync`], pure), lets [`spo_lsm::host`] do what is missing, and reports ([`status`], pure). [`installer`] does
//! it where that needs privilege, [`enabler`] prepares a node for it, [`render`] shows what it would install, and `spoc` is the command line for a single machine.
#![warn(missing_docs)]

pub mod args;
pub mod catalogue;
pub mod daemon;
pub mod enabler;
pub mod health;
pub mod installer;
pub mod lock;
pub mod log;
pub mod manifest;
pub mod metrics;
pub mod paths;
pub mod render;
pub mod run;
pub mod signals;
pub mod source;
#[cfg(feature = "cli")]
pub mod spoc;
pub mod status;
pub mod survey;
pub mod sync;
pub mod watch;

mod schema;
mod yaml;

#[cfg(test)]
mod fixture;
