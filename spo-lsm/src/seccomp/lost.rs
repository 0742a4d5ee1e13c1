//! Entries that libseccomp loses.
//!
//! Where an architecture lacks the call of the first rule, libseccomp (2.5 and 2.6) does not load the number of the call there. It compares
//! another word, and no rule ever applies. First are rules without conditions, ordered by number, and those for calls that the
//! architecture lacks come last of them: so it takes one of these, and none without conditions for a call that is there. x86_64 is spared,
//! for which the number is loaded beforehand, unless x32 stands beside it; and so is the binary tree that runc asks for where a profile
//! has more than 32 names.

use spo_api::FieldPath;
use spo_api::seccomp::Arch;
use spo_api::syscalls::{Abi, is_known};

use super::lower::{Decision, is_unconditional, lower, telling};
use super::{Entry, Profile};
use crate::findings::Findings;

/// Warns of what `profile` loses; `root` is the path of its entries.
pub(super) fn find(profile: &Profile, root: &FieldPath, found: &mut Findings) {
    for abi in profile.covered().filter(|abi| is_loaded_late(profile, *abi)) {
        let always = telling(profile).filter(|entry| is_unconditional(entry, abi));
        let Some(name) = always.flat_map(Entry::names).find(|name| abi.number(name).is_none() && is_known(name)) else {
            continue;
        };
        let rules = lower(profile, abi);
        if !rules.is_empty() && rules.values().all(|decision| matches!(decision, Decision::First(_))) {
            let reason = format!(
                "libseccomp loses all entries on {abi}, which has no {name}, as crun uses it, and runc for up to 32 names: without \
                 conditions, name a call that it has, too, as mkdirat beside mkdir"
            );
            found.warn_first(root.clone(), reason);
        }
    }
}

fn is_loaded_late(profile: &Profile, abi: Abi) -> bool {
    match abi {
        Abi::X86_64 => profile.architectures.contains(&Arch::X32),
        Abi::X32 => false,
        Abi::X86 | Abi::Aarch64 => true,
    }
}
