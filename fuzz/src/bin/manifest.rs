//! Files of a folder of profiles: YAML or JSON with any number of documents and lists.
//!
//! What a file says of a profile is what its schema and the parser of profiles say, so both are reached from here.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_lsm::seccomp::parse_oci;
use spo_lsm::{Policy, Profile, check, render};
use spo_node::manifest::{Manifest, Object, read};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    match read(data) {
        Ok(objects) => objects.iter().for_each(look),
        Err(error) => assert!(!error.to_string().contains('\n'), "a log line is one line: {error}"),
    }
}

fn look(object: &Object) {
    match object {
        Object::Profile(manifest) => profile(manifest),
        Object::Configuration(_) => {}
        Object::Unusable(unusable) => assert!(!unusable.object.is_empty()),
    }
}

fn profile(manifest: &Manifest) {
    let profile = match &manifest.profile {
        Ok(profile) => profile,
        Err(violations) => return assert!(!violations.is_empty(), "what cannot be used has a reason"),
    };
    assert_eq!(profile.key(), manifest.key);
    let Ok(checked) = check(profile, &Policy::default()) else { return };
    let artifact = render(&checked);
    let Profile::Seccomp(own) = profile;
    let runtime = parse_oci(own.name().clone(), &artifact.bytes).expect("a runtime can read the file");
    assert_eq!(runtime.entries(), own.entries());
    assert_eq!(runtime.default_effect(), own.default_effect());
}
