//! The HTTPS side, which the manager and the webhook have in common: a server, and where its certificate comes from.

use std::sync::Arc;

use anyhow::Result;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::Https;
use crate::certificate::{Folder, Identity, Keeper};
use crate::health::Ready;
use crate::listen::listen;
use crate::routes::Routes;
use crate::server::{BACKLOG, Server};

/// A server whose port is open, and that has no certificate yet.
pub(super) struct Opened<'a> {
    args: &'a Https,
    server: Server,
    listener: TcpListener,
    identity: Arc<Identity>,
}

/// Opens the port. The process is not ready until there is a certificate.
pub(super) fn open<'a>(args: &'a Https, port: u16, routes: Routes, ready: &Ready) -> Result<Opened<'a>> {
    let identity = Identity::new(ready.wait_for("a certificate"));
    let server = Server::new(args.tls_min_version, identity.clone(), routes)?;
    Ok(Opened { args, server, listener: listen(port, "--port", BACKLOG)?, identity })
}

impl Opened<'_> {
    /// Takes the certificate from files, if a folder was given.
    pub(super) fn folder(&self) -> Result<Option<Folder>> {
        let path = self.args.cert_dir.as_deref();
        path.map(|path| Folder::new(path, self.identity.clone())).transpose()
    }

    /// Keeps a certificate of our own, and writes while `leading`.
    pub(super) fn keep(&self, client: &Client, namespace: &str, leading: watch::Receiver<bool>) {
        let names = &self.args.cert_name;
        tokio::spawn(Keeper::new(client.clone(), namespace, names, self.identity.clone(), leading).run());
    }

    /// Answers until `ended`, and a moment longer.
    pub(super) fn serve(self, ended: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        tokio::spawn(self.server.serve(self.listener, ended))
    }
}

/// Ends with an error when the folder is gone; never, where there is none.
pub(super) async fn follow(folder: Option<Folder>) -> Result<()> {
    match folder {
        Some(folder) => folder.run().await,
        None => std::future::pending().await,
    }
}
