//! Ending in good order.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Becomes true once, when this process is to end.
#[derive(Debug, Clone)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    /// From now on SIGTERM and SIGINT ask this process to end. The second one ends it at once, with status 1.
    ///
    /// # Errors
    /// The kernel's.
    pub fn on_signals() -> Result<Self> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let name = either(&mut terminate, &mut interrupt).await;
            tracing::info!(signal = name, "ending");
            sender.send_replace(true);
            let name = either(&mut terminate, &mut interrupt).await;
            tracing::warn!(signal = name, "ending at once");
            std::process::exit(1);
        });
        Ok(Self(receiver))
    }

    /// Waits for it.
    pub async fn wait(&mut self) {
        // Without a sender nobody can ask any more, and the process goes on.
        if self.0.wait_for(|ending| *ending).await.is_err() {
            std::future::pending().await
        }
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
