//! `cargo xtask`: the one tool around this workspace. What a person runs, CI runs.
//!
//! One file per command; each prints what it runs, and installs what a fresh Debian or Ubuntu lacks, saying so.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};

mod machine;
mod run;

/// The one tool around this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {}
}
