//! The cluster side of the Security Profiles Operator: controllers and webhooks.
//!
//! `args` parses the command line, `run` is the list of what is started, `lease` elects the one process that writes,
//! `profile` turns what the nodes report into the status of profiles, `server` answers what `routes` knows over HTTPS, and
//! `certificate` sees to it that it can.

use clap::Parser;

mod args;
mod certificate;
mod health;
mod lease;
mod listen;
mod log;
mod profile;
mod routes;
mod run;
mod server;
mod sys;
mod version;
mod watch;

fn main() -> anyhow::Result<()> {
    let args = args::Args::parse();
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
