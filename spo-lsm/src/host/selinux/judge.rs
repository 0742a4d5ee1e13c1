//! What is to be done for a step, by what is in the store. Pure.

use super::store::{Module, Store};
use super::{PRIORITY, templates};
use crate::Digest;
use crate::host::HostError;
use crate::selinux::MAX_MODULE_BYTES;

/// The priorities at which selinuxd installed, depending on how it was built.
const SELINUXD: [u16; 2] = [350, 400];

/// What is to be done to install a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Install {
    /// Nothing in the store: it has this module already.
    InStore,
    /// Install it, and remove the modules of its name at these priorities.
    Write { displaced: Vec<u16> },
}

/// The name of the module that becomes of a file.
pub(super) fn module_name(file_name: &str) -> Result<&str, HostError> {
    let name = file_name.strip_suffix(".cil").filter(|name| !name.is_empty() && name.len() <= MAX_MODULE_BYTES);
    let fits = |name: &&str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.filter(fits).ok_or_else(|| HostError::FileName { name: file_name.to_owned() })
}

/// What is to be done for a module of this name and digest. `written` is what was installed last, for stores whose tool tells no digests;
/// `is_of_the_reference` looks at the text of a module of another priority.
pub(super) fn install(
    store: &Store,
    name: &str,
    digest: Digest,
    written: Option<Digest>,
    mut is_of_the_reference: impl FnMut(&Module) -> Result<bool, HostError>,
) -> Result<Install, HostError> {
    let mut displaced = Vec::new();
    for other in store.named(name).filter(|module| module.priority != PRIORITY) {
        let may_be = SELINUXD.contains(&other.priority) && other.language == "cil";
        if !may_be || !is_of_the_reference(other)? {
            return Err(foreign(other));
        }
        displaced.push(other.priority);
    }
    match store.get(PRIORITY, name) {
        Some(ours) if ours.disabled => Err(HostError::NotInForce {
            name: name.to_owned(),
            but: format!("does not have it, because it was switched off; switch it on by `semodule -e {name}`"),
        }),
        Some(ours) if displaced.is_empty() && ours.digest.or(written) == Some(digest) => Ok(Install::InStore),
        _ => Ok(Install::Write { displaced }),
    }
}

fn foreign(module: &Module) -> HostError {
    let whose = if module.priority == templates::PRIORITY { ", of the operator itself" } else { "" };
    let how = format!("a policy module at priority {}{whose}", module.priority);
    HostError::Foreign { name: module.name.clone(), how }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn judged(modules: &str, is_of_the_reference: bool) -> Result<Install, String> {
        let modules = modules.replace("SAME", &Digest::of(b"same").to_string());
        let store = Store::parse(modules.as_bytes());
        install(&store, "web", Digest::of(b"same"), None, |_| Ok(is_of_the_reference))
            .map_err(|error| error.to_string())
    }

    fn write(displaced: &[u16]) -> Install {
        Install::Write { displaced: displaced.to_vec() }
    }

    #[rstest]
    #[case::absent("100 base pp\n400 other cil\n", false, write(&[]))]
    #[case::there("370 web cil SAME\n", false, Install::InStore)]
    #[case::changed("370 web cil sha256:00\n", false, write(&[]))]
    #[case::unknown("370 web cil\n", false, write(&[]))]
    #[case::of_selinuxd("350 web cil\n", true, write(&[350]))]
    #[case::of_both_builds_of_it("400 web cil\n350 web cil\n", true, write(&[400, 350]))]
    #[case::beside_ours("400 web cil SAME\n370 web cil SAME\n", true, write(&[400]))]
    fn w_nd_13_what_is_missing_is_written(#[case] modules: &str, #[case] reference: bool, #[case] expected: Install) {
        assert_eq!(judged(modules, reference), Ok(expected));
    }

    #[rstest]
    #[case::of_an_administrator(
        "400 web cil\n",
        false,
        "web is a profile of the host (a policy module at priority 400)"
    )]
    #[case::of_the_distribution(
        "100 web cil\n",
        true,
        "web is a profile of the host (a policy module at priority 100)"
    )]
    #[case::a_package("350 web pp\n", true, "web is a profile of the host (a policy module at priority 350)")]
    #[case::above_ours("401 web cil\n370 web cil SAME\n", true, "web is a profile of the host")]
    #[case::a_template(
        "090 web cil\n",
        true,
        "web is a profile of the host (a policy module at priority 90, of the operator itself)"
    )]
    #[case::switched_off(
        "370 web cil disabled SAME\n",
        false,
        "web was loaded, but the kernel does not have it, because it was switched off"
    )]
    fn what_others_have_is_left_alone(#[case] modules: &str, #[case] reference: bool, #[case] expected: &str) {
        let reason = judged(modules, reference).unwrap_err();
        assert!(reason.starts_with(expected), "{reason}");
    }

    #[rstest]
    #[case("web.cil", Some("web"))]
    #[case("web-2.cil", Some("web-2"))]
    #[case("web", None)]
    #[case(".cil", None)]
    #[case("-r.cil", None)]
    #[case("../web.cil", None)]
    #[case("web.v2.cil", None)]
    #[case(&format!("{}.cil", "w".repeat(252)), None)]
    fn a_file_has_the_name_of_its_module(#[case] file_name: &str, #[case] expected: Option<&str>) {
        assert_eq!(module_name(file_name).ok(), expected);
    }
}
