//! The command line, as a script meets it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn spo_operator(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spo-operator"));
    command.args(words);
    for name in ["KUBECONFIG", "OPERATOR_NAMESPACE", "POD_NAME", "SPO_VERBOSITY"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

#[test]
fn version_is_a_table_or_json() {
    let text = String::from_utf8(spo_operator(&["version"]).stdout).unwrap();
    assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&spo_operator(&["v", "--json"]).stdout).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn without_its_namespace_the_manager_says_which_flag_is_missing() {
    let output = spo_operator(&["manager"]);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--operator-namespace"), "{text}");
}

#[test]
fn w_op_11_outside_a_pod_and_without_a_kubeconfig_the_manager_ends_with_status_1() {
    let output = spo_operator(&["manager", "--operator-namespace", "spo", "--health-port", "0", "--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--kubeconfig"), "{text}");
}

#[test]
fn completions_name_the_commands() {
    let text = String::from_utf8(spo_operator(&["completions", "bash"]).stdout).unwrap();
    assert!(text.contains("manager"), "{text}");
}

#[test]
fn without_a_certificate_converting_alone_says_which_flag_is_missing() {
    let output = spo_operator(&["webhook", "--convert-only"]);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--cert-dir"), "{text}");
}

#[test]
fn converting_alone_does_not_mind_a_kubeconfig_in_the_environment() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spo-operator"));
    command.args(["webhook", "--convert-only", "--cert-dir", "/nowhere/at/all", "--health-port", "0"]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let output = command.args(["--port", &port]).env("KUBECONFIG", "/nowhere/kubeconfig").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("/nowhere/at/all") && !text.contains("kubeconfig"), "{text}");
}
