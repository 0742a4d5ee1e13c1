//! CIL: what is read can be printed, and read again as the same; and what is accepted of it as a profile is one block.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_lsm::selinux::cil::{Node, parse};
use spo_lsm::{Policy, check, render};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    if let Ok(policy) = parse(data) {
        let printed = print(&policy);
        let again = parse(printed.as_bytes()).expect("what was printed can be read");
        assert_eq!(print(&again), printed);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    profile(text);
}

fn profile(text: &str) {
    let spec = RawSelinuxProfileSpec { policy: Some(text.to_owned()), ..RawSelinuxProfileSpec::default() };
    let Ok(profile) = spo_lsm::parse("fuzz".parse().expect("it is a name"), &spec) else { return };
    let Ok(checked) = check(&profile, &Policy::default()) else { return };
    let module = render(&checked).bytes;
    let policy = parse(&module).expect("what was rendered can be read");
    let [Node::List(block)] = policy.as_slice() else { panic!("more than one block: {}", print(&policy)) };
    assert_eq!(print(&block.items[..2]), "block\nfuzz\n");
}

fn print(nodes: &[Node<'_>]) -> String {
    nodes.iter().map(|node| format!("{node}\n")).collect()
}
