//! `spoc diff`: what one profile permits and another does not.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::args::Diff;
use super::file::ProfileFile;
use super::output::to_stdout;

/// The exit status where two profiles could not be compared, as diff(1) has it.
pub(super) const TROUBLE: u8 = 2;

/// Compares two profiles.
pub(super) fn diff(args: &Diff) -> Result<ExitCode> {
    let (first, second) = (ProfileFile::read(&args.first)?, ProfileFile::read(&args.second)?);
    let diff = spo_lsm::diff(&first.profile, &second.profile)?;
    let text = if args.json {
        serde_json::to_string_pretty(&diff)? + "\n"
    } else if diff.is_empty() {
        String::new()
    } else {
        format!("--- {}\n+++ {}\n{diff}", args.first.display(), args.second.display())
    };
    to_stdout(text.as_bytes()).context("cannot write to standard output")?;
    Ok(if diff.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
