//! `spoc convert`: from a manifest to what a container runtime reads.

use anyhow::Result;
use spo_lsm::seccomp::{Form, to_json};

use super::args::Convert;
use super::file::ProfileFile;
use super::log;
use super::output::Output;

/// What others may do with a converted profile: nothing.
const MODE: u32 = 0o600;

/// Converts one profile.
pub(super) fn convert(args: &Convert) -> Result<()> {
    let file = ProfileFile::read_manifest(&args.profile)?;
    if args.program_name.is_some() {
        log::line("--program-name is for AppArmor profiles; a seccomp profile has no name in it");
    }
    let output = Output::prepare(&args.output_file, MODE)?;
    output.write(to_json(&file.profile, Form::Pretty).as_bytes())?;
    log::line(format_args!("Successfully wrote raw profile to {}.", args.output_file.display()));
    Ok(())
}
