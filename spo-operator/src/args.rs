//! The command line, with the reference's names.

use std::io::Write;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use rustls::pki_types::ServerName;

/// Controllers and webhooks of the Security Profiles Operator.
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
    /// Serve the webhooks: conversion between versions, and admission.
    #[command(visible_alias = "w")]
    Webhook(Webhook),
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
    /// The port of HTTPS, where `/convert` is answered; 0 for none.
    #[arg(long, default_value_t = 9443, value_name = "PORT")]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) https: Https,
}

/// Settings of `spo-operator webhook`.
#[derive(Debug, clap::Args)]
pub(crate) struct Webhook {
    /// The port of HTTPS.
    #[arg(long, short, default_value_t = 9443, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) https: Https,
    /// Only answer `/convert`, which needs no API server and no --operator-namespace.
    #[arg(long, requires = "cert_dir")]
    pub(crate) convert_only: bool,
    /// The file that says how to reach the API server, for running outside a pod. In a pod, the service account serves.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The namespace that the operator runs in.
    #[arg(long, env = "OPERATOR_NAMESPACE", value_name = "NAMESPACE", required_unless_present = "convert_only")]
    pub(crate) operator_namespace: Option<String>,
    /// What this process calls itself in the lease: unique among those that run at one time, the same after a restart.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub(crate) pod_name: Option<String>,
    /// The port of `/healthz` and `/readyz`; 0 for none.
    #[arg(long, default_value_t = 8081, value_name = "PORT")]
    pub(crate) health_port: u16,
    /// Accepted because the reference has it; it has no effect there either.
    #[arg(long = "static", short, hide = true, default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) static_webhooks: bool,
}

/// How HTTPS is spoken.
#[derive(Debug, clap::Args)]
pub(crate) struct Https {
    /// The oldest version of TLS that is spoken.
    #[arg(long, value_enum, default_value_t = TlsVersion::V1_2, value_name = "VERSION")]
    pub(crate) tls_min_version: TlsVersion,
    /// A folder with `tls.crt` and `tls.key`, which is watched. Without it, certificates are issued, kept in Secrets and renewed by
    /// the operator itself.
    #[arg(long, value_name = "DIR")]
    pub(crate) cert_dir: Option<PathBuf>,
    /// One more name or address that certificates are issued for, besides those of the Service. May be repeated.
    #[arg(long, value_name = "NAME", value_parser = server_name, conflicts_with = "cert_dir")]
    pub(crate) cert_name: Vec<ServerName<'static>>,
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsVersion {
    #[value(name = "1.2")]
    V1_2,
    #[value(name = "1.3")]
    V1_3,
}

fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned()).map_err(|_invalid| format!("{text} is no DNS name and no IP address"))
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

    fn webhook(words: &[&str]) -> Result<Webhook, clap::Error> {
        let line = ["spo-operator", "w"].iter().chain(words);
        match Args::try_parse_from(line)?.command {
            Command::Webhook(webhook) => Ok(webhook),
            other => panic!("not the webhook: {other:?}"),
        }
    }

    #[test]
    fn w_op_12_the_least_version_of_tls_is_1_2_or_what_the_flag_of_the_reference_says() {
        let of = |words: &[&str]| webhook(words).map(|webhook| webhook.https.tls_min_version);
        assert_eq!(of(&["--operator-namespace=spo"]).unwrap(), TlsVersion::V1_2);
        assert_eq!(of(&["--operator-namespace=spo", "--tls-min-version", "1.3"]).unwrap(), TlsVersion::V1_3);
        assert!(of(&["--operator-namespace=spo", "--tls-min-version", "1.1"]).is_err());
    }

    #[test]
    fn flags_of_the_reference_are_taken() {
        let webhook = webhook(&["-p", "10250", "-s", "--operator-namespace", "spo"]).unwrap();
        assert_eq!((webhook.port, webhook.static_webhooks), (10250, true));
    }

    #[test]
    fn converting_alone_needs_a_certificate_and_no_namespace() {
        assert!(webhook(&["--convert-only", "--cert-dir", "/certs"]).is_ok());
        assert!(webhook(&["--convert-only"]).is_err());
        assert!(webhook(&["--cert-dir", "/certs"]).is_err());
    }

    #[test]
    fn names_of_certificates_are_names_or_addresses() {
        let names = |name| webhook(&["--operator-namespace=spo", "--cert-name", name]).map(|w| w.https.cert_name.len());
        assert_eq!(names("::1").unwrap(), 1);
        assert_eq!(names("webhook.example").unwrap(), 1);
        assert!(names("no name").is_err());
    }
}
