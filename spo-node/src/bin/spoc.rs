//! The `spoc` command line.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    spo_node::spoc::main()
}
