//! How the daemon starts and ends, also when it is killed.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Node, get, permits, permitting, text};

/// So many profiles that installing them takes a while.
fn many(node: &Node, count: usize, call: &str) {
    let manifests: String = (0..count).map(|index| permits(&format!("p{index}"), call)).collect();
    let path = node.profiles().join("many.tmp");
    fs::write(&path, manifests).unwrap();
    fs::rename(&path, node.profiles().join("many.yaml")).unwrap();
}

#[test]
fn once_ends_with_0_when_all_is_well_and_with_1_when_anything_is_not() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    assert_eq!(node.once().status.code(), Some(0));
    node.write("bad.yaml", permits("bad", "read").replace("spec", "spce"));
    assert_eq!(node.once().status.code(), Some(1));
    node.write("bad.yaml", "nothing but text");
    assert_eq!(node.once().status.code(), Some(1));
    node.remove("bad.yaml");
    assert_eq!(node.once().status.code(), Some(0));
}

#[test]
fn w_x_19_sigterm_ends_it_within_a_second_with_status_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let node = Node::new();
        node.write("web.yaml", permits("web", "read"));
        let mut daemon = node.start();
        daemon.until("it is installed", || node.says("web").starts_with("Installed"));
        let start = Instant::now();
        daemon.signal(signal);
        assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(daemon.log().matches("installing profiles").count(), 1, "it runs once: {}", daemon.log());
        assert_eq!(node.content("web"), permitting("read"), "what is installed stays");
    }
}

#[test]
fn w_x_19_sigterm_ends_it_within_a_second_in_the_middle_of_its_work() {
    let node = Node::new();
    many(&node, 600, "read");
    let mut daemon = node.start();
    daemon.until("it has begun", || node.file("p0").exists());
    let start = Instant::now();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    node.once_well();
    assert_eq!(node.names().len(), 600);
}

#[test]
fn w_nd_6_a_daemon_killed_at_any_moment_leaves_whole_files_and_recovers() {
    let node = Node::new();
    fs::create_dir_all(node.installed()).unwrap();
    // Later and later, from before the first file to well into the work. The clock decides where exactly, every run anew.
    for round in 0..12_u32 {
        let call = if round % 2 == 0 { "read" } else { "write" };
        many(&node, 200, call);
        let mut daemon = node.start();
        std::thread::sleep(Duration::from_millis(u64::from(round) * 17));
        daemon.signal(Signal::KILL);
        daemon.ended();
        for name in node.names().iter().filter_map(|name| name.strip_suffix(".json")) {
            let content = node.content(name);
            assert!(
                content == permitting("read") || content == permitting("write"),
                "{name} is neither old nor new: {content:?}"
            );
        }
    }
    many(&node, 200, "read");
    node.once_well();
    let names = node.names();
    assert_eq!(names.len(), 200, "nothing else is left");
    assert!(names.iter().all(|name| node.content(name.trim_end_matches(".json")) == permitting("read")));
    assert!((0..200).all(|index| node.says(&format!("p{index}")).starts_with("Installed")));
}

#[test]
fn two_daemons_do_not_install_into_one_folder() {
    let node = Node::new();
    let mut first = node.start();
    first.until("it runs", || fs::read_to_string(node.path("log")).unwrap().contains("installing profiles"));
    let output = node.once();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another spo-node daemon installs into"), "{}", text(&output.stderr));
    first.signal(Signal::TERM);
    first.ended();
    node.once_well();
}

#[test]
fn w_x_19_sigterm_ends_it_while_it_waits_for_another_to_end() {
    let node = Node::new();
    fs::create_dir_all(node.installed()).unwrap();
    let other = fs::File::create(node.installed().join(".lock")).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut daemon = node.start();
    let log = node.path("log");
    daemon.until("it waits", || fs::read_to_string(&log).unwrap().contains("waiting for another daemon to end"));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
    assert!(!daemon.log().contains("another spo-node daemon installs into"), "{}", daemon.log());
}

#[test]
fn the_health_port_tells_when_the_first_pass_is_done() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut daemon = node.start_with(node.command(&["--health-port", &port.to_string()]));
    daemon.until("it is ready", || get(port, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")));
    assert_eq!(node.content("web"), permitting("read"));
    assert!(get(port, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
    assert!(get(port, "/else").unwrap().starts_with("HTTP/1.1 404"));
}

#[test]
fn the_first_lines_of_the_log_are_those_of_the_reference() {
    let node = Node::new();
    let log = text(&node.command(&["--once", "-V", "1"]).output().unwrap().stderr);
    assert!(log.contains("Set logging verbosity to 1"), "{log}");
    assert!(log.contains("Profiling support enabled: false"), "{log}");
}

#[test]
fn a_kubelet_elsewhere_is_served_there() {
    let node = Node::new();
    node.write("web.yaml", permits("web", "read"));
    assert!(node.command(&["--once", "--kubelet-dir", "/data/kubelet"]).output().unwrap().status.success());
    assert!(node.path("root/data/kubelet/seccomp/operator/web.json").is_file());
    assert!(node.command(&["--once"]).env("KUBELET_DIR", "/other").output().unwrap().status.success());
    assert!(node.path("root/other/seccomp/operator/web.json").is_file());
}
