//! The cluster side of the Security Profiles Operator: controllers and webhooks.
//!
//! `args` parses the command line, `run` is the list of what is started, `lease` elects the one process that writes,
//! `profile` turns what the nodes report into the status of profiles, `fleet` keeps the DaemonSet as the configuration wants it, `storage`
//! rewrites what is stored in an old version.
//! `server` answers over HTTPS what `routes` knows, `admission` decides about pods and profiles, `certificate` sees to it that API
//! servers trust the server.

use std::process::ExitCode;

use clap::Parser;

mod admission;
mod args;
mod certificate;
mod definition;
mod fleet;
mod health;
mod lease;
mod listen;
mod log;
mod profile;
mod routes;
mod run;
mod server;
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
        args::Command::Webhook(webhook) => {
            log::start(args.verbosity);
            run::webhook(webhook)
        }
        args::Command::Version { json } => version::print(json),
        args::Command::Completions { shell } => args::print_completions(shell),
    }
}
