//! What `cargo xtask bench convert` asks of a webhook server: `review PORT AUTHORITY OBJECTS BYTES CLIENTS ROUNDS`.
//!
//! So many clients at once, each with a connection of its own, have so many SeccompProfiles of so many bytes converted in one
//! review, so many times. Prints the size of the review, and the milliseconds that the median and the slowest took.
#![forbid(unsafe_code)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use spo_api::GROUP;

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// After this the server is taken for hung.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, authority, numbers @ ..] = &words[..] else {
        bail!("usage: review PORT AUTHORITY OBJECTS BYTES CLIENTS ROUNDS")
    };
    let numbers = numbers.iter().map(|word| word.parse().with_context(|| format!("{word:?} is no number")));
    let numbers = numbers.collect::<Result<Vec<usize>>>()?;
    let [objects, bytes, clients, rounds] = numbers[..] else { bail!("OBJECTS BYTES CLIENTS ROUNDS are four numbers") };
    let port = port.parse().with_context(|| format!("{port:?} is no port"))?;
    let trust = Arc::new(trust(authority)?);
    let body = review(objects, bytes)?;
    let mut times = thread::scope(|scope| {
        let ask = || converse(port, trust.clone(), &body, rounds);
        let all: Vec<_> = (0..clients).map(|_| scope.spawn(ask)).collect();
        let times = all.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        times.collect::<Result<Vec<_>>>()
    })?
    .concat();
    times.sort();
    let ms = |time: Option<&Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
    let line = json!({"body": body.len(), "median": ms(times.get(times.len() / 2)), "slowest": ms(times.last())});
    writeln!(std::io::stdout().lock(), "{line}").context("cannot write to standard output")
}

fn trust(authority: &str) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).with_context(|| format!("cannot read {authority}"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// One client: gives back how long each of its reviews took.
fn converse(port: u16, trust: Arc<ClientConfig>, body: &[u8], rounds: usize) -> Result<Vec<Duration>> {
    let socket = TcpStream::connect(("127.0.0.1", port)).context("cannot connect")?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut connection = StreamOwned::new(ClientConnection::new(trust, ServerName::try_from("localhost")?)?, socket);
    (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            ask(&mut connection, body)?;
            Ok(begin.elapsed())
        })
        .collect()
}

fn ask(connection: &mut Connection, body: &[u8]) -> Result<()> {
    write!(connection, "POST /convert HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len())?;
    connection.write_all(body)?;
    connection.flush()?;
    let mut answer = Vec::with_capacity(body.len() + body.len() / 8);
    let mut piece = vec![0; 64 * 1024];
    let mut length = None;
    while length.is_none_or(|length| answer.len() < length) {
        let count = connection.read(&mut piece).context("no answer")?;
        ensure!(count > 0, "the answer broke off");
        answer.extend_from_slice(&piece[..count]);
        if length.is_none() {
            length = whole_length(&answer)?;
        }
    }
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "refused: {}",
        String::from_utf8_lossy(&answer[..answer.len().min(300)])
    );
    let success = br#""status":"Success""#;
    ensure!(answer.windows(success.len()).rev().take(1000).any(|text| text == success), "the review failed");
    Ok(())
}

/// The length of an answer with its header, as soon as that is there.
fn whole_length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let header = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let length = header.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no content-length")?;
    Ok(Some(end + 4 + length.parse::<usize>()?))
}

fn review(objects: usize, bytes: usize) -> Result<Vec<u8>> {
    let names: Vec<String> = (0..bytes / 14).map(|number| format!("syscall{number:04}")).collect();
    let profile = |number: usize| {
        json!({
            "apiVersion": format!("{GROUP}/v1beta1"),
            "kind": "SeccompProfile",
            "metadata": {"name": format!("profile-{number}"), "uid": format!("{number}")},
            "spec": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": names}]},
        })
    };
    let objects: Vec<_> = (0..objects).map(profile).collect();
    Ok(serde_json::to_vec(&json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {"uid": "bench", "desiredAPIVersion": format!("{GROUP}/v1"), "objects": objects},
    }))?)
}
