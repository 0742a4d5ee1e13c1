//! The profiles that are desired, and for each whether it can be installed. Pure.
//!
//! A profile may build on another, so a change of one can change what is installed of many: [`Catalogue::change`] looks again at
//! exactly those.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use spo_api::{ProfileKey, ProfileKind, ProfileName, Violation};
use spo_lsm::seccomp::{Base, LookupError, ResolveError, resolve};
use spo_lsm::{Artifact, Checked, Digest, Policy, Profile, check, render};

use crate::source::{Change, Desired, Permitted, Want};
use crate::status::list;

/// All desired profiles.
#[derive(Debug)]
pub struct Catalogue {
    entries: BTreeMap<ProfileKey, Entry>,
    /// Which profiles build on a profile, whether that is there or not.
    dependents: BTreeMap<ProfileKey, BTreeSet<ProfileKey>>,
    permitted: Permitted,
    /// What is permitted where no configuration says otherwise.
    everything: Policy,
    known: Known,
}

/// Nothing is known, and everything permitted.
impl Default for Catalogue {
    fn default() -> Self {
        let mut everything = Policy::default();
        everything.selinux.profiles = Some(BTreeMap::new());
        Self {
            entries: BTreeMap::new(),
            dependents: BTreeMap::new(),
            permitted: Ok(everything.clone()),
            everything,
            known: Known::default(),
        }
    }
}

/// Whether the catalogue may be taken for all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Known {
    /// The source said nothing yet.
    #[default]
    Nothing,
    /// There may be profiles that the source could not read.
    Part,
    /// What is not in the catalogue does not exist.
    All,
}

/// A desired profile.
#[derive(Debug)]
pub struct Entry {
    /// What the source says.
    pub desired: Desired,
    /// What would be installed, or why nothing can be.
    pub verdict: Result<Fit, Refusal>,
}

/// What is installed of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The name of its file.
    pub file_name: String,
    /// The digest of its content.
    pub digest: Digest,
    /// What its author should know.
    pub warnings: Vec<Violation>,
}

/// Why a profile cannot be installed as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It makes no sense.
    Invalid(Vec<Violation>),
    /// Its base profile cannot be had.
    Base(ResolveError),
    /// It is not known what the configuration permits, and why.
    Unknown(String),
    /// The cluster's configuration forbids what it permits.
    NotPermitted(Vec<Violation>),
    /// Its file is that of another profile.
    Twin(ProfileKey),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(violations) => f.write_str(&list(violations)),
            Self::Base(error) => write!(f, "spec.baseProfileName: {error}"),
            Self::Unknown(why) => {
                write!(f, "the configuration cannot be used, so that nothing new is permitted: {why}")
            }
            Self::NotPermitted(violations) => write!(f, "the cluster's configuration forbids it: {}", list(violations)),
            Self::Twin(other) => {
                write!(f, "metadata.name: its file is that of {other}; rename one of them")
            }
        }
    }
}

impl Catalogue {
    /// Takes in what a source says, and gives the profiles that this concerns, those included that are gone.
    pub fn change(&mut self, change: Change) -> BTreeSet<ProfileKey> {
        let mut touched = BTreeSet::new();
        match change {
            Change::All { profiles, complete } => {
                self.known = if complete { Known::All } else { Known::Part };
                let new: BTreeSet<&ProfileKey> = profiles.iter().map(|desired| &desired.key).collect();
                let gone: Vec<ProfileKey> = self.entries.keys().filter(|key| !new.contains(key)).cloned().collect();
                gone.into_iter().for_each(|key| self.remove(key, &mut touched));
                profiles.into_iter().for_each(|desired| self.put(desired, &mut touched));
            }
            Change::Some { changed, gone } => {
                gone.into_iter().for_each(|key| self.remove(key, &mut touched));
                changed.into_iter().for_each(|desired| self.put(desired, &mut touched));
            }
        }
        self.judge(touched)
    }

    /// Sets what the configuration permits, and gives the profiles that this concerns.
    pub fn permit(&mut self, permitted: Permitted) -> BTreeSet<ProfileKey> {
        // Which profiles there are is not the configuration's to say.
        let permitted = permitted.map(|mut policy| {
            policy.selinux.profiles.clone_from(&self.everything.selinux.profiles);
            policy
        });
        if self.permitted == permitted {
            return BTreeSet::new();
        }
        self.permitted = permitted;
        self.judge(self.entries.keys().cloned().collect())
    }

    /// Whether it may be taken for all there is.
    pub fn known(&self) -> Known {
        self.known
    }

    /// Every profile, by its key.
    pub fn iter(&self) -> impl Iterator<Item = (&ProfileKey, &Entry)> {
        self.entries.iter()
    }

    /// The profile `key`.
    pub fn get(&self, key: &ProfileKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// What is to be installed of the profile `key`. `None` if there is none, or it cannot be installed.
    pub fn build(&self, key: &ProfileKey) -> Option<(Checked, Artifact)> {
        self.made(&self.entries.get(key)?.desired).ok()
    }

    fn put(&mut self, desired: Desired, touched: &mut BTreeSet<ProfileKey>) {
        if self.entries.get(&desired.key).is_some_and(|entry| entry.desired == desired) {
            return;
        }
        let key = desired.key.clone();
        self.unlink(&key);
        for base in bases(&desired) {
            self.dependents.entry(base).or_default().insert(key.clone());
        }
        if let Ok(Profile::Selinux(profile)) = &desired.profile {
            let inherited: Vec<ProfileName> = profile.inherited_profiles().cloned().collect();
            self.each_policy(|profiles| _ = profiles.insert(key.name.clone(), inherited.clone()));
        }
        self.entries.insert(key.clone(), Entry { desired, verdict: Err(Refusal::Invalid(Vec::new())) });
        touched.insert(key);
    }

    fn remove(&mut self, key: ProfileKey, touched: &mut BTreeSet<ProfileKey>) {
        self.unlink(&key);
        if self.entries.remove(&key).is_some() {
            touched.insert(key);
        }
    }

    /// Forgets what a profile builds on, and that it is there to build on.
    fn unlink(&mut self, key: &ProfileKey) {
        let Some(entry) = self.entries.get(key) else { return };
        for base in bases(&entry.desired) {
            if let Some(dependents) = self.dependents.get_mut(&base) {
                dependents.remove(key);
                if dependents.is_empty() {
                    self.dependents.remove(&base);
                }
            }
        }
        if key.kind == ProfileKind::Selinux {
            self.each_policy(|profiles| _ = profiles.remove(&key.name));
        }
    }

    /// Changes which SelinuxProfiles there are, with those that each inherits.
    fn each_policy(&mut self, change: impl Fn(&mut BTreeMap<ProfileName, Vec<ProfileName>>)) {
        let policies = [Some(&mut self.everything), self.permitted.as_mut().ok()];
        policies.into_iter().flatten().filter_map(|policy| policy.selinux.profiles.as_mut()).for_each(change);
    }

    /// Looks again at what was `touched`, at all that builds on it, and at those with the same file.
    fn judge(&mut self, mut touched: BTreeSet<ProfileKey>) -> BTreeSet<ProfileKey> {
        let mut news: Vec<ProfileKey> = touched.iter().cloned().collect();
        while let Some(key) = news.pop() {
            let dependents = self.dependents.get(&key).into_iter().flatten();
            for dependent in dependents.cloned().chain(twins(&key)) {
                if touched.insert(dependent.clone()) {
                    news.push(dependent);
                }
            }
        }
        for key in &touched {
            let Some(entry) = self.entries.get(key) else { continue };
            let verdict = self.made(&entry.desired).map(|(checked, artifact)| Fit {
                warnings: checked.profile().warnings().to_vec(),
                digest: artifact.digest(),
                file_name: artifact.file_name,
            });
            if let Some(entry) = self.entries.get_mut(key) {
                entry.verdict = verdict;
            }
        }
        touched
    }

    fn made(&self, desired: &Desired) -> Result<(Checked, Artifact), Refusal> {
        if let Some(other) = self.twin(&desired.key) {
            return Err(Refusal::Twin(other));
        }
        let whole = match desired.profile.as_ref().map_err(|violations| Refusal::Invalid(violations.clone()))? {
            Profile::Seccomp(seccomp) => {
                Profile::Seccomp(resolve(seccomp, |base| self.base(base)).map_err(Refusal::Base)?)
            }
            other @ (Profile::Selinux(_) | Profile::RawSelinux(_) | Profile::AppArmor(_)) => other.clone(),
        };
        let checked = match check(&whole, self.permitted.as_ref().unwrap_or(&self.everything)) {
            Ok(checked) => checked,
            Err(violations) if check(&whole, &self.everything).is_ok() => {
                return Err(Refusal::NotPermitted(violations));
            }
            Err(violations) => return Err(Refusal::Invalid(violations)),
        };
        if let Err(why) = &self.permitted {
            return Err(Refusal::Unknown(why.clone()));
        }
        let artifact = render(&checked);
        Ok((checked, artifact))
    }

    fn base(&self, base: &Base) -> Result<spo_lsm::seccomp::Profile, LookupError> {
        let name = match base {
            Base::Local(name) => name.clone(),
            Base::Oci(_) => {
                let reason =
                    "this version does not pull profiles from registries; make a SeccompProfile of it and name that";
                return Err(LookupError::Unusable(reason.to_owned()));
            }
        };
        let entry = self.entries.get(&ProfileKey { kind: ProfileKind::Seccomp, name }).ok_or(LookupError::Missing)?;
        match &entry.desired.profile {
            Ok(Profile::Seccomp(profile)) => Ok(profile.clone()),
            Ok(_) => Err(LookupError::Missing),
            Err(violations) => Err(LookupError::Unusable(format!("it is invalid itself: {}", list(violations)))),
        }
    }

    /// The profile that has the same file and comes first.
    fn twin(&self, key: &ProfileKey) -> Option<ProfileKey> {
        let other = twins(key).filter(|other| other < key)?;
        let wanted = self.entries.get(&other).is_some_and(|entry| entry.desired.want != Want::Remove);
        wanted.then_some(other)
    }
}

/// The profiles that a profile builds on.
fn bases(desired: &Desired) -> Vec<ProfileKey> {
    let key = |kind, name: &ProfileName| ProfileKey { kind, name: name.clone() };
    match &desired.profile {
        Ok(Profile::Seccomp(profile)) => match profile.base() {
            Some(Base::Local(name)) => vec![key(ProfileKind::Seccomp, name)],
            Some(Base::Oci(_)) | None => Vec::new(),
        },
        Ok(Profile::Selinux(profile)) => {
            profile.inherited_profiles().map(|name| key(ProfileKind::Selinux, name)).collect()
        }
        Ok(Profile::RawSelinux(profile)) => {
            let names = profile.inherits().filter_map(|name| name.parse().ok());
            names.map(|name| key(ProfileKind::Selinux, &name)).collect()
        }
        Ok(Profile::AppArmor(_)) | Err(_) => Vec::new(),
    }
}

/// The other profile that would have the same file: `web` and `web.json` of seccomp, and both kinds of SELinux under one name.
fn twins(key: &ProfileKey) -> Option<ProfileKey> {
    let name = key.name.as_str();
    match key.kind {
        ProfileKind::Seccomp => {
            let other = name.strip_suffix(".json").map_or_else(|| format!("{name}.json"), str::to_owned);
            Some(ProfileKey { kind: key.kind, name: other.parse().ok()? })
        }
        ProfileKind::Selinux => Some(ProfileKey { kind: ProfileKind::RawSelinux, name: key.name.clone() }),
        ProfileKind::RawSelinux => Some(ProfileKey { kind: ProfileKind::Selinux, name: key.name.clone() }),
        ProfileKind::AppArmor => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{desired, key, spec};

    fn catalogue(profiles: Vec<Desired>) -> Catalogue {
        let mut catalogue = Catalogue::default();
        catalogue.change(Change::All { profiles, complete: true });
        catalogue
    }

    fn refusal(catalogue: &Catalogue, name: &str) -> String {
        catalogue.get(&key(name)).unwrap().verdict.as_ref().unwrap_err().to_string()
    }

    fn digest(catalogue: &Catalogue, name: &str) -> Digest {
        catalogue.get(&key(name)).unwrap().verdict.as_ref().unwrap().digest
    }

    fn on(name: &str, base: &str) -> Desired {
        desired(name, &format!("{{defaultAction: SCMP_ACT_ERRNO, baseProfileName: {base}}}"))
    }

    #[test]
    fn a_base_profile_gives_its_calls() {
        let catalogue = catalogue(vec![desired("base", spec("read")), on("web", "base")]);
        let (_, artifact) = catalogue.build(&key("web")).unwrap();
        assert!(String::from_utf8(artifact.bytes).unwrap().contains("read"));
    }

    #[test]
    fn a_changed_base_reaches_all_that_build_on_it_at_once() {
        let mut catalogue = catalogue(vec![on("top", "web"), on("web", "base"), desired("base", spec("read"))]);
        let before = digest(&catalogue, "top");
        catalogue.change(Change::Some { changed: vec![desired("base", spec("write"))], gone: vec![] });
        assert_ne!(digest(&catalogue, "top"), before);
    }

    #[test]
    fn a_missing_base_is_told_and_mended_when_it_comes() {
        let mut catalogue = catalogue(vec![on("web", "base")]);
        assert!(
            refusal(&catalogue, "web").starts_with("spec.baseProfileName: base profile base"),
            "{}",
            refusal(&catalogue, "web")
        );
        catalogue.change(Change::Some { changed: vec![desired("base", spec("read"))], gone: vec![] });
        assert!(catalogue.get(&key("web")).unwrap().verdict.is_ok());
        catalogue.change(Change::Some { changed: vec![], gone: vec![key("base")] });
        assert!(catalogue.get(&key("web")).unwrap().verdict.is_err());
    }

    #[test]
    fn a_base_in_a_registry_is_refused_with_the_next_step() {
        let catalogue = catalogue(vec![on("web", "oci://example.org/runc:v1")]);
        assert!(refusal(&catalogue, "web").contains("make a SeccompProfile of it"), "{}", refusal(&catalogue, "web"));
    }

    #[test]
    fn bases_in_a_circle_are_refused() {
        let catalogue = catalogue(vec![on("a", "b"), on("b", "a")]);
        assert!(refusal(&catalogue, "a").contains("circle"), "{}", refusal(&catalogue, "a"));
    }

    #[test]
    fn two_profiles_of_one_file_do_not_overwrite_each_other() {
        let mut catalogue = catalogue(vec![desired("web.json", spec("read")), desired("web", spec("write"))]);
        assert!(catalogue.get(&key("web")).unwrap().verdict.is_ok());
        assert_eq!(
            refusal(&catalogue, "web.json"),
            "metadata.name: its file is that of SeccompProfile/web; rename one of them"
        );
        catalogue.change(Change::Some { changed: vec![], gone: vec![key("web")] });
        assert!(catalogue.get(&key("web.json")).unwrap().verdict.is_ok());
    }

    #[test]
    fn what_the_configuration_forbids_is_told_apart_from_what_is_wrong() {
        let mut catalogue = catalogue(vec![desired("web", spec("read"))]);
        catalogue.permit(Ok(Policy { allowed_syscalls: Some(["write".to_owned()].into()), ..Policy::default() }));
        let entry = catalogue.get(&key("web")).unwrap();
        assert!(matches!(entry.verdict, Err(Refusal::NotPermitted(_))), "{:?}", entry.verdict);
        catalogue.permit(Ok(Policy::default()));
        assert!(catalogue.get(&key("web")).unwrap().verdict.is_ok());
    }

    #[test]
    fn nothing_is_permitted_while_it_is_not_known_what_is() {
        let mut catalogue = catalogue(vec![desired("web", spec("read")), on("other", "missing")]);
        catalogue.permit(Err("spod.yaml: is not YAML".to_owned()));
        assert!(refusal(&catalogue, "web").ends_with("nothing new is permitted: spod.yaml: is not YAML"));
        assert!(refusal(&catalogue, "other").starts_with("spec.baseProfileName"), "its own mistake comes first");
    }

    #[test]
    fn a_list_of_all_replaces_what_was_known() {
        let mut catalogue = catalogue(vec![desired("a", spec("read")), desired("b", spec("read"))]);
        catalogue.change(Change::All { profiles: vec![desired("b", spec("read"))], complete: false });
        assert_eq!(catalogue.iter().map(|(key, _)| key.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(catalogue.known(), Known::Part);
    }
}
