//! Says everything that is wrong with the objects of a manifest, field by field:
//! `cargo run -p spo-api --example validate_manifest -- examples/seccomp-allow.yaml`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use anyhow::{Context, Result, ensure};
use serde_json::Value;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("the path of a manifest is wanted")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).with_context(|| format!("{path} is not YAML"))?;
    let mut wrong = 0;
    for object in &objects {
        let name = object["metadata"]["name"].as_str().unwrap_or("(no name)");
        let violations = spo_api::validate_object(object);
        for violation in &violations {
            println!("{name}: {violation}");
        }
        wrong += violations.len();
    }
    ensure!(wrong == 0, "{path}: {wrong} violations");
    println!("{path}: {} objects, nothing wrong", objects.len());
    Ok(())
}
