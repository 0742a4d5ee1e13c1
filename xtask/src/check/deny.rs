//! Licences, sources and advisories of the dependencies, by cargo-deny as deny.toml tells it.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::machine::tool;
use crate::run::{Run, root, say};

/// Pinned, so that a release of the tool never changes what passes here. Building it costs 3.2 CPU minutes, once.
const VERSION: &str = "0.20.2";

/// How long fetching the advisories may take, in seconds, as `timeout` reads it.
const PATIENCE: &str = "60";

pub(super) fn run() -> Result<()> {
    let deny = tool("cargo-deny", VERSION, &[])?;
    // The packages beside the workspace have a lock file each, and the kernel side is part of what is shipped.
    for manifest in std::iter::once("Cargo.toml".to_owned()).chain(super::outside()) {
        let run = Run::new(&deny).args(["--manifest-path", &manifest, "--config", "deny.toml"]);
        run.args(["check", "licenses", "sources", "bans"]).dir(root()).run()?;
    }
    advisories(deny)
}

/// Advisories inform: one that appears overnight must not stop work on something else.
fn advisories(deny: PathBuf) -> Result<()> {
    let command = Run::new("timeout").arg(PATIENCE).arg(deny).args(["check", "--hide-inclusion-graph", "advisories"]);
    let output = command.dir(root()).into_command().output().context("cannot start timeout, of coreutils")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        say("advisories: none");
    } else if let Some(reason) = not_checked(&text, output.status.code()) {
        say(&format!("advisories: not checked: {reason}"));
    } else {
        say(&format!("advisories, to be looked at:\n{text}"));
    }
    Ok(())
}

/// Why there is no answer, if there is none.
fn not_checked(text: &str, status: Option<i32>) -> Option<String> {
    if status == Some(124) {
        return Some(format!("the advisory database was not fetched within {PATIENCE} s"));
    }
    let failure = text.lines().position(|line| line.contains("failed to fetch advisory database"))?;
    let last = text.lines().skip(failure).map(str::trim).filter(|line| !line.is_empty()).last()?;
    Some(last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_cannot_be_fetched_is_no_finding() {
        let text = "[ERROR] failed to fetch advisory database https://x\nfatal: unable to access 'https://x': Could not resolve host\n\n";
        assert_eq!(not_checked(text, Some(1)).unwrap(), "fatal: unable to access 'https://x': Could not resolve host");
        assert!(not_checked("", Some(124)).unwrap().contains("60 s"));
    }

    #[test]
    fn a_finding_is_not_taken_for_a_failed_fetch() {
        assert_eq!(not_checked("error[vulnerability]: something\n", Some(1)), None);
    }
}
