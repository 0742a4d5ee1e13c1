//! The kernel's description of its types (BTF): a damaged one is refused, and nothing in it leads round in a circle.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

spo_fuzz::target!(spo_recorder::bpf::fuzz::types);
