//! What a test does between fork and exec.
#![expect(unsafe_code, reason = "a function for between fork and exec; its block says why it is sound")]

use std::io::{PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the child say that it is there, and then wait to be told to go on, before it executes the command.
pub(crate) fn hold_before_exec(command: &mut Command, ready: PipeWriter, go: PipeReader) {
    let hold = move || {
        rustix::io::write(&ready, &[0])?;
        rustix::io::read(&go, &mut [0])?;
        Ok(())
    };
    // SAFETY: two system calls and no allocation, so nothing that another thread of the parent could have left locked.
    unsafe { command.pre_exec(hold) };
}
