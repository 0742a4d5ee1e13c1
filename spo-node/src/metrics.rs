//! `/metrics` and `/metrics-spod`: what this process has done, for Prometheus.
//!
//! [`counters`] is what is counted, `process` what the kernel knows of this process; `request` reads what somebody asks for, and is pure
//! like `cache`, which remembers answers of the API server for a while. `review` asks it: who a token is of, and whether they may read the
//! path. `identity` is the certificate, from files that are watched, and `server` the connections, of which there are few at a time, each
//! with an end.
//!
//! In the secure mode, nothing is served to anybody whom the API server does not let read the path. The insecure mode is plain HTTP
//! for everybody who reaches the port.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use kube::Client;

mod cache;
pub mod counters;
#[doc(hidden)]
pub mod fuzz;
mod identity;
mod places;
mod process;
mod request;
mod review;
mod server;

use counters::Counters;
use identity::Identity;
use review::Guard;
use server::Server;

/// How metrics are served.
pub enum Access {
    /// By TLS, to those whom the API server lets read the path.
    Secure {
        /// Talks to that API server.
        client: Client,
        /// The folder of `tls.crt` and `tls.key`.
        certificates: PathBuf,
    },
    /// In plain text, to everybody.
    Insecure,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secure { .. } => "Secure",
            Self::Insecure => "Insecure",
        })
    }
}

/// Opens `port` on every address, and answers from then on.
///
/// # Errors
/// The port is taken, or the folder of certificates cannot be watched.
pub fn start(port: u16, access: Access, counters: Counters) -> Result<()> {
    let listener = crate::health::listen(port)
        .with_context(|| format!("cannot listen on port {port}; choose another by --metrics-port, or 0 for none"))?;
    let server = match access {
        Access::Insecure => Server::plain(counters),
        Access::Secure { client, certificates } => {
            let identity = Arc::new(Identity::default());
            let folder = identity::Folder::open(&certificates, identity.clone())?;
            tokio::spawn(folder.follow());
            Server::secure(counters, identity, Guard::new(client))?
        }
    };
    tracing::info!(port, secure = server.is_secure(), "serving metrics");
    tokio::spawn(server.serve(listener));
    Ok(())
}

#[cfg(test)]
mod tests;
