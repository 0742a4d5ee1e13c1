//! The cluster side of the Security Profiles Operator: controllers, and later webhooks.
//!
//! `args` parses the command line, `run` is the list of what is started, `lease` elects the one process that writes, and
//! `profile` turns what the nodes report into the status of profiles.

use clap::Parser;

#[expect(dead_code, reason = "the server that calls it is not here yet")]
mod admission;
mod args;
mod health;
mod lease;
mod log;
mod profile;
mod run;
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
        args::Command::Version { json } => version::print(json),
        args::Command::Completions { shell } => args::print_completions(shell),
    }
}
