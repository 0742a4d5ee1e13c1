//! Names of profiles and nodes, and what is made of them: files, labels and objects that Kubernetes takes.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use std::path::{Component, Path};

use spo_api::labels::{legacy_node_status_name, node_name_value, node_status_name, profile_id};
use spo_api::{ProfileKey, ProfileKind, ProfileName};

spo_fuzz::target!(target);

/// Two names, with the first line break between them.
fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (profile, node) = text.split_once('\n').unwrap_or((text, "node1"));
    // The name of a node is of the same form, and bounds hold for whatever stands in its place.
    assert!(node_name_value(node).len() <= 63);
    let Ok(name) = profile.parse::<ProfileName>() else { return };
    assert_eq!(name.to_string(), profile);
    let file = spo_api::seccomp::file_name(&name);
    assert!(Path::new(&file).components().eq([Component::Normal(file.as_ref())]), "{file:?} is one part of a path");
    for kind in ProfileKind::ALL {
        let key = ProfileKey { kind, name: name.clone() };
        assert!(is_label_value(&profile_id(kind, profile)));
        assert!(node_status_name(&key, node).len() <= 253);
        if node.parse::<ProfileName>().is_ok() {
            let status = node_status_name(&key, node);
            assert!(status.parse::<ProfileName>().is_ok(), "{status:?} is no name of an object");
            assert_ne!(status, legacy_node_status_name(profile, node));
            assert!(is_label_value(&node_name_value(node)));
        }
    }
}

/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
fn is_label_value(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inside)
}
