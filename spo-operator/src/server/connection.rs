//! One client, from its first byte to its last.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::deadline::Deadline;
use super::exchange::Exchange;
use super::notice::{Notices, Trouble};

/// From being accepted to the first byte. Until then a client costs a socket.
const FIRST_BYTE: Duration = Duration::from_secs(5);
/// For the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// From the handshake to the end of the first request's header.
const FIRST_HEADER: Duration = Duration::from_secs(10);
/// The header of a request, and what is read or written at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// Serves the client until it is done, is too slow, or the server ends.
pub(super) async fn serve(
    client: TcpStream,
    acceptor: TlsAcceptor,
    exchange: Arc<Exchange>,
    notices: Arc<Notices>,
    ending: watch::Receiver<bool>,
) {
    match tokio::time::timeout(FIRST_BYTE, client.peek(&mut [0])).await {
        Ok(Ok(0)) => return, // a probe of the port
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return notices.tell(Trouble::Slow, &error),
        Err(_elapsed) => return notices.tell(Trouble::Slow, &"connected, and said nothing"),
    }
    // What comes now is large, and is had by those only who have begun to speak.
    match tokio::time::timeout(HANDSHAKE, Box::pin(secure(client, acceptor))).await {
        Ok(Ok(client)) => Box::pin(converse(client, exchange, &notices, ending)).await,
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {} // a probe of the port
        Ok(Err(error)) => notices.tell(Trouble::Handshake, &error),
        Err(_elapsed) => notices.tell(Trouble::Slow, &"no TLS handshake in time"),
    }
}

async fn secure(client: TcpStream, acceptor: TlsAcceptor) -> io::Result<TlsStream<TcpStream>> {
    client.set_nodelay(true)?;
    acceptor.accept(client).await
}

async fn converse(
    client: TlsStream<TcpStream>,
    exchange: Arc<Exchange>,
    notices: &Notices,
    mut ending: watch::Receiver<bool>,
) {
    let deadline = Deadline::after(FIRST_HEADER);
    let service = service_fn(|request| exchange.clone().answer(request, deadline.clone()));
    let mut http = http1::Builder::new();
    let mut served = pin!(http.max_buf_size(BUFFER_BYTES).serve_connection(TokioIo::new(client), service));
    tokio::select! {
        outcome = served.as_mut() => return report(outcome, notices),
        () = deadline.passed() => return notices.tell(Trouble::Slow, &"no progress in time"),
        _ = ending.wait_for(|ending| *ending) => served.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        outcome = served => report(outcome, notices),
        () = deadline.passed() => notices.tell(Trouble::Slow, &"no progress in time"),
    }
}

fn report(outcome: hyper::Result<()>, notices: &Notices) {
    let Err(error) = outcome else { return };
    if error.is_parse() {
        notices.tell(Trouble::Http, &error);
    } else if !error.is_incomplete_message() && !error.is_canceled() {
        notices.tell(Trouble::Slow, &error);
    }
}
