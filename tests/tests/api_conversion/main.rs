//! Both versions of every kind on a real API server, with our conversion webhook in between.
//!
//! The definitions are those of deploy/crds, but for the address of the webhook, which runs beside the test with the rights of its
//! role. It issues its own certificates and hands the API server their CA.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

mod faults;
mod front;
mod kinds;
mod stored;
mod versions;
