//! The kubeconfig files of a cluster. They name the files of certificates, so they work as long as the cluster is there.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::dir::Dir;

/// Writes the kubeconfig of the user whose certificate is `pki/USER.crt`.
pub(super) fn write(dir: &Dir, name: &str, user: &str, port: u16) -> Result<()> {
    dir.write(name, text(&format!("https://127.0.0.1:{port}"), &dir.join("pki"), user)?)
}

/// The kubeconfig of a user whose certificate is `USER.crt` in the folder `pki`.
pub(super) fn text(server: &str, pki: &Path, user: &str) -> Result<String> {
    let pki = |file: String| pki.join(file);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "spo",
        "contexts": [{"name": "spo", "context": {"cluster": "spo", "user": user}}],
        "clusters": [{"name": "spo", "cluster": {
            "server": server,
            "certificate-authority": pki("ca.crt".to_owned()),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate": pki(format!("{user}.crt")),
            "client-key": pki(format!("{user}.key")),
        }}],
    });
    serde_json::to_string_pretty(&config).context("a kubeconfig is plain data")
}
