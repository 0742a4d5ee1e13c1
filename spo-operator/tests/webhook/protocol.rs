//! TLS and HTTP as they are negotiated.

use rstest::rstest;
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};

use crate::client::{Offer, connect, converts, post, review, try_connect};
use crate::process::{Webhook, free_port};

#[test]
fn c7_http_1_1_is_negotiated_also_by_clients_that_would_rather_have_2() {
    let webhook = Webhook::start();
    assert_eq!(connect(&webhook).conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    converts(&webhook);
}

#[test]
fn a_client_that_speaks_only_http_2_is_refused() {
    let webhook = Webhook::start();
    let offer = Offer { protocols: vec![b"h2"], ..Offer::default() };
    assert!(try_connect(webhook.port, &webhook.authority, &offer).is_err());
    converts(&webhook);
}

#[test]
fn a_client_that_negotiates_no_protocol_is_served() {
    let webhook = Webhook::start();
    let offer = Offer { protocols: Vec::new(), ..Offer::default() };
    let mut connection = try_connect(webhook.port, &webhook.authority, &offer).unwrap();
    assert_eq!(post(&mut connection, "/convert", &review(1, 100)).status, 200);
}

#[rstest]
#[case::unless_told(&[], true)]
#[case::told_1_2(&["--tls-min-version", "1.2"], true)]
#[case::told_1_3(&["--tls-min-version=1.3"], false)]
fn w_op_12_tls_1_2_is_spoken_unless_1_3_is_the_least(#[case] words: &[&str], #[case] spoken: bool) {
    let webhook = Webhook::with(words);
    let offer = Offer { versions: vec![&TLS12], ..Offer::default() };
    assert_eq!(try_connect(webhook.port, &webhook.authority, &offer).is_ok(), spoken);
    let offer = Offer { versions: vec![&TLS13], ..Offer::default() };
    let connection = try_connect(webhook.port, &webhook.authority, &offer).unwrap();
    assert_eq!(connection.conn.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn one_connection_carries_many_requests() {
    let webhook = Webhook::start();
    let mut connection = connect(&webhook);
    for count in [1, 3, 0, 40] {
        assert_eq!(post(&mut connection, "/convert", &review(count, 2000)).status, 200);
    }
}

#[test]
fn w_x_22_no_port_is_opened_but_those_that_flags_name() {
    let webhook = Webhook::start();
    assert_eq!(webhook.listening(), [webhook.port].into());
    let health = free_port();
    let webhook = Webhook::with(&["--health-port", &health.to_string()]);
    assert_eq!(webhook.listening(), [webhook.port, health].into());
}
