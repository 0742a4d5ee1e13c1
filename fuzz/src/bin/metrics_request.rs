//! What clients of the metrics endpoint send, before anybody knows who they are; and what the kernel says of the process.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

spo_fuzz::target!(spo_node::metrics::fuzz::metrics_request);
