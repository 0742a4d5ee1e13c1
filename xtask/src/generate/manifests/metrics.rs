//! By what metrics of the daemons are read: a Service, a role for whoever reads, and what tells Prometheus' operator of both.

use serde_json::{Value, json};

use super::{APP, DAEMON, NAMESPACE};

/// The Secret with the certificate that metrics are served with, under the name it has in the reference.
pub(super) const SECRET: &str = "metrics-server-cert";
/// The folder that it is mounted at.
pub(super) const FOLDER: &str = "/var/run/secrets/metrics";
/// The port of the daemons.
pub(super) const PORT: u16 = 9443;
const SERVICE: &str = "metrics";
/// W-OP-7: one name for both sides. It is that of the reference's Service, which monitors of others may name.
const PORT_NAME: &str = "http";
const ROLE: &str = "spo-metrics-client";
/// The token that Prometheus reads with.
const TOKEN: &str = "metrics-token";
const PATHS: [&str; 2] = ["/metrics", "/metrics-spod"];

/// The Service of the daemons.
pub(super) fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": SERVICE,
            "namespace": NAMESPACE,
            "labels": {"app": APP, "name": DAEMON},
        },
        "spec": {
            "selector": {"app": APP, "name": DAEMON},
            "ports": [{"name": PORT_NAME, "port": 443, "targetPort": PORT, "protocol": "TCP"}],
        },
    })
}

/// The role of whoever reads metrics. The service account `default` of the operator's namespace has it, as with the reference.
pub(super) fn reader() -> Vec<Value> {
    super::rbac::in_cluster(ROLE, "default", vec![json!({"nonResourceURLs": PATHS, "verbs": ["get"]})])
}

/// For clusters with Prometheus' operator.
pub(super) fn monitoring() -> (&'static str, &'static str, Vec<Value>) {
    let about = "# Apply it where the kind ServiceMonitor is installed. With enableInsecureMetricsAccess, change its scheme to http and take\n\
                 # authorization and tlsConfig away.\n";
    ("deploy/manifests/monitoring.yaml", about, vec![token(), monitor()])
}

fn token() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": TOKEN,
            "namespace": NAMESPACE,
            "labels": {"app": APP},
            "annotations": {"kubernetes.io/service-account.name": "default"},
        },
    })
}

fn monitor() -> Value {
    json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": "security-profiles-operator-monitor", "namespace": NAMESPACE, "labels": {"app": APP}},
        "spec": {
            "endpoints": PATHS.map(endpoint),
            // the Service of webhooks has only the first of these labels
            "selector": {"matchLabels": {"app": APP, "name": DAEMON}},
        },
    })
}

fn endpoint(path: &str) -> Value {
    json!({
        "port": PORT_NAME,
        "path": path,
        "interval": "10s",
        "scheme": "https",
        "authorization": {"type": "Bearer", "credentials": {"name": TOKEN, "key": "token"}},
        "tlsConfig": {
            "serverName": format!("{SERVICE}.{NAMESPACE}.svc"),
            "ca": {"secret": {"name": SECRET, "key": "ca.crt"}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether all of a selector's labels are on an object.
    fn selects(selector: &Value, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
    }

    #[test]
    fn w_op_7_the_monitor_names_the_port_of_the_service_and_finds_no_other_service() {
        let monitor = monitor();
        let selector = &monitor["spec"]["selector"]["matchLabels"];
        assert!(selects(selector, &service()));
        assert!(!selects(selector, &super::super::webhooks::service()));
        for endpoint in monitor["spec"]["endpoints"].as_array().unwrap() {
            assert_eq!(endpoint["port"], service()["spec"]["ports"][0]["name"], "{endpoint}");
        }
    }

    #[test]
    fn the_service_leads_to_the_pods_of_the_daemon() {
        let set = super::super::workloads::daemon_set();
        assert!(selects(&service()["spec"]["selector"], &set["spec"]["template"]));
        let ports = set["spec"]["template"]["spec"]["containers"][0]["ports"].to_string();
        assert!(ports.contains(&format!("\"containerPort\":{PORT}")), "{ports}");
    }
}
