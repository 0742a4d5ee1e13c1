//! Running a target on files, so that what was found can be seen again, in a debugger too.

use std::io::Write as _;
use std::process::ExitCode;

/// Runs a target on the files that the command line names. A panic is not caught: its backtrace is what is wanted.
pub fn replay(run: fn(&[u8])) -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        return complain("give files to run the target on: those in fuzz/corpus or fuzz/artifacts, or any other");
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(data) => run(&data),
            Err(error) => return complain(&format!("cannot read {}: {error}", file.display())),
        }
    }
    ExitCode::SUCCESS
}

fn complain(what: &str) -> ExitCode {
    // Nobody is left to be told where standard error is closed.
    let _closed = writeln!(std::io::stderr(), "error: {what}");
    ExitCode::from(2)
}
