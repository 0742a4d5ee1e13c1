//! Certificates of the webhook server on a real API server, which calls it for conversion: with the rights of the generated roles,
//! and the generated definitions and configurations.
//!
//! No node and no controllers: servers run beside the test, and the test says at which addresses they are. Tests take turns, for
//! what they ask of the API server is shared.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

mod agreement;
mod foreign;
mod load;
mod rotation;
mod server;
mod webhook;
