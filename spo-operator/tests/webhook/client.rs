//! A client that speaks TLS as it is told to, and HTTP by hand.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::process::Webhook;

/// A connection after its handshake.
pub(crate) type Connection = StreamOwned<ClientConnection, TcpStream>;

/// What a client offers.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) protocols: Vec<&'static [u8]>,
}

impl Default for Offer {
    /// As an API server does.
    fn default() -> Self {
        Self { versions: vec![&TLS13, &TLS12], protocols: vec![b"h2", b"http/1.1"] }
    }
}

/// An answer of HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) header: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Connects and finishes the handshake.
pub(crate) fn try_connect(port: u16, authority: &CertificateDer<'static>, offer: &Offer) -> io::Result<Connection> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&offer.versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = offer.protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut connection = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
    while connection.conn.is_handshaking() {
        connection.conn.complete_io(&mut connection.sock)?;
    }
    Ok(connection)
}

pub(crate) fn connect(webhook: &Webhook) -> Connection {
    try_connect(webhook.port, &webhook.authority, &Offer::default()).unwrap()
}

/// Sends a request to a path, and reads the answer.
pub(crate) fn post(connection: &mut Connection, path: &str, body: &[u8]) -> Answer {
    send(connection, &format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()), body);
    read(connection)
}

/// Sends a header as it is, and a body; a server that has heard enough may close meanwhile.
pub(crate) fn send(connection: &mut Connection, header: &str, body: &[u8]) {
    connection.write_all(header.as_bytes()).unwrap();
    let _ = connection.write_all(body).and_then(|()| connection.flush());
}

/// Reads one answer.
pub(crate) fn read(connection: &mut Connection) -> Answer {
    let mut bytes = Vec::new();
    let header = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(more(connection, &mut bytes), 0, "no answer: {:?}", String::from_utf8_lossy(&bytes));
    };
    let text = String::from_utf8(bytes[..header].to_vec()).unwrap().to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse::<usize>().unwrap());
    while bytes.len() < header + length {
        assert_ne!(more(connection, &mut bytes), 0, "the answer broke off");
    }
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, header: text, body: bytes.split_off(header) }
}

/// Reads on; 0 at the end of the connection.
fn more(connection: &mut Connection, bytes: &mut Vec<u8>) -> usize {
    let mut piece = [0; 64 * 1024];
    let count = connection.read(&mut piece).unwrap_or(0);
    bytes.extend_from_slice(&piece[..count]);
    count
}

/// Waits until the server closes the connection.
pub(crate) fn until_closed(connection: &mut Connection) {
    let mut rest = Vec::new();
    while more(connection, &mut rest) > 0 {}
}

/// A review of so many SeccompProfiles, each of about `size` bytes.
pub(crate) fn review(count: usize, size: usize) -> Vec<u8> {
    let names: Vec<String> = (0..size / 12).map(|n| format!("syscall{n:03}")).collect();
    let profile = |n: usize| {
        serde_json::json!({
            "apiVersion": "security-profiles-operator.x-k8s.io/v1beta1",
            "kind": "SeccompProfile",
            "metadata": {"name": format!("profile-{n}"), "uid": "0"},
            "spec": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": names}]},
        })
    };
    let objects: Vec<_> = (0..count).map(profile).collect();
    serde_json::to_vec(&serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {"uid": "u1", "desiredAPIVersion": "security-profiles-operator.x-k8s.io/v1", "objects": objects},
    }))
    .unwrap()
}

/// Converts one small object, and expects to be answered.
pub(crate) fn converts(webhook: &Webhook) {
    let answer = post(&mut connect(webhook), "/convert", &review(1, 100));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["response"]["result"]["status"], "Success");
}
