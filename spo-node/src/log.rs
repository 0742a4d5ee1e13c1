//! Logging to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` wins over `verbosity`.
///
/// The first two lines are those by which the reference operator's users recognise their settings.
pub fn start(verbosity: u8, profiling: bool) {
    let level = match verbosity {
        0 => "info",
        1 => "debug,hyper_util=info,kube_client=info,tower=info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(colours)
        .init();
    tracing::info!("Set logging verbosity to {verbosity}");
    tracing::info!("Profiling support enabled: {profiling}");
}
