//! Objects of the API server as the node's watches show them: profiles and node statuses in any shape.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

spo_fuzz::target!(spo_node::source::kubernetes::fuzz::object);
