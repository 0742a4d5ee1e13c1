//! What the recorder's programs in the kernel tell: records of the ring buffer, and the slots of recorded workloads.
//!
//! Whatever a slot holds, the profile that is drafted of it can be parsed and compiled.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_api::syscalls::Abi;
use spo_lsm::seccomp::{compile, parse};
use spo_recorder::bpf::fuzz::{record, slot};
use spo_recorder::draft;

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    record(data);
    for native in [Abi::X86_64, Abi::Aarch64] {
        let seen = slot(data, native);
        let mut twice = seen.clone();
        twice.merge(seen.clone());
        assert_eq!(twice, seen, "seeing something twice makes no difference");
        let (spec, completeness) = draft::seccomp(&seen, &draft::Draft { native, base: &["read"] });
        assert_eq!(completeness.require_known().is_err(), !completeness.unknown_numbers().is_empty());
        let profile = parse("fuzz".parse().expect("it is a name"), &spec).expect("a draft is a profile");
        compile(&profile, native).expect("a list of calls fits into a filter");
    }
}
