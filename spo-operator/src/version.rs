//! `spo-operator version`.

use std::io::Write;

/// Prints what this program was built from, as a table of two columns or as an object of JSON.
pub(crate) fn print(json: bool) -> anyhow::Result<()> {
    let version = spo_api::version!();
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&version)?)?;
    } else {
        write!(out, "{version}")?;
    }
    Ok(())
}
