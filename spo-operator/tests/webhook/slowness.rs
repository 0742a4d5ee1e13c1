//! Clients that are slow, stop in the middle, or announce what they do not send.

use std::io::Write;
use std::net::TcpStream;

use rstest::rstest;

use crate::client::{connect, converts, post, read, review, send, until_closed};
use crate::process::Webhook;

const MIB: u64 = 1 << 20;

#[rstest]
#[case::in_the_header("POST /convert HTTP/1.1\r\nHo")]
#[case::in_the_body("POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")]
#[case::in_a_large_body("POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n{")]
fn a_client_that_stops_in_the_middle_is_let_go_and_holds_nobody_up(#[case] start: &str) {
    let webhook = Webhook::start();
    let mut stopped = connect(&webhook);
    send(&mut stopped, start, b"");
    converts(&webhook);
    until_closed(&mut stopped);
    webhook.wait_for("the log to tell of it", || webhook.log().contains("too slow"));
}

#[test]
fn clients_that_stop_in_the_handshake_are_let_go() {
    let webhook = Webhook::start();
    let mut stopped: Vec<_> = (0..50).map(|_| TcpStream::connect(("127.0.0.1", webhook.port)).unwrap()).collect();
    stopped.iter_mut().for_each(|client| client.write_all(b"\x16\x03\x01").unwrap());
    converts(&webhook);
    webhook.wait_for("the log to tell of it", || webhook.log().contains("no TLS handshake in time"));
}

#[test]
fn what_is_announced_and_not_sent_takes_no_memory_and_holds_no_small_review_up() {
    let webhook = Webhook::start();
    converts(&webhook);
    let before = webhook.anonymous_bytes();
    let mut liar = connect(&webhook);
    send(&mut liar, &format!("POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 64 * MIB), b"{");
    converts(&webhook);
    let cost = webhook.anonymous_bytes().saturating_sub(before);
    assert!(cost < 4 * MIB, "{} KiB", cost / 1024);
}

#[test]
fn a_large_review_waits_for_one_that_is_not_sent_and_is_answered_then() {
    let webhook = Webhook::start();
    let mut liar = connect(&webhook);
    send(&mut liar, &format!("POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 64 * MIB), b"{");
    converts(&webhook);
    assert_eq!(post(&mut connect(&webhook), "/convert", &review(400, 10_000)).status, 200);
    assert_eq!(read(&mut liar).status, 408);
}

#[test]
fn clients_that_go_away_in_the_middle_leave_nothing_behind() {
    let webhook = Webhook::start();
    let body = review(400, 10_000);
    for sent in [0, 10, body.len() / 2, body.len()] {
        let mut client = connect(&webhook);
        let header = format!("POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        send(&mut client, &header, &body[..sent]);
    }
    assert_eq!(post(&mut connect(&webhook), "/convert", &body).status, 200);
}
