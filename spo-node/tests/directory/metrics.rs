//! The metrics of a daemon with a folder of profiles.

use std::net::TcpListener;

use crate::support::{Daemon, Node, get, permits, profile, text};

/// A daemon that shows its metrics, and on which port.
fn showing(node: &Node) -> (Daemon, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let daemon =
        node.start_with(node.command(&["--metrics-port", &port.to_string(), "--with-insecure-metrics-access"]));
    (daemon, port)
}

fn page(port: u16, path: &str) -> String {
    get(port, path).unwrap_or_default()
}

fn counted(port: u16, operation: &str, count: u32) -> bool {
    let line = format!("security_profiles_operator_seccomp_profile_total{{operation=\"{operation}\"}} {count}");
    page(port, "/metrics-spod").lines().any(|there| there == line)
}

#[test]
fn s10_metrics_count_what_is_installed_changed_and_removed() {
    let node = Node::new();
    let (mut daemon, port) = showing(&node);
    daemon.until("there are metrics", || counted(port, "update", 0) && counted(port, "delete", 0));
    node.write("web.yaml", permits("web", "read"));
    daemon.until("an install is counted", || counted(port, "update", 1));
    node.write("web.yaml", permits("web", "write"));
    daemon.until("a change is counted", || counted(port, "update", 2));
    node.remove("web.yaml");
    daemon.until("a removal is counted", || counted(port, "delete", 1));
    assert!(counted(port, "update", 2));
    assert!(page(port, "/metrics-spod").contains("promhttp_metric_handler_requests_total{code=\"200\"} "));
    let process = page(port, "/metrics");
    assert!(
        process.contains("\nprocess_resident_memory_bytes ") && process.contains("controller_runtime_reconcile_total{"),
        "{process}"
    );
    assert!(page(port, "/").starts_with("HTTP/1.1 404"));
}

#[test]
fn errors_are_counted_by_their_reason() {
    let node = Node::new();
    let (mut daemon, port) = showing(&node);
    node.write("web.yaml", profile("web", "{defaultAction: SCMP_ACT_ALOW}"));
    let line = "security_profiles_operator_seccomp_profile_error_total{reason=\"InvalidSeccompProfile\"} 1";
    daemon.until("the error is counted", || page(port, "/metrics-spod").lines().any(|there| there == line));
}

#[test]
fn without_an_api_server_metrics_are_shown_only_where_everybody_may_read_them() {
    let node = Node::new();
    let output = node.command(&["--metrics-port", "9"]).output().unwrap();
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("pass --with-insecure-metrics-access too"), "{said}");
}
