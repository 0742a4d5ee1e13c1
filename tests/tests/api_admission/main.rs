//! The admission webhooks on a real API server, which calls them by the generated configurations.
//!
//! No node and no controllers: pods are made and looked at, and nothing runs them. Tests take turns, for what they ask of the API
//! server is shared.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

mod binding;
mod exec;
mod recording;
mod stage;
mod validation;
mod webhook;
