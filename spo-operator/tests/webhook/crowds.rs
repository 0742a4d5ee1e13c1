//! Many clients at once, and large reviews.

use std::net::TcpStream;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::{connect, converts, post, read, review, send};
use crate::process::Webhook;

const CROWD: usize = 1000;
const MIB: u64 = 1 << 20;

/// Each end of a connection is a file of this process or of the other.
fn permit_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

#[test]
fn a_thousand_connections_that_say_nothing_hold_nobody_up_and_cost_little() {
    permit_files();
    let webhook = Webhook::start();
    converts(&webhook);
    let before = webhook.anonymous_bytes();
    let idle: Vec<_> = (0..CROWD).map(|_| TcpStream::connect(("127.0.0.1", webhook.port)).unwrap()).collect();
    converts(&webhook);
    let cost = webhook.anonymous_bytes().saturating_sub(before);
    assert!(cost < 8 * MIB, "{} KiB for each of {}", cost / 1024 / CROWD as u64, idle.len());
}

#[test]
fn a_thousand_clients_are_answered_each_while_all_of_them_are_connected() {
    permit_files();
    let webhook = Webhook::start();
    let body = review(1, 500);
    let dial = |_| {
        let mut client = connect(&webhook);
        assert_eq!(post(&mut client, "/convert", &body).status, 200);
        client
    };
    let mut clients: Vec<_> = thread::scope(|scope| {
        let dials: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..CROWD / 8).map(dial).collect::<Vec<_>>())).collect();
        dials.into_iter().flat_map(|dial| dial.join().unwrap()).collect()
    });
    let held = webhook.anonymous_bytes();
    assert!(held < 64 * MIB, "{} MiB for {} connections", held / MIB, clients.len());
    let header = format!("POST /convert HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    clients.iter_mut().for_each(|client| send(client, &header, &body));
    assert!(clients.iter_mut().all(|client| read(client).status == 200));
}

/// `cargo xtask bench convert` measures it with reviews of the size that the specification names.
#[test]
fn w_x_20_four_large_reviews_at_once_are_all_answered_and_take_the_memory_of_their_bodies_and_answers() {
    let webhook = Webhook::start();
    let body = review(400, 10_000);
    assert!(body.len() > 3 << 20, "it is a large one");
    converts(&webhook);
    let before = webhook.peak_bytes();
    thread::scope(|scope| {
        let ask = || post(&mut connect(&webhook), "/convert", &body).status;
        let all: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        let small = scope.spawn(|| (0..20).for_each(|_| converts(&webhook)));
        assert!(all.into_iter().all(|one| one.join().unwrap() == 200));
        small.join().unwrap();
    });
    let cost = webhook.peak_bytes() - before;
    assert!(cost < 4 * 2 * body.len() as u64 + 16 * MIB, "{} MiB", cost / MIB);
}
