//! `spo-operator webhook` over HTTPS, as an API server and as less friendly clients meet it: no cluster, `/convert` alone.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "what helps a test fails and speaks as the test does")]

mod certificates;
mod client;
mod crowds;
mod ending;
mod process;
mod protocol;
mod requests;
mod slowness;
