//! `spoc completions` and `spoc man`: what is made from the definition of the command line.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap_complete::Shell;

use super::args::Spoc;

/// Prints the completions for `shell`.
pub(super) fn completions(shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Spoc::definition(), "spoc", &mut text);
    std::io::stdout().lock().write_all(&text)?;
    Ok(())
}

/// Writes a manual page for `spoc`, and one for each of its commands.
pub(super) fn manual(folder: &Path) -> Result<()> {
    clap_mangen::generate_to(Spoc::definition(), folder)
        .with_context(|| format!("cannot write manual pages into {}; the folder must exist", folder.display()))
}
