//! The `spoc` command line: record, try, merge, compare, convert and migrate profiles on one machine, without a cluster.
//!
//! One module per command (`record`, `run`, `merge`, `diff`, `convert`, `migrate`, `generate`), over what they share: the command line (`args`), the program
//! that is started (`command`, `identity`, `sys::child`), files that are read and written (`file`, `output`), and log lines
//! (`log`). What is known of seccomp is in `spo-lsm`, of recording in `spo-recorder`.
//!
//! Nothing here starts a runtime, a thread or a client: `spoc version` is done before most programs have begun.

use std::process::ExitCode;

use anyhow::{Context, Result};
use args::{Command, Spoc};
use clap::error::ErrorKind;

mod args;
mod command;
mod convert;
mod diff;
mod file;
mod filter;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod generate;
mod identity;
mod install;
mod log;
mod merge;
mod migrate;
mod output;
mod record;
mod run;
mod running;
mod sys;
mod wait;
mod yaml;

pub use forward::forward;

/// The program: reads the command line, does what it says, and gives the exit status.
///
/// Any error is `Unable to run: <chain of causes>` on standard error, and status 1.
pub fn main() -> ExitCode {
    let spoc = match Spoc::read(std::env::args_os()) {
        Ok(spoc) => spoc,
        Err(error) => return usage(&error),
    };
    // As diff(1) does: 1 says that there are differences.
    let trouble = if matches!(spoc.command, Command::Diff(_)) { diff::TROUBLE } else { 1 };
    run(spoc.command).unwrap_or_else(|error| {
        failed(&error);
        trouble.into()
    })
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Merge(args) => return merge::merge(&args),
        Command::Diff(args) => return diff::diff(&args),
        Command::Record(args) => record::record(&args),
        Command::Run(args) => run::run(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Install(args) => install::install(&args),
        Command::Remove(args) => install::remove(&args),
        Command::Migrate(args) => migrate::migrate(&args),
        Command::Version { json } => version(json),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { folder } => generate::manual(&folder),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Help and `--version` go to standard output with status 0; what cannot be understood to standard error with status 1.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let text = error.render().to_string();
        return failed(&anyhow::anyhow!("{}", text.trim_start_matches("error: ").trim_end()));
    }
    match error.print() {
        Ok(()) if !error.use_stderr() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    log::line(format_args!("{style}Unable to run:{style:#} {error:#}"));
    ExitCode::FAILURE
}

fn version(json: bool) -> Result<()> {
    let version = spo_api::version!();
    let text = if json { serde_json::to_string_pretty(&version)? + "\n" } else { version.to_string() };
    output::to_stdout(text.as_bytes()).context("cannot write to standard output")
}
