//! The daemon and the manager on a real API server, each with no more rights than the generated roles give it.
//!
//! No node and no controllers: the daemon runs beside the test with a folder of its own as the host's root. Tests take turns, for
//! what they ask of the API server is shared.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

mod installation;
mod leadership;
mod nodes;
mod permits;
mod rights;
mod switches;
mod uses;
