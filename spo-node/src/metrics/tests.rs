//! The server of the secure mode, with a client of TLS. The API server that it would ask is not there.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;

const NAME: &str = "metrics.example";

/// Puts a new certificate into a folder, as somebody does who renames files over others.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    for (name, text) in [("tls.crt", cert.pem()), ("tls.key", signing_key.serialize_pem())] {
        fs::write(folder.join("new"), text).unwrap();
        fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }
    cert.der().clone()
}

/// A server with the certificates of a folder, and where it is.
async fn serving(folder: &Path) -> (SocketAddr, Arc<Identity>) {
    let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let guard = Guard::new(Client::try_from(nowhere).unwrap());
    let identity = Arc::new(Identity::default());
    tokio::spawn(identity::Folder::open(folder, identity.clone()).unwrap().follow());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::secure(Counters::new().unwrap(), identity.clone(), guard).unwrap();
    tokio::spawn(server.serve(listener));
    (address, identity)
}

/// What is answered to a request, and the protocol that was agreed upon.
async fn ask(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    request: &str,
) -> std::io::Result<(String, Vec<u8>)> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let client = TcpStream::connect(address).await?;
    let mut client = connector.connect(ServerName::try_from(NAME).unwrap(), client).await?;
    let protocol = client.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
    client.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await?;
    Ok((String::from_utf8_lossy(&answer).into_owned(), protocol))
}

fn get(path: &str, header: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n")
}

#[tokio::test]
async fn c7_metrics_are_served_by_http_1_1_to_whoever_offers_more() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path());
    let (address, _) = serving(folder.path()).await;
    let (answer, protocol) = ask(address, &trusted, &get("/metrics", "")).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&protocol), "http/1.1");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn s10_nobody_reads_metrics_without_a_token_or_while_nobody_can_say_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path());
    let (address, _) = serving(folder.path()).await;
    for (path, header, status, says) in [
        ("/metrics-spod", "", "401", "send `Authorization: Bearer`"),
        ("/metrics-spod", "Authorization: Basic YTpi\r\n", "401", "send `Authorization: Bearer`"),
        ("/metrics-spod", "Authorization: Bearer abc\r\n", "503", "the API server cannot be asked"),
        ("/else", "Authorization: Bearer abc\r\n", "404", "there are /metrics and /metrics-spod"),
    ] {
        let (answer, _) = ask(address, &trusted, &get(path, header)).await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(says),
            "{path} {header}: {answer}"
        );
        assert!(!answer.contains("security_profiles_operator_"), "{answer}");
    }
}

#[tokio::test]
async fn a_certificate_that_comes_later_or_changes_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (address, identity) = serving(folder.path()).await;
    assert!(TcpStream::connect(address).await.is_ok() && identity.current().is_none());
    for _ in 0..2 {
        let before = identity.current();
        let trusted = certificate(folder.path());
        while identity.current().map(|key| key.cert.clone()) == before.as_ref().map(|key| key.cert.clone()) {
            tokio::task::yield_now().await;
        }
        assert!(ask(address, &trusted, &get("/metrics", "")).await.is_ok());
    }
    // Half of a change, and nonsense: what was there is served on.
    let before = identity.current().unwrap();
    let CertifiedKey { cert, .. } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    for text in [cert.pem(), "no certificate".to_owned()] {
        fs::write(folder.path().join("tls.crt"), text).unwrap();
        assert!(identity::read(folder.path()).is_err());
        assert_eq!(identity.current().unwrap().cert, before.cert);
    }
}

#[tokio::test]
async fn clients_that_say_nothing_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path());
    let (address, _) = serving(folder.path()).await;
    let mut silent = Vec::new();
    for _ in 0..3 * places::MOST {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let (answer, _) = ask(address, &trusted, &get("/metrics", "")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    // It was not for the silent ones to leave first: the last of them is connected still.
    let last = silent.last().unwrap();
    assert_eq!(last.try_read(&mut [0]).map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
}
