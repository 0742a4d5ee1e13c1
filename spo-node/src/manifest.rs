//! Manifests: files of YAML or JSON that hold profiles.
//!
//! A file holds any number of documents, and a document one object or a `List` of them. [`read`] says of each object what it is:
//! a profile, the operator's configuration, or something that cannot be used, and why. It does no I/O but [`load`]'s.

mod file;
mod spec;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{AdminState, FieldPath, GROUP, Kind, ProfileKey, ProfileKind, ProfileName, Violation, labels};
use spo_lsm::{Digest, Policy, Profile, Spec};

pub(crate) use file::content;
pub use file::{MAX_BYTES, Unreadable, is_manifest};
#[cfg(feature = "cli")]
pub(crate) use spec::lenient_spec_of;
pub(crate) use spec::{in_v1, policy, spec_of};

use crate::{schema, yaml};

/// What stands in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// A profile. It has a name, so whatever is wrong with it can be told in its status.
    Profile(Box<Manifest>),
    /// The operator's configuration: what it permits profiles to contain.
    Configuration(Policy),
    /// Anything else.
    Unusable(Unusable),
}

/// A profile that stands in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Which profile.
    pub key: ProfileKey,
    /// Its `apiVersion`.
    pub api_version: String,
    /// `spec.state`.
    pub admin: AdminState,
    /// Whether it waits to be merged.
    pub partial: bool,
    /// What it says, or all that is wrong with it.
    pub profile: Result<Profile, Vec<Violation>>,
    /// The digest of its `spec`: equal as long as the profile says the same.
    pub digest: Digest,
}

/// An object that no profile can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What it calls itself: `Pod/web`, or its position in the file.
    pub object: String,
    /// Whether it is the operator's configuration: what it permits is not known then.
    pub is_configuration: bool,
    /// What is wrong with it.
    pub violation: Violation,
}

/// Reads a file, and what stands in it.
///
/// # Errors
/// See [`Unreadable`].
pub fn load(path: &Path) -> Result<Vec<Object>, Unreadable> {
    read(&content(path)?)
}

/// What stands in a manifest with this content.
///
/// # Errors
/// See [`Unreadable`].
pub fn read(content: &[u8]) -> Result<Vec<Object>, Unreadable> {
    let names_configuration = || content.windows(CONFIGURATION.len()).any(|window| window == CONFIGURATION.as_bytes());
    objects(content).map_err(
        |error| {
            if names_configuration() { Unreadable::Configuration(Box::new(error)) } else { error }
        },
    )
}

fn objects(content: &[u8]) -> Result<Vec<Object>, Unreadable> {
    let text = std::str::from_utf8(content).map_err(|error| Unreadable::NotText(error.valid_up_to()))?;
    let documents = yaml::documents(text).map_err(|error| Unreadable::NotYaml(error.without_snippet().to_string()))?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let place = format!("document {}", index + 1);
        match items(document) {
            Ok(items) => {
                let items = items.into_iter().enumerate();
                objects.extend(items.map(|(item, value)| object(value, &format!("{place}, item {}", item + 1))));
            }
            Err(single) => objects.push(object(single, &place)),
        }
    }
    Ok(objects)
}

/// The objects of a `List`, as `kubectl get --output yaml` prints it; or the document itself.
fn items(document: Value) -> Result<Vec<Value>, Value> {
    let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Object(mut fields) if is_list && fields.get("items").is_some_and(Value::is_array) => {
            match fields.remove("items") {
                Some(Value::Array(items)) => Ok(items),
                _ => Ok(Vec::new()),
            }
        }
        single => Err(single),
    }
}

fn object(value: Value, place: &str) -> Object {
    let is_configuration = value["kind"].as_str() == Some(CONFIGURATION);
    let unusable = |object: String, path: &str, reason: String| {
        Object::Unusable(Unusable { object, is_configuration, violation: Violation::new(FieldPath::new(path), reason) })
    };
    let Value::Object(fields) = value else {
        return unusable(
            place.to_owned(),
            "kind",
            "is missing; expected an object with apiVersion, kind, metadata and spec".to_owned(),
        );
    };
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    let name = fields.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Value::as_str);
    let Some(kind) = text("kind") else {
        return unusable(place.to_owned(), "kind", format!("is missing; expected {}", kinds()));
    };
    let called = name.map_or_else(|| format!("{kind} ({place})"), |name| format!("{kind}/{name}"));
    let profile_kind = ProfileKind::from_kind(kind);
    let any_kind = match profile_kind {
        Some(kind) => kind.kind(),
        None if kind == CONFIGURATION => Kind::SecurityProfilesOperatorDaemon,
        None => return unusable(called, "kind", wrong_kind(kind)),
    };
    let api_version = text("apiVersion").unwrap_or_default().to_owned();
    let version = api_version.strip_prefix(GROUP).and_then(|rest| rest.strip_prefix('/'));
    let Some(version) = any_kind.versions().into_iter().find(|known| Some(*known) == version) else {
        let known = any_kind.versions().map(|version| format!("{GROUP}/{version}")).join(" or ");
        return unusable(called, "apiVersion", format!("is {api_version:?}; expected {known}"));
    };
    let name = name.map(str::to_owned);
    let fields = in_v1(any_kind, version, fields);
    let Some(kind) = profile_kind else { return configuration(fields, called) };
    match name.as_deref().unwrap_or_default().parse() {
        Ok(name) => Object::Profile(Box::new(profile(ProfileKey { kind, name }, api_version, fields))),
        Err(_) if name.is_none() => unusable(called, "metadata.name", "is required and missing".to_owned()),
        Err(error) => unusable(called, "metadata.name", format!("{error}; rename the profile")),
    }
}

/// What is wrong with the second profile of one name in a file.
pub(crate) const TWICE: &str = "stands in it twice; the first counts, remove one";

/// What is wrong with a profile that stands in several files.
pub(crate) fn in_several(files: &[String]) -> Violation {
    let reason = format!("is in {}; keep one of them", files.join(" and in "));
    Violation::new(FieldPath::new("metadata").child("name"), reason)
}

const CONFIGURATION: &str = "SecurityProfilesOperatorDaemon";

/// Why an object of this kind is none of those that are read.
fn wrong_kind(kind: &str) -> String {
    let known = ProfileKind::ALL.iter().map(|kind| kind.as_str()).chain([CONFIGURATION]);
    match schema::nearest(kind, known) {
        Some(near) => format!("{kind:?} is no kind of profile; did you mean {near}?"),
        None => format!("{kind:?} is no kind of profile; expected {}", kinds()),
    }
}

fn kinds() -> String {
    ProfileKind::ALL.map(ProfileKind::as_str).join(", ")
}

fn profile(key: ProfileKey, api_version: String, fields: Result<Map<String, Value>, Violation>) -> Manifest {
    let fields = match fields {
        Ok(fields) => fields,
        Err(violation) => {
            let digest = Digest::of(violation.to_string().as_bytes());
            let profile = Err(vec![violation]);
            return Manifest { key, api_version, admin: AdminState::Enabled, partial: false, profile, digest };
        }
    };
    let metadata = fields.get("metadata").unwrap_or(&Value::Null);
    let partial = metadata["labels"].get(labels::PARTIAL).is_some();
    let digest = Digest::of(fields.get("spec").unwrap_or(&Value::Null).to_string().as_bytes());
    let (admin, profile) = match key.kind {
        ProfileKind::Seccomp => made::<SeccompProfileSpec>(&key.name, fields),
        ProfileKind::Selinux => made::<SelinuxProfileSpec>(&key.name, fields),
        ProfileKind::RawSelinux => made::<RawSelinuxProfileSpec>(&key.name, fields),
        ProfileKind::AppArmor => made::<AppArmorProfileSpec>(&key.name, fields),
    };
    Manifest { key, api_version, admin, partial, profile, digest }
}

fn made<S: Spec + DeserializeOwned>(
    name: &ProfileName,
    fields: Map<String, Value>,
) -> (AdminState, Result<Profile, Vec<Violation>>) {
    let spec = spec_of::<S>(fields);
    let admin = spec.as_ref().ok().and_then(Spec::state).unwrap_or_default();
    (admin, spec.and_then(|spec| spo_lsm::parse(name.clone(), &spec)))
}

fn configuration(fields: Result<Map<String, Value>, Violation>, called: String) -> Object {
    match fields.and_then(policy) {
        Ok(policy) => Object::Configuration(policy),
        Err(violation) => Object::Unusable(Unusable { object: called, is_configuration: true, violation }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const WEB: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nmetadata: {name: web}\nspec: {defaultAction: SCMP_ACT_LOG}\n";

    fn only(text: &str) -> Object {
        let mut objects = read(text.as_bytes()).unwrap();
        assert_eq!(objects.len(), 1, "{objects:?}");
        objects.remove(0)
    }

    fn profile(text: &str) -> Manifest {
        match only(text) {
            Object::Profile(manifest) => *manifest,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_profile_is_read_from_yaml_and_from_json() {
        let yaml = profile(WEB);
        assert_eq!(yaml.key.to_string(), "SeccompProfile/web");
        assert!(yaml.profile.is_ok() && !yaml.partial && yaml.admin == AdminState::Enabled);
        let json: Value = serde_saphyr::from_str(WEB).unwrap();
        assert_eq!(profile(&json.to_string()), yaml);
    }

    #[rstest]
    #[case("SelinuxProfile", "{}")]
    #[case("RawSelinuxProfile", "{policy: (blockinherit container), state: Disabled}")]
    #[case("AppArmorProfile", "{abstract: {}}")]
    fn a_profile_of_each_kind_is_read(#[case] kind: &str, #[case] spec: &str) {
        let manifest = profile(&format!("apiVersion: {GROUP}/v1\nkind: {kind}\nmetadata: {{name: web}}\nspec: {spec}"));
        assert_eq!(manifest.key.to_string(), format!("{kind}/web"));
        assert_eq!(manifest.profile.unwrap().key(), manifest.key);
        assert_eq!(manifest.admin == AdminState::Disabled, spec.contains("Disabled"));
    }

    #[test]
    fn old_versions_are_read_as_what_they_are_in_v1() {
        assert_eq!(profile(&WEB.replace("/v1\n", "/v1beta1\n")).profile, profile(WEB).profile);
        let selinux = |version: &str, mode: &str| {
            profile(&format!(
                "apiVersion: {GROUP}/{version}\nkind: SelinuxProfile\nmetadata: {{name: web}}\nspec: {{{mode}}}"
            ))
        };
        let old = selinux("v1alpha2", "permissive: true");
        assert_eq!(old.profile, selinux("v1", "mode: Permissive").profile);
        assert_eq!(old.api_version, "security-profiles-operator.x-k8s.io/v1alpha2");
    }

    #[test]
    fn an_unknown_field_of_an_old_version_is_told() {
        let misspelt = WEB.replace("/v1\n", "/v1beta1\n") + "spce: {}\n";
        let violations = profile(&misspelt).profile.unwrap_err();
        assert_eq!(violations[0].to_string(), "spce: unknown field; did you mean spec?");
    }

    #[test]
    fn text_that_v1_cannot_say_is_refused() {
        let text = format!(
            "apiVersion: {GROUP}/v1alpha1\nkind: AppArmorProfile\nmetadata: {{name: web}}\nspec: {{policy: 'profile web {{}}'}}"
        );
        let violations = profile(&text).profile.unwrap_err();
        assert!(violations[0].to_string().starts_with("spec.policy: holds text for AppArmor"), "{violations:?}");
    }

    #[test]
    fn documents_and_lists_hold_several() {
        let text = format!("{WEB}---\n---\n# nothing\n---\n{}", WEB.replace("web", "db"));
        assert_eq!(read(text.as_bytes()).unwrap().len(), 2);
        let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}", WEB.trim_end().replace('\n', "\n  "));
        assert_eq!(profile(&list), profile(WEB));
        assert_eq!(read(b"").unwrap(), []);
    }

    #[test]
    fn state_and_label_are_honoured() {
        let text = WEB.replace("{name: web}", "{name: web, labels: {spo.x-k8s.io/partial: 'true'}}");
        let text = text.replace("SCMP_ACT_LOG", "SCMP_ACT_LOG, state: Disabled");
        let manifest = profile(&text);
        assert!(manifest.partial && manifest.admin == AdminState::Disabled);
    }

    #[test]
    fn the_digest_follows_the_spec_alone() {
        let moved = WEB.replace("{name: web}", "{name: web, labels: {a: b}}");
        assert_eq!(profile(&moved).digest, profile(WEB).digest);
        assert_ne!(profile(&WEB.replace("ACT_LOG", "ACT_ALLOW")).digest, profile(WEB).digest);
    }

    #[rstest]
    #[case("hello", "document 1: kind: is missing; expected an object with apiVersion, kind, metadata and spec")]
    #[case(
        "{kind: Pod, metadata: {name: web}}",
        "Pod/web: kind: \"Pod\" is no kind of profile; expected SeccompProfile, SelinuxProfile, RawSelinuxProfile, AppArmorProfile"
    )]
    #[case(
        "{kind: SecompProfile}",
        "SecompProfile (document 1): kind: \"SecompProfile\" is no kind of profile; did you mean SeccompProfile?"
    )]
    #[case(
        "{kind: SelinuxProfile, apiVersion: v1, metadata: {name: web}}",
        "SelinuxProfile/web: apiVersion: is \"v1\"; expected security-profiles-operator.x-k8s.io/v1 or security-profiles-operator.x-k8s.io/v1alpha2"
    )]
    #[case(
        "{kind: SeccompProfile, apiVersion: v1, metadata: {name: web}}",
        "SeccompProfile/web: apiVersion: is \"v1\"; expected security-profiles-operator.x-k8s.io/v1 or security-profiles-operator.x-k8s.io/v1beta1"
    )]
    fn what_is_no_profile_is_told(#[case] text: &str, #[case] expected: &str) {
        let Object::Unusable(Unusable { object, violation, .. }) = only(text) else { panic!("usable") };
        assert_eq!(format!("{object}: {violation}"), expected);
    }

    #[test]
    fn a_name_that_would_leave_its_folder_is_refused() {
        let Object::Unusable(unusable) = only(&WEB.replace("name: web", "name: ../web")) else { panic!("usable") };
        assert_eq!(unusable.object, "SeccompProfile/../web");
        assert!(unusable.violation.to_string().starts_with("metadata.name: \"../web\" is not a DNS-1123 subdomain"));
    }

    #[test]
    fn what_is_wrong_with_a_named_profile_belongs_to_it() {
        let broken = profile(&WEB.replace("defaultAction", "defaultActoin"));
        let violations = broken.profile.unwrap_err();
        assert_eq!(violations[0].to_string(), "spec.defaultActoin: unknown field; did you mean defaultAction?");
    }

    #[test]
    fn the_configuration_gives_the_policy() {
        let text = "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SecurityProfilesOperatorDaemon\nmetadata: {name: spod}\nspec: {security: {allowedSyscalls: [read]}}";
        let Object::Configuration(policy) = only(text) else { panic!("no configuration") };
        assert_eq!(policy.allowed_syscalls.unwrap().into_iter().collect::<Vec<_>>(), ["read"]);
        assert_eq!(policy.allowed_actions, None);
    }

    #[rstest]
    #[case::of_another_version("{kind: SecurityProfilesOperatorDaemon, apiVersion: v1}")]
    #[case::with_a_wrong_field(
        "{kind: SecurityProfilesOperatorDaemon, apiVersion: security-profiles-operator.x-k8s.io/v1, metadata: {name: spod}, spec: {security: {allowedSyscall: [read]}}}"
    )]
    fn a_configuration_that_cannot_be_used_is_known_for_one(#[case] text: &str) {
        let Object::Unusable(unusable) = only(text) else { panic!("usable") };
        assert!(unusable.is_configuration, "{unusable:?}");
    }

    #[test]
    fn half_a_configuration_is_known_for_one_and_half_a_profile_is_not() {
        let half = b"kind: SecurityProfilesOperatorDaemon\nspec: {security: {allowedSyscalls: [re";
        assert!(matches!(read(half), Err(Unreadable::Configuration(_))));
        assert!(matches!(read(b"kind: SeccompProfile\nspec: {"), Err(Unreadable::NotYaml(_))));
    }

    #[rstest]
    #[case(b"a: [", "is not YAML")]
    #[case(b"\xff\xfe", "is not text in UTF-8")]
    #[case(b"a: 1\na: 2", "is not YAML")]
    fn what_is_not_yaml_is_unreadable(#[case] content: &[u8], #[case] expected: &str) {
        let error = read(content).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
