//! CIL: what is read can be printed, and read again as the same; what is accepted of it as a profile is one block; and a module that is
//! read as profiles is the same once these are rendered.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_lsm::selinux::cil::{Node, parse};
use spo_lsm::selinux::{diff, from_cil};
use spo_lsm::{Policy, Profile, check, render};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    if let Ok(policy) = parse(data) {
        let printed = print(&policy);
        let again = parse(printed.as_bytes()).expect("what was printed can be read");
        assert_eq!(print(&again), printed);
    }
    imported(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    profile(text);
}

/// What is read of a module, as profiles, is what is read of the modules that these become.
fn imported(data: &[u8]) {
    let templates = BTreeSet::from(["container".to_owned()]);
    for profile in from_cil(data, &templates).map(|found| found.profiles).unwrap_or_default() {
        let Ok(checked) = check(&Profile::Selinux(profile.clone()), &Policy::default()) else { continue };
        let again = from_cil(&render(&checked).bytes, &templates).expect("what was rendered can be read");
        assert!(again.unread.is_empty(), "{:?}", again.unread);
        let difference = diff(&profile, &again.profiles[0]);
        assert!(difference.is_empty(), "{difference}");
    }
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
