//! Connections: few at a time, HTTP/1.1 only, each with an end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::counters::Counters;
use super::places::{Place, Places};
use super::request::{self, Refusal, Token};
use super::review::Guard;

/// For the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// For the header of a request, and between two requests: longer than most pauses between scrapes.
const HEADER: Duration = Duration::from_secs(35);
/// The header of a request, with its token.
const HEADER_BYTES: usize = 16 * 1024;
/// A connection takes no further request after this,
const LIFE: Duration = Duration::from_secs(600);
/// and ends at the latest after so much more.
const LAST: Duration = Duration::from_secs(10);
/// After a failure to accept: no files are left, and no sooner will there be any.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What serves the port.
pub(super) struct Server {
    counters: Counters,
    /// None in the insecure mode.
    secure: Option<(TlsAcceptor, Guard)>,
}

impl Server {
    /// For everybody, in plain text.
    pub(super) fn plain(counters: Counters) -> Self {
        Self { counters, secure: None }
    }

    /// By TLS, to those whom `guard` lets in.
    pub(super) fn secure(counters: Counters, identity: Arc<dyn ResolvesServerCert>, guard: Guard) -> Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(tls(identity)?));
        Ok(Self { counters, secure: Some((acceptor, guard)) })
    }

    pub(super) fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Answers for ever.
    pub(super) async fn serve(self, listener: TcpListener) -> Infallible {
        let (server, places) = (Arc::new(self), Arc::new(Places::default()));
        loop {
            match listener.accept().await {
                Ok((client, _)) => {
                    let (server, place) = (server.clone(), places.take().await);
                    tokio::spawn(async move {
                        tokio::select! {
                            () = server.connection(client, &place) => {}
                            () = place.wanted() => tracing::debug!("a client for metrics that was not let in gives way"),
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for metrics");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(&self, client: TcpStream, place: &Place) {
        let Some((acceptor, _)) = &self.secure else { return self.converse(client, place).await };
        match tokio::time::timeout(HANDSHAKE, Box::pin(acceptor.accept(client))).await {
            Ok(Ok(client)) => Box::pin(self.converse(client, place)).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client for metrics did not finish its TLS handshake"),
            Err(_elapsed) => tracing::debug!("a client for metrics was too slow with its TLS handshake"),
        }
    }

    async fn converse(&self, client: impl AsyncRead + AsyncWrite + Unpin, place: &Place) {
        let service = service_fn(|request| async move { Ok::<_, Infallible>(self.answer(&request, place).await) });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER).max_buf_size(HEADER_BYTES);
        let mut served = pin!(http.serve_connection(TokioIo::new(client), service));
        let outcome = tokio::select! {
            outcome = served.as_mut() => outcome,
            () = tokio::time::sleep(LIFE) => {
                served.as_mut().graceful_shutdown();
                tokio::time::timeout(LAST, served).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a client for metrics broke off");
        }
    }

    async fn answer(&self, request: &Request<Incoming>, place: &Place) -> Response<Full<Bytes>> {
        match self.respond(request, place).await {
            Ok(text) => text,
            Err(refusal) => refused(&refusal),
        }
    }

    async fn respond(&self, request: &Request<Incoming>, place: &Place) -> Result<Response<Full<Bytes>>, Refusal> {
        place.asks();
        let page = request::page(request.method(), request.uri().path())?;
        if let Some((_, guard)) = &self.secure {
            guard.permits(Token::of(request.headers())?, page).await?;
            place.let_in();
        }
        let response = match self.counters.text(page) {
            Ok(text) => typed(StatusCode::OK, prometheus::TEXT_FORMAT, text),
            Err(error) => typed(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", format!("{error}\n")),
        };
        self.counters.served(page, response.status().as_str());
        Ok(response)
    }
}

fn typed(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Whoever is refused does not keep the connection.
fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    tracing::debug!(%refusal, "refused to show metrics");
    let mut response = typed(refusal.status(), "text/plain", format!("{refusal}\n"));
    let more = match refusal {
        Refusal::Method => Some((ALLOW, "GET, HEAD")),
        Refusal::NoToken | Refusal::Stranger => Some((WWW_AUTHENTICATE, "Bearer")),
        Refusal::Unknown => Some((RETRY_AFTER, "10")),
        Refusal::NoSuchPath | Refusal::Forbidden { .. } => None,
    };
    let more = more.into_iter().chain([(CONNECTION, "close")]);
    response.headers_mut().extend(more.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// C7: HTTP/1.1 is all that is offered. No session is resumed, so none is kept.
fn tls(identity: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.context("no TLS version")?.with_no_client_auth().with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
