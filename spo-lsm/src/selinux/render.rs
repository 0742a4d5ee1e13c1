//! The module of a SelinuxProfile (`spec/node.md` 5.4).

use std::collections::BTreeSet;
use std::fmt::Write;

use spo_api::selinux::v1::Mode;

use super::name::{CONTAINER, PROCESS};
use super::{Inherit, Profile, SELF};

/// The profile as one CIL block, one statement per line. Equal profiles give equal text.
pub fn to_cil(profile: &Profile) -> String {
    let mut text = format!("(block {}\n", profile.name);
    for name in inherited(profile) {
        line(&mut text, format_args!("(blockinherit {name})"));
    }
    if profile.mode == Mode::Permissive {
        line(&mut text, format_args!("(typepermissive {PROCESS})"));
    }
    for (label, classes) in &profile.rules {
        let target = if label == SELF { format!("{}.{PROCESS}", profile.name) } else { label.clone() };
        for (class, permissions) in classes {
            let permissions = permissions.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            line(&mut text, format_args!("(allow {PROCESS} {target} ( {class} ( {permissions} )))"));
        }
    }
    text.push_str(")\n");
    text
}

/// The blocks to inherit. `container` comes first, whether it is named or not, since something has to bring the type that the container
/// runs with; unless another profile brings it.
pub(super) fn inherited(profile: &Profile) -> Vec<&str> {
    let container = profile.inherited_profiles().next().is_none().then_some(CONTAINER);
    let system = profile.inherits.iter().filter_map(|inherit| match inherit {
        Inherit::System(name) if name != CONTAINER => Some(name.as_str()),
        Inherit::System(_) | Inherit::Profile(_) => None,
    });
    let profiles = profile.inherited_profiles().map(spo_api::ProfileName::as_str);
    let mut seen = BTreeSet::new();
    // What is inherited twice is declared twice, which libsepol refuses.
    container.into_iter().chain(system).chain(profiles).filter(|name| seen.insert(*name)).collect()
}

fn line(text: &mut String, statement: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{statement}");
}
