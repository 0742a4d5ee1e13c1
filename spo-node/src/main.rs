//! `spo-node`: what runs on a node.

use std::process::ExitCode;

use clap::Parser;

mod sys;

fn main() -> ExitCode {
    match spo_node::run::run(spo_node::args::Args::parse()) {
        Ok(status) => status,
        Err(error) => spo_node::run::failed(&error),
    }
}
