//! What did not compile: it is not tried again as it is, while the host is as it was.

use std::collections::{BTreeMap, BTreeSet};

use super::PRIORITY;
use super::judge::module_name;
use super::store::Store;
use crate::host::{HostError, Step};
use crate::{Artifact, Checked, Digest, Profile};

/// The modules that did not compile since this process started, by name.
#[derive(Debug, Default)]
pub(super) struct Memory {
    failures: BTreeMap<String, Failure>,
}

#[derive(Debug)]
struct Failure {
    /// All that it depended on.
    mark: Digest,
    error: HostError,
}

impl Memory {
    pub(super) fn failed(&mut self, name: &str, mark: Digest, error: HostError) {
        self.failures.insert(name.to_owned(), Failure { mark, error });
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.failures.remove(name);
    }

    /// Why a module with this mark does not compile, if that is known.
    pub(super) fn get(&self, name: &str, mark: Digest) -> Option<&HostError> {
        self.failures.get(name).filter(|failure| failure.mark == mark).map(|failure| &failure.error)
    }

    /// The steps that cannot go better than last time, each with its reason: neither the module nor the host changed since, nor what the
    /// profile inherits, nor is any of that among the steps with a better outlook.
    pub(super) fn hopeless(&self, steps: &[Step], store: &Store) -> BTreeMap<usize, HostError> {
        let mut hopeless: BTreeMap<usize, HostError> = BTreeMap::new();
        for (place, step) in steps.iter().enumerate() {
            if let Step::Install { checked, artifact } = step
                && let Ok(name) = module_name(&artifact.file_name)
                && let Some(error) = self.get(name, mark(store, artifact, checked))
            {
                hopeless.insert(place, error.clone());
            }
        }
        loop {
            let hopeful: BTreeSet<&str> = (0..steps.len())
                .filter(|place| !hopeless.contains_key(place))
                .filter_map(|place| module_name(steps[place].file_name()).ok())
                .collect();
            let before = hopeless.len();
            hopeless.retain(|place, _| match &steps[*place] {
                Step::Install { checked, .. } => inherited(checked).all(|name| !hopeful.contains(name)),
                Step::Remove { .. } => false,
            });
            if hopeless.len() == before {
                return hopeless;
            }
        }
    }
}

/// All that decides whether a module compiles: its text, the modules of others, and those of ours that it inherits.
pub(super) fn mark(store: &Store, artifact: &Artifact, checked: &Checked) -> Digest {
    let bases = inherited(checked).filter_map(|name| store.get(PRIORITY, name));
    let bases: Vec<String> = bases.map(|module| format!("{module:?}")).collect();
    Digest::of(format!("{} {} {}", artifact.digest(), mark_of_host(store), bases.join(" ")).as_bytes())
}

/// The same for a module that inherits none of ours.
pub(super) fn mark_of_host(store: &Store) -> Digest {
    store.digest_without(PRIORITY)
}

fn inherited(checked: &Checked) -> Box<dyn Iterator<Item = &str> + '_> {
    match checked.profile() {
        Profile::Selinux(profile) => Box::new(profile.inherited_profiles().map(spo_api::ProfileName::as_str)),
        Profile::RawSelinux(profile) => Box::new(profile.inherits()),
        Profile::Seccomp(_) | Profile::AppArmor(_) => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use spo_api::selinux::v1::SelinuxProfileSpec;

    use super::*;
    use crate::{Policy, check, parse, render};

    fn install(name: &str, spec: Value) -> Step {
        let spec: SelinuxProfileSpec = serde_json::from_value(spec).unwrap();
        let checked = check(&parse(name.parse().unwrap(), &spec).unwrap(), &Policy::default()).unwrap();
        Step::Install { artifact: render(&checked), checked }
    }

    fn child() -> Step {
        install("child", json!({"inherit": [{"kind": "SelinuxProfile", "name": "base"}]}))
    }

    fn base(label: &str) -> Step {
        install("base", json!({"allow": {label: {"file": ["read"]}}}))
    }

    /// The places of the hopeless among `steps`, after `child` and `base` failed on a host with one module.
    fn hopeless(steps: &[Step], modules: &str) -> Vec<usize> {
        let (error, store) = (HostError::FileName { name: String::new() }, Store::parse(b"100 a pp\n"));
        let mut memory = Memory::default();
        for step in [child(), base("a_t")] {
            let Step::Install { artifact, checked } = &step else { unreachable!() };
            memory.failed(module_name(&artifact.file_name).unwrap(), mark(&store, artifact, checked), error.clone());
        }
        memory.hopeless(steps, &Store::parse(modules.as_bytes())).into_keys().collect()
    }

    #[test]
    fn w_x_9_what_did_not_compile_is_tried_again_once_something_changed_that_it_depends_on() {
        let same = "100 a pp\n";
        assert_eq!(hopeless(&[child(), base("a_t")], same), [0, 1]);
        assert_eq!(hopeless(&[child()], same), [0]);
        assert_eq!(hopeless(&[child()], &format!("{same}370 other cil\n")), [0], "what it has nothing to do with");
        assert_eq!(hopeless(&[child(), base("b_t")], same), [0; 0], "its base is another now");
        assert_eq!(hopeless(&[child()], &format!("{same}370 base cil\n")), [0; 0], "its base is there now");
        assert_eq!(hopeless(&[child(), base("a_t")], "100 a pp\n100 b pp\n"), [0; 0], "the host is another now");
    }
}
