//! Support for tests that need a kernel, a container runtime or a cluster.
//!
//! `cargo xtask test` provides what they need and says by environment variables where it is: [`cluster::Cluster::connect`]. By themselves
//! such tests are skipped, with a line that says so.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[expect(clippy::unwrap_used, clippy::print_stdout, reason = "what helps a test fails and speaks as the test does")]
pub mod api;
pub mod cluster;
pub mod guest;
pub mod manifest;
pub mod modules;
pub mod node;
pub mod ns;
pub mod operator;
pub mod pod;
pub mod profile;
pub mod wait;
