//! `/healthz` and `/readyz`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// What the process waits for before it is of use; shared with what answers `/readyz`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ready(Arc<Mutex<BTreeSet<&'static str>>>);

/// One thing that is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    ready: Ready,
    what: &'static str,
}

impl Ready {
    /// Adds something to wait for; `what` completes the sentence "waiting for".
    pub(crate) fn wait_for(&self, what: &'static str) -> Gate {
        let gate = Gate { ready: self.clone(), what };
        gate.close();
        gate
    }

    /// Says that the process is ending: it is not ready any more.
    pub(crate) fn end(&self) {
        self.wait_for("its own end");
    }

    fn awaited(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

impl Gate {
    /// It is there.
    pub(crate) fn open(&self) {
        self.ready.0.lock().unwrap_or_else(PoisonError::into_inner).remove(self.what);
    }

    /// It is waited for.
    pub(crate) fn close(&self) {
        self.ready.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.what);
    }
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
        let service =
            service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(&request, &ready.awaited()))));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5)).max_buf_size(8192);
        let served = http.serve_connection(TokioIo::new(connection), service);
        tokio::spawn(async move { tokio::time::timeout(Duration::from_secs(5), served).await });
    }
}

fn answer(request: &Request<Incoming>, awaited: &[&str]) -> Response<Full<Bytes>> {
    let (status, text) = respond(request.uri().path(), awaited);
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

fn respond(path: &str, awaited: &[&str]) -> (StatusCode, String) {
    match path {
        "/healthz" => (StatusCode::OK, "ok".to_owned()),
        "/readyz" if awaited.is_empty() => (StatusCode::OK, "ok".to_owned()),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: waiting for {}", awaited.join(", "))),
        _ => (StatusCode::NOT_FOUND, "try /healthz or /readyz".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_ready_is_healthy_and_says_what_it_waits_for() {
        let ready = Ready::default();
        let (lease, certificate) = (ready.wait_for("the lease"), ready.wait_for("a certificate"));
        assert_eq!(respond("/healthz", &ready.awaited()).0, StatusCode::OK);
        let (status, text) = respond("/readyz", &ready.awaited());
        assert_eq!(
            (status, &*text),
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: waiting for a certificate, the lease")
        );
        lease.open();
        certificate.open();
        assert_eq!(respond("/readyz", &ready.awaited()).0, StatusCode::OK);
        lease.close();
        assert_eq!(respond("/readyz", &ready.awaited()).1, "not ready: waiting for the lease");
        assert_eq!(respond("/", &[]).0, StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_process_that_ends_is_not_ready_any_more() {
        let ready = Ready::default();
        ready.end();
        assert_eq!(respond("/readyz", &ready.awaited()).0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
