//! Logging to standard error.

use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` wins over `verbosity`.
pub(crate) fn start(verbosity: u8) {
    let level = match verbosity {
        0 => "info",
        1 => "debug,hyper_util=info,kube_client=info,tower=info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .init();
    tracing::info!("Set logging verbosity to {verbosity}");
}

/// Prints the error that ends the program, with its causes.
pub(crate) fn failed(error: &anyhow::Error) {
    // Where nobody can read it, the exit status still says it.
    _ = writeln!(std::io::stderr().lock(), "spo-operator: {error:#}");
}
