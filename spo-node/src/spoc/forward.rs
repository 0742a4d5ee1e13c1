//! `spo-node spoc …`: the `spoc` beside this program, so that one image has it.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use super::command::in_path;

/// Becomes the `spoc` of the same folder, or else the one in PATH: its output and its exit status are those of this process.
/// Returns only when there is none.
pub fn forward(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Some(program) = beside().or_else(|| in_path(OsStr::new("spoc"), &std::env::var_os("PATH").unwrap_or_default()))
    else {
        return super::failed(&anyhow::anyhow!("there is no spoc beside this program, and none in PATH"));
    };
    let error = Command::new(&program).args(args).exec();
    super::failed(&anyhow::Error::new(error).context(format!("cannot start {}", program.display())))
}

fn beside() -> Option<PathBuf> {
    let spoc = std::env::current_exe().ok()?.with_file_name("spoc");
    spoc.is_file().then_some(spoc)
}
