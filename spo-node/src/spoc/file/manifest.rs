//! Profiles as objects of the API, in YAML or JSON.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{FieldPath, ProfileKind, ProfileName, Violation};
use spo_lsm::Spec;

use super::{Metadata, Reading};

/// What of a manifest is read. Of the API version nothing is: the spec has been the same in all.
#[derive(Deserialize)]
struct Manifest<S> {
    metadata: ObjectMeta,
    spec: S,
}

#[derive(Deserialize)]
struct ObjectMeta {
    name: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// The profile of a manifest.
pub(in crate::spoc) fn manifest(text: &str) -> Result<Reading> {
    let document = document(text)?;
    match kind(&document)? {
        ProfileKind::Seccomp => of::<SeccompProfileSpec>(text, &document),
        ProfileKind::Selinux => of::<SelinuxProfileSpec>(text, &document),
        ProfileKind::RawSelinux => of::<RawSelinuxProfileSpec>(text, &document),
        ProfileKind::AppArmor => of::<AppArmorProfileSpec>(text, &document),
    }
}

/// The one document of a file.
pub(super) fn document(text: &str) -> Result<Value> {
    let mut documents = crate::yaml::documents(text).map_err(|error| anyhow!("it is no YAML: {error}"))?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document),
        (None, _) => bail!("there is no document in it; a file has one profile"),
        (Some(_), false) => bail!("there are several documents in it; a file has one profile"),
    }
}

fn kind(document: &Value) -> Result<ProfileKind> {
    let kind = match &document["kind"] {
        Value::Null => bail!(
            "it has no kind; a manifest has one, such as `kind: SeccompProfile`, and a raw seccomp profile has a name that ends in .json, and `defaultAction`"
        ),
        Value::String(kind) => kind,
        other => bail!("kind is {other}, and must be that of a profile, such as SeccompProfile"),
    };
    ProfileKind::from_kind(kind)
        .with_context(|| format!("kind is {kind:?}, which is no profile; it must be one, such as SeccompProfile"))
}

fn of<S: Spec + DeserializeOwned + Serialize>(text: &str, document: &Value) -> Result<Reading> {
    // Read from the text once more, so that what is wrong is shown at its place.
    let Manifest::<S> { metadata, spec } =
        crate::yaml::document(text).map_err(|error| anyhow!("it is no valid {}: {error}", S::KIND))?;
    let ignored = ignored(&document["spec"], &serde_json::to_value(&spec)?, &FieldPath::new("spec"));
    let name: ProfileName = metadata.name.parse().context("metadata.name")?;
    let profile = spo_lsm::parse(name, &spec).map_err(|violations| anyhow!(listed(&violations)))?;
    let ignored = ignored
        .into_iter()
        .map(|field| format!("{field} is no field of kind {}: ignored; correct its name, or remove it", S::KIND))
        .collect();
    let labels = metadata.labels.unwrap_or_default();
    Ok(Reading {
        profile,
        metadata: Metadata { labels, annotations: metadata.annotations.unwrap_or_default() },
        ignored,
    })
}

/// The fields that were given and not understood: mostly, names that are misspelt.
fn ignored(given: &Value, understood: &Value, path: &FieldPath) -> Vec<FieldPath> {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => given
            .iter()
            .filter(|(_, value)| !value.is_null())
            .flat_map(|(field, value)| match understood.get(field) {
                Some(understood) => ignored(value, understood, &path.child(field)),
                None => vec![path.child(field)],
            })
            .collect(),
        (Value::Array(given), Value::Array(understood)) => given
            .iter()
            .zip(understood)
            .enumerate()
            .flat_map(|(index, (given, understood))| ignored(given, understood, &path.index(index)))
            .collect(),
        _ => Vec::new(),
    }
}

/// All that is wrong, so that a manifest is mended once.
fn listed(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use spo_lsm::Profile;

    use super::*;

    const GOOD: &str = "\
apiVersion: security-profiles-operator.x-k8s.io/v9
kind: SeccompProfile
metadata: {name: mine, labels: {a: b}}
surprise: {nested: [1, 2]}
spec:
  defaultAction: SCMP_ACT_ERRNO
  unknownField: true
  syscalls:
  - {names: [read], action: SCMP_ACT_ALLOW, comment: why}
";

    #[test]
    fn api_version_and_unknown_fields_are_ignored() {
        let read = manifest(GOOD).unwrap();
        assert_eq!(read.profile.name().as_str(), "mine");
        assert_eq!(read.metadata.labels["a"], "b");
        let Profile::Seccomp(profile) = read.profile else { panic!("{read:?}") };
        assert_eq!(profile.entries()[0].names(), ["read"]);
    }

    #[test]
    fn json_is_yaml() {
        let json =
            r#"{"kind": "SeccompProfile", "metadata": {"name": "j"}, "spec": {"defaultAction": "SCMP_ACT_LOG"}}"#;
        assert_eq!(manifest(json).unwrap().profile.name().as_str(), "j");
    }

    #[rstest]
    #[case("apiVersion: v1\nmetadata: {name: x}", "no kind")]
    #[case("kind: Pod", "\"Pod\", which is no profile")]
    #[case("kind: AppArmorProfile", "no valid AppArmorProfile")]
    #[case("kind: RawSelinuxProfile\nmetadata: {name: x}\nspec: {policy: '(user x)'}", "spec.policy")]
    #[case("kind: SeccompProfile\nmetadata: {name: x}", "spec")]
    #[case("kind: SeccompProfile\nmetadata: {}\nspec: {defaultAction: SCMP_ACT_LOG}", "name")]
    #[case("kind: SeccompProfile\nmetadata: {name: x}\nspec: {defaultAction: SCMP_ACT_MAYBE}", "SCMP_ACT_MAYBE")]
    #[case("kind: SeccompProfile\nmetadata: {name: ../x}\nspec: {defaultAction: SCMP_ACT_LOG}", "metadata.name: ")]
    #[case("kind: [SeccompProfile]", "must be that of a profile")]
    #[case("kind: [unclosed", "no YAML")]
    #[case("", "no document")]
    #[case("# nothing", "no document")]
    #[case("just text", "no kind")]
    fn what_is_wrong_is_named(#[case] text: &str, #[case] expected: &str) {
        let message = format!("{:#}", manifest(text).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn a_second_document_is_refused() {
        let message = format!("{:#}", manifest(&format!("{GOOD}---\n{GOOD}")).unwrap_err());
        assert!(message.contains("several documents"), "{message}");
    }

    #[test]
    fn ignored_fields_are_found_by_their_path() {
        let document: Value = serde_saphyr::from_str(GOOD).unwrap();
        let read: Manifest<SeccompProfileSpec> = serde_saphyr::from_str(GOOD).unwrap();
        let ignored = ignored(&document["spec"], &serde_json::to_value(&read.spec).unwrap(), &FieldPath::new("spec"));
        let paths: Vec<String> = ignored.iter().map(FieldPath::to_string).collect();
        assert_eq!(paths, ["spec.syscalls[0].comment", "spec.unknownField"]);
    }
}
