//! Requests that cannot be answered as they would like.

use std::io::Write;
use std::net::TcpStream;

use rstest::rstest;

use crate::client::{connect, converts, post, read, review, send, until_closed};
use crate::process::Webhook;

const MIB: usize = 1 << 20;

#[rstest]
#[case::nothing(b"")]
#[case::no_json(b"review")]
#[case::cut(b"{\"kind\": \"ConversionReview\", \"request\": {")]
#[case::no_text(b"\xff\xfe\x00")]
#[case::another_kind(br#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1"}}"#)]
#[case::no_request(br#"{"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview"}"#)]
fn what_is_no_review_is_answered_by_400_and_an_empty_body(#[case] body: &[u8]) {
    let webhook = Webhook::start();
    let mut connection = connect(&webhook);
    let answer = post(&mut connection, "/convert", body);
    assert_eq!((answer.status, &*answer.body), (400, &b""[..]));
    assert_eq!(post(&mut connection, "/convert", &review(1, 100)).status, 200, "the connection goes on");
}

#[test]
fn ten_thousand_levels_are_answered_and_harm_nobody() {
    let webhook = Webhook::start();
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let in_object = format!(
        r#"{{"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": {{"uid": "1",
        "desiredAPIVersion": "security-profiles-operator.x-k8s.io/v1", "objects": [{{
        "apiVersion": "security-profiles-operator.x-k8s.io/v1beta1", "kind": "SeccompProfile", "metadata": {{"name": "a"}},
        "spec": {{"defaultAction": {nested}}}}}]}}}}"#
    );
    for body in [nested, in_object] {
        let answer = post(&mut connect(&webhook), "/convert", body.as_bytes());
        let failed = answer.status == 400 || answer.json()["response"]["result"]["status"] == "Failure";
        assert!(failed, "{answer:?}");
        converts(&webhook);
    }
}

#[rstest]
#[case::unknown_path("POST /nothing", 404)]
#[case::root("POST /", 404)]
#[case::below("POST /convert/", 404)]
#[case::read("GET /convert", 405)]
#[case::put("PUT /convert", 405)]
fn other_paths_and_methods_are_refused(#[case] line: &str, #[case] status: u16) {
    let webhook = Webhook::start();
    let mut connection = connect(&webhook);
    send(&mut connection, &format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), b"");
    let answer = read(&mut connection);
    assert_eq!(answer.status, status);
    assert_eq!(answer.header.contains("allow: post"), status == 405);
}

#[test]
fn a_path_with_a_query_is_the_same_path() {
    let webhook = Webhook::start();
    assert_eq!(post(&mut connect(&webhook), "/convert?timeout=30s", &review(1, 100)).status, 200);
}

#[test]
fn w_x_20_64_mib_are_taken_and_a_byte_more_is_refused() {
    let webhook = Webhook::start();
    let mut body = review(1, 100);
    body.resize(64 * MIB, b' ');
    assert_eq!(post(&mut connect(&webhook), "/convert", &body).status, 200);
    body.push(b' ');
    let answer = post(&mut connect(&webhook), "/convert", &body);
    assert_eq!(answer.status, 413);
    assert!(String::from_utf8_lossy(&answer.body).contains("67108864"), "{answer:?}");
    converts(&webhook);
}

#[test]
fn a_client_that_asks_first_is_told_before_it_sends() {
    let webhook = Webhook::start();
    let mut connection = connect(&webhook);
    let header = |length: usize| {
        format!("POST /convert HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    send(&mut connection, &header(65 * MIB), b"");
    assert_eq!(read(&mut connection).status, 413);
    let mut connection = connect(&webhook);
    let body = review(1, 100);
    send(&mut connection, &header(body.len()), b"");
    send(&mut connection, "", &body);
    let answer = read(&mut connection);
    assert!(answer.header.starts_with("http/1.1 100 continue"), "{answer:?}");
}

#[test]
fn a_body_without_a_length_is_read_up_to_what_is_permitted() {
    let webhook = Webhook::start();
    let body = review(3, 2000);
    let header = "POST /convert HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut connection = connect(&webhook);
    send(&mut connection, header, b"");
    for piece in body.chunks(1000) {
        send(&mut connection, &format!("{:x}\r\n", piece.len()), piece);
        send(&mut connection, "\r\n", b"");
    }
    send(&mut connection, "0\r\n\r\n", b"");
    assert_eq!(read(&mut connection).status, 200);

    let mut connection = connect(&webhook);
    send(&mut connection, header, b"");
    let piece = vec![b' '; MIB];
    for _ in 0..66 {
        let sent = write!(connection, "{:x}\r\n", piece.len()).and_then(|()| connection.write_all(&piece));
        if sent.and_then(|()| connection.write_all(b"\r\n")).is_err() {
            break;
        }
    }
    assert_eq!(read(&mut connection).status, 413);
    converts(&webhook);
}

#[rstest]
#[case::no_http(b"\x16\x03\x01 hello\r\n\r\n".to_vec())]
#[case::no_version(b"GET /\r\n\r\n".to_vec())]
#[case::endless_header([b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'a'; 100_000]].concat())]
#[case::many_headers([b"GET / HTTP/1.1\r\n".to_vec(), b"A: b\r\n".repeat(1000)].concat())]
#[case::two_lengths(b"POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_vec())]
#[case::length_and_pieces(
    b"POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()
)]
fn what_is_no_http_ends_that_connection_only(#[case] bytes: Vec<u8>) {
    let webhook = Webhook::start();
    let mut connection = connect(&webhook);
    let _ = connection.write_all(&bytes).and_then(|()| connection.flush());
    // The server may have ended the connection in the middle of all that.
    let _ = connection.sock.shutdown(std::net::Shutdown::Write);
    until_closed(&mut connection);
    converts(&webhook);
}

#[test]
fn what_is_no_tls_ends_that_connection_only() {
    let webhook = Webhook::start();
    let mut plain = TcpStream::connect(("127.0.0.1", webhook.port)).unwrap();
    plain.write_all(b"GET /convert HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    webhook.wait_for("the log to tell of it", || webhook.log().contains("did not finish its TLS handshake"));
    converts(&webhook);
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_told_of_in_the_log() {
    let webhook = Webhook::start();
    let stranger = crate::process::issue().authority;
    let offer = crate::client::Offer::default();
    assert!(crate::client::try_connect(webhook.port, &stranger, &offer).is_err());
    webhook.wait_for("the log to tell of it", || webhook.log().contains("UnknownCA"));
}
