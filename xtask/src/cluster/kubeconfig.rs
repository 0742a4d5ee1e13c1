//! The kubeconfig files of a cluster. They name the files of certificates, so they work as long as the cluster is there.

use anyhow::{Context, Result};
use serde_json::json;

use super::dir::Dir;

/// Writes the kubeconfig of the user whose certificate is `pki/USER.crt`.
pub(super) fn write(dir: &Dir, name: &str, user: &str, port: u16) -> Result<()> {
    let pki = |file: String| dir.join("pki").join(file);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "spo",
        "contexts": [{"name": "spo", "context": {"cluster": "spo", "user": user}}],
        "clusters": [{"name": "spo", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": pki("ca.crt".to_owned()),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate": pki(format!("{user}.crt")),
            "client-key": pki(format!("{user}.key")),
        }}],
    });
    dir.write(name, serde_json::to_string_pretty(&config).context("a kubeconfig is plain data")?)
}
