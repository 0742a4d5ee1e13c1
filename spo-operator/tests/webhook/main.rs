//! `spo-operator webhook` over HTTPS, as an API server and as less friendly clients meet it: no cluster, `/convert` alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;
mod client;
mod crowds;
mod ending;
mod process;
mod protocol;
mod requests;
mod slowness;
