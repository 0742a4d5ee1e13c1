//! The modules in the host's policy store, as `semodule` lists them.

use std::collections::BTreeSet;

use crate::Digest;

/// A module that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    /// Of modules of one name, that of the highest priority is in force.
    pub(super) priority: u16,
    pub(super) name: String,
    /// What it is written in: `cil`, or `pp` for a package in the binary form of the policy language.
    pub(super) language: String,
    /// Whether somebody switched all modules of this name off.
    pub(super) disabled: bool,
    /// The digest of its text; older tools do not tell it, nor does any of a damaged module.
    pub(super) digest: Option<Digest>,
}

/// All modules of a store, of every priority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Store {
    modules: Vec<Module>,
}

impl Store {
    /// Reads what `semodule -lfull` printed, with `--checksum` or without. Lines that are about no module are passed over.
    pub(super) fn parse(output: &[u8]) -> Self {
        Self { modules: String::from_utf8_lossy(output).lines().filter_map(module).collect() }
    }

    /// The module of this name and priority.
    pub(super) fn get(&self, priority: u16, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.priority == priority && module.name == name)
    }

    /// All modules of this name.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Module> {
        self.modules.iter().filter(move |module| module.name == name)
    }

    /// All modules of this priority.
    pub(super) fn of_priority(&self, priority: u16) -> impl Iterator<Item = &Module> {
        self.modules.iter().filter(move |module| module.priority == priority)
    }

    /// Whether a module is what the policy is made of: nothing of its name stands above it, and it is not switched off.
    pub(super) fn is_in_force(&self, module: &Module) -> bool {
        !module.disabled && self.named(&module.name).all(|other| other.priority <= module.priority)
    }

    /// A digest of all modules but those of `priority`: it is the same as long as they are.
    pub(super) fn digest_without(&self, priority: u16) -> Digest {
        let others = self.modules.iter().filter(|module| module.priority != priority);
        let lines: BTreeSet<String> = others.map(|module| format!("{module:?}")).collect();
        Digest::of(lines.into_iter().collect::<Vec<_>>().join("\n").as_bytes())
    }
}

/// A line: priority, name, language, then `disabled` and the checksum where they apply.
fn module(line: &str) -> Option<Module> {
    let mut words = line.split_ascii_whitespace();
    let priority = words.next()?.parse().ok()?;
    let (name, language) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut module = Module { priority, name, language, disabled: false, digest: None };
    for word in words {
        match word.strip_prefix("sha256:") {
            Some(hex) => module.digest = Digest::from_hex(hex),
            None => module.disabled |= word == "disabled",
        }
    }
    Some(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "\
400 web            cil disabled sha256:c3cbd648be36663872443e0fa678926d31d5453f0d05d0a7fbc0ad26a1bcd358 \n\
370 web            cil          sha256:c3cbd648be36663872443e0fa678926d31d5453f0d05d0a7fbc0ad26a1bcd358 \n\
370 hurt           cil          \n\
100 base           pp           sha256:zz\n\
No modules.\n\
hello\n";

    #[test]
    fn a_list_of_modules_is_read() {
        let store = Store::parse(LISTED.as_bytes());
        assert_eq!(store.modules.len(), 4);
        let web = store.get(370, "web").unwrap();
        assert_eq!(
            web.digest.unwrap().to_string(),
            "sha256:c3cbd648be36663872443e0fa678926d31d5453f0d05d0a7fbc0ad26a1bcd358"
        );
        assert_eq!((store.get(400, "web").unwrap().disabled, web.disabled), (true, false));
        assert_eq!(store.get(370, "hurt").unwrap().digest, None);
        assert_eq!((&*store.get(100, "base").unwrap().language, store.get(100, "base").unwrap().digest), ("pp", None));
        assert_eq!(Store::parse(b"No modules.\n"), Store::default());
    }

    #[test]
    fn of_one_name_the_highest_priority_counts() {
        let store = Store::parse(b"400 a cil\n370 a cil\n370 b cil\n370 c cil disabled\n");
        let in_force = |name: &str| store.is_in_force(store.get(370, name).unwrap());
        assert_eq!(["a", "b", "c"].map(in_force), [false, true, false]);
    }

    #[test]
    fn the_digest_of_the_others_does_not_see_ours() {
        let digest = |text: &str| Store::parse(text.as_bytes()).digest_without(370);
        assert_eq!(digest("100 a pp\n370 b cil\n"), digest("370 c cil\n100 a pp\n"));
        assert_ne!(digest("100 a pp\n"), digest("100 a pp\n100 b pp\n"));
    }
}
