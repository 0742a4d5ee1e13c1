//! The cluster side of the Security Profiles Operator: controllers, and later webhooks.
//!
//! `args` parses the command line, `run` is the list of what is started, `lease` elects the one process that writes, and
//! `profile` turns what the nodes report into the status of profiles, `storage` rewrites what is stored in an old version.

use std::process::ExitCode;

use clap::Parser;

#[expect(dead_code, reason = "the server that calls it is not here yet")]
mod admission;
mod args;
mod health;
mod lease;
mod log;
mod profile;
mod run;
mod storage;
mod sys;
mod version;
mod watch;

fn main() -> ExitCode {
    match start(args::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn start(args: args::Args) -> anyhow::Result<()> {
    match args.command {
        args::Command::Manager(manager) => {
            log::start(args.verbosity);
            run::manager(manager)
        }
        args::Command::Version { json } => version::print(json),
        args::Command::Completions { shell } => args::print_completions(shell),
    }
}
