//! The command line, with the reference's names.

use std::io::Write;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

/// Controllers of the Security Profiles Operator.
#[derive(Debug, Parser)]
#[command(name = "spo-operator", arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How much to log: 0 what changes, 1 decisions too, 2 everything.
    #[arg(long, short = 'V', env = "SPO_VERBOSITY", default_value_t = 0, value_name = "LEVEL", global = true)]
    pub(crate) verbosity: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the controllers.
    #[command(visible_alias = "m")]
    Manager(Manager),
    /// Print what this program was built from.
    #[command(visible_alias = "v")]
    Version {
        /// Print an object of JSON.
        #[arg(long, short)]
        json: bool,
    },
    /// Print the completions of a shell, to be sourced by it.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Settings of `spo-operator manager`.
#[derive(Debug, clap::Args)]
pub(crate) struct Manager {
    /// Fold what the nodes report into the status of profiles.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) with_nodestatus_controller: bool,
    /// The file that says how to reach the API server, for running outside a pod. In a pod, the service account serves.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The namespace that the operator runs in.
    #[arg(long, env = "OPERATOR_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) operator_namespace: String,
    /// What this process calls itself in the lease: unique among those that run at one time, the same after a restart.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub(crate) pod_name: Option<String>,
    /// The port of `/healthz` and `/readyz`; 0 for none.
    #[arg(long, default_value_t = 8081, value_name = "PORT")]
    pub(crate) health_port: u16,
}

/// Writes the completions of `shell` to standard output.
pub(crate) fn print_completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "spo-operator", &mut text);
    Ok(std::io::stdout().lock().write_all(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_controller_is_switched_off_by_the_flag_of_the_reference() {
        let line = ["spo-operator", "m", "--with-nodestatus-controller=false", "--operator-namespace", "spo"];
        let Command::Manager(manager) = Args::try_parse_from(line).unwrap().command else { panic!("not the manager") };
        assert!(!manager.with_nodestatus_controller);
    }
}
