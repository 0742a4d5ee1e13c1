//! From the model back to the API.

use std::collections::BTreeSet;

use spo_api::apparmor::v1::{
    Abstract, AppArmorProfileSpec, Capability as Capabilities, Executable, Filesystem, Network, Protocols,
};

use super::{Pattern, Profile};

/// The `spec` that a profile is made of, with lists sorted and without what is empty.
///
/// A rule about tracing stands among the paths that may be read, wherever it stood before.
pub fn to_spec(profile: &Profile) -> AppArmorProfileSpec {
    let wanted = Abstract {
        executable: executable(profile),
        filesystem: filesystem(profile),
        network: network(profile),
        capability: some(profile.capabilities.iter().map(ToString::to_string).collect())
            .map(|names| Capabilities { allowed_capabilities: Some(names) }),
    };
    AppArmorProfileSpec { state: profile.state, mode: Some(profile.mode), r#abstract: Some(wanted) }
}

fn executable(profile: &Profile) -> Option<Executable> {
    let executable = Executable {
        allowed_executables: some(texts(&profile.executables)),
        allowed_libraries: some(texts(&profile.libraries)),
    };
    (executable != Executable::default()).then_some(executable)
}

fn filesystem(profile: &Profile) -> Option<Filesystem> {
    let mut read = texts(&profile.read);
    read.extend(profile.ptrace.iter().map(|rule| format!("{rule},")));
    let filesystem = Filesystem {
        read_only_paths: some(read),
        write_only_paths: some(texts(&profile.write)),
        read_write_paths: some(texts(&profile.read_write)),
    };
    (filesystem != Filesystem::default()).then_some(filesystem)
}

fn network(profile: &Profile) -> Option<Network> {
    let network = profile.network?;
    let protocols = Protocols { allow_tcp: network.tcp, allow_udp: network.udp };
    Some(Network {
        allow_raw: network.raw,
        allowed_protocols: (protocols != Protocols::default()).then_some(protocols),
    })
}

fn texts(patterns: &BTreeSet<Pattern>) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}

fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}
