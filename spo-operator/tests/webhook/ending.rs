//! How the process ends.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{connect, post, review, send, until_closed};
use crate::process::Webhook;

#[test]
fn w_x_19_sigterm_ends_the_webhook_with_status_0_and_within_a_second_also_while_clients_are_connected() {
    let mut webhook = Webhook::start();
    let mut used = connect(&webhook);
    assert_eq!(post(&mut used, "/convert", &review(1, 100)).status, 200);
    let mut stopped = connect(&webhook);
    send(&mut stopped, "POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", b"");
    let begin = Instant::now();
    webhook.signal(Signal::TERM);
    assert!(webhook.wait().success());
    // The bound of the specification, which a machine that is busy otherwise is given once more.
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn a_request_that_is_under_way_is_answered_before_the_end() {
    let mut webhook = Webhook::start();
    let body = review(2, 1000);
    let mut under_way = connect(&webhook);
    let header = format!("POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    send(&mut under_way, &header, &body[..10]);
    let mut idle = connect(&webhook);
    assert_eq!(post(&mut idle, "/convert", &body).status, 200);
    webhook.signal(Signal::TERM);
    until_closed(&mut idle);
    send(&mut under_way, "", &body[10..]);
    assert_eq!(crate::client::read(&mut under_way).status, 200);
    assert!(webhook.wait().success());
}
