//! `spo-node daemon --source directory:…`: the real program on a folder, below a root of its own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says on standard output why it is skipped"
)]

mod bad_input;
mod disk;
mod installer;
mod installs;
mod lifecycle;
mod metrics;
mod support;
mod survey;
