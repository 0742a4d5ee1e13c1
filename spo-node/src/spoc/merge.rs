//! `spoc merge`: one profile that permits what any of several permits.

use std::process::ExitCode;

use anyhow::{Context, Result};
use spo_api::labels::COMPLETENESS;

use super::args::{Merge, default_profile};
use super::file::{Metadata, ProfileFile};
use super::output::Output;
use super::{log, yaml};

/// What others may do with a merged profile: nothing.
const MODE: u32 = 0o600;

/// Merges profiles into the first one, or only looks whether that changes what it permits.
pub(super) fn merge(args: &Merge) -> Result<ExitCode> {
    let files = args.files.iter().map(|path| ProfileFile::read(path)).collect::<Result<Vec<_>>>()?;
    let (base, others) = files.split_first().context("name the profiles that are to be merged")?;
    let mut merged = base.profile.clone();
    for (other, path) in others.iter().zip(&args.files[1..]) {
        merged = spo_lsm::merge(&merged, &other.profile)
            .with_context(|| format!("cannot merge {} into {}", path.display(), args.files[0].display()))?;
    }
    let text = yaml::of_profile(base.profile.name(), &metadata(&files), &merged)?;
    if args.check {
        let up_to_date = spo_lsm::diff(&base.profile, &merged)?.is_empty();
        return Ok(told(up_to_date, &text));
    }
    let path = args.output_file.clone().unwrap_or_else(|| default_profile("yaml"));
    Output::prepare(&path, MODE)?.write(text.as_bytes())?;
    log::line(format_args!("Wrote merged profile to: {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

fn told(up_to_date: bool, text: &str) -> ExitCode {
    if up_to_date {
        log::line("Base profile is up-to-date.");
        return ExitCode::SUCCESS;
    }
    log::plain(text.trim_end());
    log::line("Base profile needs an update.");
    ExitCode::FAILURE
}

/// That of the first profile. How complete a recording is, it says of the merged profile only if all say the same.
fn metadata(files: &[ProfileFile]) -> Metadata {
    let mut metadata = files.first().map(|file| file.metadata.clone()).unwrap_or_default();
    let completeness = |file: &ProfileFile| file.metadata.annotations.get(COMPLETENESS).cloned();
    let agreed = files.windows(2).all(|pair| completeness(&pair[0]) == completeness(&pair[1]));
    if !agreed && metadata.annotations.remove(COMPLETENESS).is_some() {
        log::line(format_args!("The profiles are not equally complete: the annotation {COMPLETENESS} is left out"));
    }
    metadata
}
