//! Status files, which are the daemon's memory of what it read from a folder: anybody may have changed them since.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

spo_fuzz::target!(spo_node::source::directory::fuzz::status_file);
