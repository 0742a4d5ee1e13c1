//! What a daemon, or whoever took it over, sends to the installer.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

spo_fuzz::target!(spo_node::installer::fuzz::request);
