//! `/healthz` and `/readyz`.
//!
//! Healthy means that the process answers. A node whose kernel lacks something is healthy all the same, and its statuses say what is
//! missing (W-ND-4): a restart would change nothing.

use std::convert::Infallible;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// A connection has so long for its one request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the first pass is done; shared with what answers `/readyz`.
#[derive(Debug, Clone, Default)]
pub struct Ready(Arc<watch::Sender<bool>>);

impl Ready {
    /// Says whether it is.
    pub fn set(&self, ready: bool) {
        self.0.send_replace(ready);
    }

    fn get(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub async fn wait(&self) {
        // The sender is this value's own, so that it cannot be gone.
        _ = self.0.subscribe().wait_for(|ready| *ready).await;
    }
}

/// Opens `port` on every address, and answers from then on; port 0 opens nothing.
///
/// # Errors
/// The port is taken.
pub fn start(port: u16, ready: &Ready) -> Result<()> {
    if port != 0 {
        let listener = listen(port)
            .with_context(|| format!("cannot listen on port {port}; choose another by --health-port, or 0 for none"))?;
        tokio::spawn(serve(listener, ready.clone()));
    }
    Ok(())
}

/// Both families, or IPv4 alone on a node without IPv6.
pub(crate) fn listen(port: u16) -> std::io::Result<TcpListener> {
    let open = |socket: TcpSocket, address: SocketAddr| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(16)
    };
    let both = TcpSocket::new_v6().and_then(|socket| open(socket, (Ipv6Addr::UNSPECIFIED, port).into()));
    both.or_else(|_no_ipv6| open(TcpSocket::new_v4()?, ([0, 0, 0, 0], port).into()))
}

async fn serve(listener: TcpListener, ready: Ready) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                _ = tokio::spawn(tokio::time::timeout(PATIENCE, converse(connection, ready.clone())))
            }
            Err(error) => {
                // Out of descriptors, most likely. Without a pause this would spin.
                tracing::warn!(%error, "cannot accept a health check");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(connection: TcpStream, ready: Ready) {
    let service = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(&request, ready.get()))));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(8192);
    if let Err(error) = http.serve_connection(TokioIo::new(connection), service).await {
        tracing::debug!(%error, "a health check broke off");
    }
}

fn answer(request: &Request<Incoming>, ready: bool) -> Response<Full<Bytes>> {
    let (status, text) = respond(request.method(), request.uri().path(), ready);
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

fn respond(method: &Method, path: &str, ready: bool) -> (StatusCode, &'static str) {
    match path {
        _ if !matches!(*method, Method::GET | Method::HEAD) => (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"),
        "/healthz" | "/healthz/seccomp-spod" => (StatusCode::OK, "ok"),
        "/readyz" if ready => (StatusCode::OK, "ok"),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "not ready: the first pass over all profiles is not done"),
        _ => (StatusCode::NOT_FOUND, "try /healthz or /readyz"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_healthy_before_it_is_ready() {
        let get = |path, ready| respond(&Method::GET, path, ready).0;
        assert_eq!(get("/healthz", false), StatusCode::OK);
        assert_eq!(get("/healthz/seccomp-spod", false), StatusCode::OK);
        assert_eq!(get("/readyz", false), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get("/readyz", true), StatusCode::OK);
        assert_eq!(get("/metrics", true), StatusCode::NOT_FOUND);
        assert_eq!(respond(&Method::POST, "/healthz", true).0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn a_taken_port_is_told_with_the_flag_that_changes_it() {
        let taken = listen(0).unwrap();
        let error = start(taken.local_addr().unwrap().port(), &Ready::default()).unwrap_err();
        assert!(error.to_string().contains("--health-port"), "{error}");
    }
}
