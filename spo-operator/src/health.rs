//! `/healthz` and `/readyz`.

use std::convert::Infallible;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket};

/// Whether the process is of use; shared with what answers `/readyz`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ready(Arc<AtomicBool>);

impl Ready {
    /// Says that it is, or is not any more.
    pub(crate) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Opens the port, on every address.
pub(crate) fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let open = || {
        let socket = TcpSocket::new_v6()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(16)
    };
    // A node without IPv6 has the other kind only.
    let open_v4 = |_| {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(([0, 0, 0, 0], port).into())?;
        socket.listen(16)
    };
    open()
        .or_else(open_v4)
        .with_context(|| format!("cannot listen on port {port} for health checks; choose another by --health-port"))
}

/// Answers for ever. A connection has five seconds, and one request.
pub(crate) async fn serve(listener: TcpListener, ready: Ready) -> Infallible {
    loop {
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a health check");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let ready = ready.clone();
        let service = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(&request, ready.get()))));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5)).max_buf_size(8192);
        let served = http.serve_connection(TokioIo::new(connection), service);
        tokio::spawn(async move { tokio::time::timeout(Duration::from_secs(5), served).await });
    }
}

fn answer(request: &Request<Incoming>, ready: bool) -> Response<Full<Bytes>> {
    let (status, text) = respond(request.uri().path(), ready);
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

fn respond(path: &str, ready: bool) -> (StatusCode, &'static str) {
    match path {
        "/healthz" => (StatusCode::OK, "ok"),
        "/readyz" if ready => (StatusCode::OK, "ok"),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "not ready: waiting for the API server"),
        _ => (StatusCode::NOT_FOUND, "try /healthz or /readyz"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_ready_is_healthy() {
        assert_eq!(respond("/healthz", false).0, StatusCode::OK);
        assert_eq!(respond("/readyz", false).0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(respond("/readyz", true).0, StatusCode::OK);
        assert_eq!(respond("/", true).0, StatusCode::NOT_FOUND);
    }
}
