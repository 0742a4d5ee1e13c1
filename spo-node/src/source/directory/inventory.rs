//! Which file of the folder holds which profiles. Pure.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::ProfileKey;
use spo_lsm::Policy;

use crate::manifest::{Manifest, Object, TWICE, Unreadable, Unusable};
use crate::source::Permitted;
use crate::status::{MAX_LIST_BYTES, chain, cut};

/// What the files of a folder hold.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    files: BTreeMap<String, Held>,
    by_profile: BTreeMap<ProfileKey, BTreeSet<String>>,
}

/// What is remembered of a file. Not the profiles: those are kept once, by whoever installs them.
#[derive(Debug, Default)]
struct Held {
    whole: BTreeSet<ProfileKey>,
    /// What it held before something in it became unusable, and why.
    broken: BTreeMap<ProfileKey, String>,
    /// How much in it cannot be used, and why not: the first of that.
    unusable: usize,
    mistakes: Vec<String>,
    /// What the configuration in it permits, if there is one.
    permitted: Option<Permitted>,
}

/// What is wrong with files, beside the profiles that can be named: by the names of the files.
pub(super) type Mistakes = BTreeMap<String, Vec<String>>;

/// So much is remembered, and told, of what is wrong with a file.
const MAX_MISTAKES: usize = 8;

/// What was read from a file.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) profiles: BTreeMap<ProfileKey, Manifest>,
    /// What is wrong with all else in it.
    pub(super) unusable: Vec<String>,
    /// What the configuration in it permits, or what is wrong with it; the first, if there are several.
    permitted: Option<Permitted>,
}

/// The files that hold a profile.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Holders {
    /// Those in which it stands, and as often as it does.
    pub(super) whole: Vec<String>,
    /// Those in which it stood, and what is wrong with them.
    pub(super) broken: Vec<(String, String)>,
}

impl Reading {
    pub(super) fn new(loaded: Result<Vec<Object>, Unreadable>) -> Self {
        let mut reading = Self::default();
        let objects = match loaded {
            Ok(objects) => objects,
            Err(error) => {
                let reason = chain(&error);
                reading.permitted = matches!(error, Unreadable::Configuration(_)).then(|| Err(reason.clone()));
                reading.unusable.push(reason);
                return reading;
            }
        };
        for object in objects {
            match object {
                Object::Profile(manifest) => reading.add(*manifest),
                Object::Configuration(policy) => _ = reading.permitted.get_or_insert(Ok(policy)),
                Object::Unusable(Unusable { object, violation, is_configuration }) => {
                    let reason = format!("{object}: {violation}");
                    if is_configuration {
                        reading.permitted.get_or_insert(Err(reason.clone()));
                    }
                    reading.unusable.push(reason);
                }
            }
        }
        reading
    }

    fn add(&mut self, manifest: Manifest) {
        if let Some(first) = self.profiles.get(&manifest.key) {
            self.unusable.push(format!("{} {TWICE}", first.key));
        } else {
            self.profiles.insert(manifest.key.clone(), manifest);
        }
    }

    /// What the configuration in a file permits that now reads so, and permitted that `before`. Whatever is wrong with the file may
    /// be what is left of its configuration: what that permitted last goes on to count.
    fn permitted(&self, before: Option<Permitted>) -> Option<Permitted> {
        match (&self.permitted, before, self.unusable.first()) {
            (Some(Ok(policy)), _, _) => Some(Ok(policy.clone())),
            (_, Some(Ok(policy)), Some(_)) => Some(Ok(policy)),
            (Some(Err(why)), _, _) => Some(Err(why.clone())),
            (None, Some(Err(_)), Some(why)) => Some(Err(why.clone())),
            (None, _, _) => None,
        }
    }
}

impl Inventory {
    /// An inventory that knows which profiles files held before, and which files held a configuration.
    pub(super) fn remembering(
        held: impl IntoIterator<Item = (ProfileKey, String)>,
        configurations: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut inventory = Self::default();
        for file in configurations {
            inventory.files.entry(file).or_default().permitted = Some(Err("was not read yet".to_owned()));
        }
        for (key, file) in held {
            inventory.by_profile.entry(key.clone()).or_default().insert(file.clone());
            inventory.files.entry(file).or_default().whole.insert(key);
        }
        inventory
    }

    /// Takes in what a file holds now, nothing if it is gone, and gives the profiles that this concerns.
    pub(super) fn update(&mut self, file: &str, reading: Option<&Reading>) -> BTreeSet<ProfileKey> {
        let old = self.files.remove(file).unwrap_or_default();
        let permitted = reading.and_then(|reading| reading.permitted(old.permitted));
        let mut affected: BTreeSet<ProfileKey> = old.whole.into_iter().chain(old.broken.into_keys()).collect();
        for key in &affected {
            self.release(key, file);
        }
        if let Some(reading) = reading {
            let whole: BTreeSet<ProfileKey> = reading.profiles.keys().cloned().collect();
            // Whatever is wrong with a file may be what is left of a profile that it held.
            let broken = reading.unusable.first().map(|reason| (affected.difference(&whole).cloned(), reason));
            let broken = broken.into_iter().flat_map(|(keys, reason)| keys.map(|key| (key, reason.clone()))).collect();
            affected.extend(whole.iter().cloned());
            let unusable = reading.unusable.len();
            let held = Held { whole, broken, unusable, mistakes: mistakes(&reading.unusable), permitted };
            for key in held.whole.iter().chain(held.broken.keys()) {
                self.by_profile.entry(key.clone()).or_default().insert(file.to_owned());
            }
            self.files.insert(file.to_owned(), held);
        }
        affected
    }

    fn release(&mut self, key: &ProfileKey, file: &str) {
        if let Some(files) = self.by_profile.get_mut(key) {
            files.remove(file);
            if files.is_empty() {
                self.by_profile.remove(key);
            }
        }
    }

    /// The files that hold the profile `key`.
    pub(super) fn holders(&self, key: &ProfileKey) -> Holders {
        let mut holders = Holders::default();
        for file in self.by_profile.get(key).into_iter().flatten() {
            let Some(held) = self.files.get(file) else { continue };
            match held.broken.get(key) {
                Some(reason) => holders.broken.push((file.clone(), reason.clone())),
                None => holders.whole.push(file.clone()),
            }
        }
        holders
    }

    /// The names of the files.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether the file is among them.
    pub(super) fn knows(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// How much in the files cannot be used.
    pub(super) fn unusable(&self) -> usize {
        self.files.values().map(|held| held.unusable).sum()
    }

    /// What is wrong with files, by their names.
    pub(super) fn mistakes(&self) -> Mistakes {
        let files = self.files.iter().filter(|(_, held)| !held.mistakes.is_empty());
        files.map(|(file, held)| (file.clone(), held.mistakes.clone())).collect()
    }

    /// What the configuration permits that stands in one of the files; the first, if there are several.
    pub(super) fn permitted(&self) -> Permitted {
        let mut files = self.files.iter();
        let first = files.find_map(|(file, held)| Some((file, held.permitted.as_ref()?)));
        let Some((file, permitted)) = first else { return Ok(Policy::default()) };
        permitted.clone().map_err(|why| format!("{file}: {why}"))
    }

    /// The files that hold a configuration.
    pub(super) fn configurations(&self) -> BTreeSet<String> {
        let files = self.files.iter().filter(|(_, held)| held.permitted.is_some());
        files.map(|(file, _)| file.clone()).collect()
    }
}

/// The first of what is wrong with a file, and how much more there is.
fn mistakes(unusable: &[String]) -> Vec<String> {
    let mut mistakes: Vec<String> =
        unusable.iter().take(MAX_MISTAKES).map(|reason| cut(reason.clone(), MAX_LIST_BYTES)).collect();
    if unusable.len() > MAX_MISTAKES {
        mistakes.push(format!("and {} more", unusable.len() - MAX_MISTAKES));
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::fixture::key;
    use crate::manifest;

    fn manifest(name: &str) -> String {
        format!(
            "---\napiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nmetadata: {{name: {name}}}\nspec: {{defaultAction: SCMP_ACT_LOG}}\n"
        )
    }

    fn reading(text: &str) -> Reading {
        Reading::new(manifest::read(text.as_bytes()))
    }

    fn update(inventory: &mut Inventory, file: &str, text: &str) -> Vec<String> {
        let affected = inventory.update(file, Some(&reading(text)));
        affected.into_iter().map(|key| key.name.to_string()).collect()
    }

    #[test]
    fn a_change_concerns_what_a_file_held_and_what_it_holds() {
        let mut inventory = Inventory::default();
        assert_eq!(update(&mut inventory, "a.yaml", &manifest("one")), ["one"]);
        assert_eq!(update(&mut inventory, "a.yaml", &manifest("two")), ["one", "two"]);
        assert_eq!(inventory.holders(&key("one")), Holders::default());
        assert_eq!(inventory.holders(&key("two")).whole, ["a.yaml"]);
        assert_eq!(inventory.update("a.yaml", None), [key("two")].into());
        assert!(!inventory.knows("a.yaml"));
    }

    #[test]
    fn a_file_that_became_unreadable_still_holds_what_it_held() {
        let mut inventory = Inventory::default();
        update(&mut inventory, "a.yaml", &manifest("one"));
        update(&mut inventory, "a.yaml", "apiVersion: [");
        let holders = inventory.holders(&key("one"));
        assert!(holders.whole.is_empty() && holders.broken[0].1.starts_with("is not YAML"), "{holders:?}");
        assert_eq!(inventory.unusable(), 1);
        update(&mut inventory, "a.yaml", "still: [");
        assert_eq!(inventory.holders(&key("one")).broken.len(), 1, "it holds it however often it is written");
        update(&mut inventory, "a.yaml", "");
        assert_eq!((inventory.holders(&key("one")), inventory.unusable()), (Holders::default(), 0));
    }

    #[test]
    fn a_misspelt_kind_takes_no_profile_away() {
        let mut inventory = Inventory::default();
        update(&mut inventory, "a.yaml", &(manifest("one") + &manifest("two")));
        update(
            &mut inventory,
            "a.yaml",
            &(manifest("one") + &manifest("two").replace("SeccompProfile", "SecompProfile")),
        );
        assert_eq!(inventory.holders(&key("one")).whole, ["a.yaml"]);
        assert_eq!(inventory.holders(&key("two")).broken.len(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_remembered_as_far_as_anybody_reads() {
        let mut inventory = Inventory::default();
        update(&mut inventory, "a.yaml", &manifest("one"));
        update(&mut inventory, "b.yaml", &"---\nkind: Pod\n".repeat(11));
        let mistakes = inventory.mistakes();
        assert_eq!(mistakes.keys().collect::<Vec<_>>(), ["b.yaml"]);
        assert!(mistakes["b.yaml"][0].starts_with("Pod (document 1): kind: "), "{mistakes:?}");
        assert_eq!((mistakes["b.yaml"].len(), &*mistakes["b.yaml"][8]), (9, "and 3 more"));
        update(&mut inventory, "b.yaml", "");
        assert_eq!(inventory.mistakes(), Mistakes::new());
    }

    #[test]
    fn a_profile_in_two_files_is_held_by_both() {
        let mut inventory = Inventory::default();
        update(&mut inventory, "a.yaml", &manifest("one"));
        update(&mut inventory, "b.yaml", &manifest("one"));
        assert_eq!(inventory.holders(&key("one")).whole, ["a.yaml", "b.yaml"]);
        inventory.update("a.yaml", None);
        assert_eq!(inventory.holders(&key("one")).whole, ["b.yaml"]);
    }

    #[test]
    fn the_second_of_one_name_in_a_file_is_told() {
        let reading = reading(&(manifest("one") + &manifest("one")));
        assert_eq!(reading.unusable, ["SeccompProfile/one stands in it twice; the first counts, remove one"]);
        assert_eq!(reading.profiles.len(), 1);
    }

    #[test]
    fn what_an_earlier_process_read_is_remembered() {
        let mut inventory = Inventory::remembering([(key("one"), "a.yaml".to_owned())], []);
        update(&mut inventory, "a.yaml", ": [");
        assert_eq!(inventory.holders(&key("one")).broken.len(), 1);
    }

    const CONFIGURATION: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SecurityProfilesOperatorDaemon\nmetadata: {name: spod}\nspec: {security: {allowedSyscalls: [read]}}\n";

    fn only_read() -> Permitted {
        Ok(Policy { allowed_syscalls: Some(["read".to_owned()].into()), ..Policy::default() })
    }

    #[rstest]
    #[case::half_of_it(&CONFIGURATION[..150])]
    #[case::less_than_its_kind(&CONFIGURATION[..40])]
    #[case::a_wrong_field(&CONFIGURATION.replace("allowedSyscalls", "allowedSyscall"))]
    #[case::a_misspelt_kind(&CONFIGURATION.replace("OperatorDaemon", "OperatorDeamon"))]
    fn a_configuration_that_became_unusable_goes_on_to_count_as_it_was(#[case] text: &str) {
        let mut inventory = Inventory::default();
        update(&mut inventory, "spod.yaml", CONFIGURATION);
        update(&mut inventory, "spod.yaml", text);
        assert_eq!(inventory.permitted(), only_read());
        update(&mut inventory, "spod.yaml", &CONFIGURATION.replace("read", "write"));
        assert_ne!(inventory.permitted(), only_read(), "the next that can be used counts");
        update(&mut inventory, "spod.yaml", "");
        assert_eq!(inventory.permitted(), Ok(Policy::default()), "what was taken out does not");
    }

    #[rstest]
    #[case::half_of_it(&CONFIGURATION[..150], "spod.yaml: is not YAML")]
    #[case::less_than_its_kind(&CONFIGURATION[..40], "spod.yaml: document 1: kind: is missing")]
    #[case::a_wrong_field(&CONFIGURATION.replace("allowedSyscalls", "allowedSyscall"), "allowedSyscall: unknown field")]
    fn a_configuration_that_an_earlier_process_could_read_is_missed(#[case] text: &str, #[case] expected: &str) {
        let mut inventory = Inventory::remembering([], ["spod.yaml".to_owned()]);
        update(&mut inventory, "spod.yaml", text);
        let why = inventory.permitted().unwrap_err();
        assert!(why.contains(expected), "{why}");
        update(&mut inventory, "spod.yaml", CONFIGURATION);
        assert_eq!(inventory.permitted(), only_read());
    }

    #[test]
    fn a_configuration_that_was_never_usable_permits_nothing_and_a_broken_profile_changes_nothing() {
        let mut inventory = Inventory::default();
        update(&mut inventory, "web.yaml", "kind: [");
        assert_eq!(inventory.permitted(), Ok(Policy::default()));
        update(&mut inventory, "spod.yaml", &CONFIGURATION[..150]);
        assert!(inventory.permitted().is_err());
        assert_eq!(inventory.configurations(), ["spod.yaml".to_owned()].into());
    }
}
