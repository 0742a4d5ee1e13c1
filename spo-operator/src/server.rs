//! The HTTPS server of webhooks: one accept loop, HTTP/1.1 only, and bounds on all that a client can make it hold.
//!
//! `connection` is one client from its first byte to its last, `deadline` the time it has, `exchange` one request and its
//! answer, `body` and `reply` the bytes of these, `budget` how many of them are in memory at a time, `notice` what is said about
//! clients that misbehave. What is answered is decided by [`crate::routes`].
//!
//! Vocabulary: a *place* is the right to be connected; a *share* is the right to hold so many bytes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::version::{TLS12, TLS13};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::args::TlsVersion;
use crate::routes::Routes;

mod body;
mod budget;
mod connection;
mod deadline;
mod exchange;
mod notice;
mod reply;

use exchange::Exchange;
use notice::{Notices, Trouble};

/// So many clients may be connected. Each costs some 20 KiB once it has finished its handshake; those that come later wait in the
/// kernel's queue.
const CONNECTIONS: u32 = 2048;
/// Files that the rest of the process may have open: watches, probes, logs.
const OTHER_FILES: u64 = 64;
/// Connections that wait to be accepted.
pub(crate) const BACKLOG: u32 = 1024;
/// What a signal leaves to requests that are under way. The process has a second in all.
const DRAIN: Duration = Duration::from_millis(700);
/// After a failure to accept: no files are left, and no sooner will there be any.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What serves a port.
pub(crate) struct Server {
    acceptor: TlsAcceptor,
    exchange: Arc<Exchange>,
    notices: Arc<Notices>,
    places: u32,
}

impl Server {
    /// A server that proves itself with what `certificates` gives, and answers as `routes` do.
    pub(crate) fn new(
        minimum: TlsVersion,
        certificates: Arc<dyn ResolvesServerCert>,
        routes: Routes,
    ) -> anyhow::Result<Self> {
        let notices = Arc::new(Notices::default());
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(tls(minimum, certificates)?)),
            exchange: Arc::new(Exchange::new(routes, notices.clone())),
            notices,
            places: places(),
        })
    }

    /// Answers until `ended`; then nothing new is accepted, and what is under way has a moment.
    pub(crate) async fn serve(self, listener: TcpListener, ended: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.places as usize));
        let ending = watch::Sender::new(false);
        tokio::select! {
            () = self.accept(&listener, &places, &ending) => {}
            () = ended => {}
        }
        drop(listener);
        ending.send_replace(true);
        if tokio::time::timeout(DRAIN, places.acquire_many(self.places)).await.is_err() {
            tracing::warn!("ending while requests are under way");
        }
    }

    async fn accept(&self, listener: &TcpListener, places: &Arc<Semaphore>, ending: &watch::Sender<bool>) {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return }; // never closed
            match listener.accept().await {
                Ok((client, _)) => {
                    let served = self.connection(client, ending.subscribe());
                    tokio::spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    self.notices.tell(Trouble::Accept, &error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn connection(&self, client: TcpStream, ending: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        connection::serve(client, self.acceptor.clone(), self.exchange.clone(), self.notices.clone(), ending)
    }
}

/// W-OP-12: the version that was chosen is the least that is spoken. C7: HTTP/1.1 is all that is offered.
fn tls(minimum: TlsVersion, certificates: Arc<dyn ResolvesServerCert>) -> anyhow::Result<ServerConfig> {
    let versions: &[_] = match minimum {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let mut config = builder.context("no TLS version")?.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // API servers keep their connections and resume none.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// How many clients may be connected: as many as there can be files, after asking for enough.
fn places() -> u32 {
    let wanted = u64::from(CONNECTIONS) + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if limit.current.is_some_and(|current| current < most) {
        let raised = Rlimit { current: Some(most), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "cannot raise the limit of open files, fewer clients can be connected");
        }
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(wanted).min(wanted);
    u32::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(CONNECTIONS).max(16)
}
