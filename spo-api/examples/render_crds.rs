//! Prints the CustomResourceDefinitions for an operator in a namespace, as a file for `kubectl apply --server-side -f`:
//! `cargo run -p spo-api --example render_crds -- my-namespace`.

use std::io::Write as _;

use anyhow::Result;

fn main() -> Result<()> {
    let namespace = std::env::args().nth(1).unwrap_or_else(|| spo_api::NAMESPACE.to_owned());
    let mut out = std::io::stdout().lock();
    for crd in spo_api::crds_for(&namespace) {
        writeln!(out, "---\n{}", serde_saphyr::to_string(&spo_api::manifest(&crd)?)?)?;
    }
    Ok(())
}
