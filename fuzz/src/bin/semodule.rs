//! What the host's `semodule` prints: lists of modules, complaints, and texts of modules that others installed.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_lsm::host::selinux::fuzz::printed;

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    printed(data);
}
