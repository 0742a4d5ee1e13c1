//! Profiles as objects of the API, in YAML or JSON.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{GROUP, ProfileKind, ProfileName, Violation};
use spo_lsm::Spec;

use super::{Metadata, Reading};
use crate::manifest;

/// What of an object's metadata is read.
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
    let kind = kind(&document)?;
    let Value::Object(fields) = document else {
        bail!("it is no object; a manifest has apiVersion, kind, metadata and spec")
    };
    let fields = in_v1(kind, fields)?;
    match kind {
        ProfileKind::Seccomp => of::<SeccompProfileSpec>(fields),
        ProfileKind::Selinux => of::<SelinuxProfileSpec>(fields),
        ProfileKind::RawSelinux => of::<RawSelinuxProfileSpec>(fields),
        ProfileKind::AppArmor => of::<AppArmorProfileSpec>(fields),
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

/// The fields of an object as `v1` has them. Of a version that nobody knows they are taken for that.
fn in_v1(kind: ProfileKind, fields: Map<String, Value>) -> Result<Map<String, Value>> {
    let version = fields
        .get("apiVersion")
        .and_then(Value::as_str)
        .and_then(|version| version.strip_prefix(GROUP)?.strip_prefix('/'));
    match kind.kind().versions().into_iter().find(|known| Some(*known) == version) {
        Some(version) => manifest::in_v1(kind.kind(), version, fields).map_err(|violation| anyhow!("{violation}")),
        None => Ok(fields),
    }
}

fn of<S: Spec + DeserializeOwned>(fields: Map<String, Value>) -> Result<Reading> {
    let metadata = fields.get("metadata").cloned().unwrap_or_default();
    let (spec, unknown) = manifest::lenient_spec_of::<S>(fields).map_err(|violations| anyhow!(listed(&violations)))?;
    let ObjectMeta { name, labels, annotations } =
        serde_json::from_value(metadata).map_err(|error| anyhow!("metadata: {error}"))?;
    let name: ProfileName = name.parse().context("metadata.name")?;
    let profile = spo_lsm::parse(name, &spec).map_err(|violations| anyhow!(listed(&violations)))?;
    let ignored = unknown.iter().map(|violation| format!("{violation}; it is ignored")).collect();
    let metadata = Metadata { labels: labels.unwrap_or_default(), annotations: annotations.unwrap_or_default() };
    Ok(Reading { profile, metadata, ignored })
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
    #[case("kind: AppArmorProfile", "metadata: ")]
    #[case(
        "kind: AppArmorProfile\nmetadata: {name: x, labels: {a: true}}\nspec: {}",
        "metadata: invalid type: boolean `true`, expected a string"
    )]
    #[case("kind: RawSelinuxProfile\nmetadata: {name: x}\nspec: {policy: '(user x)'}", "spec.policy")]
    #[case("kind: SeccompProfile\nmetadata: {name: x}", "spec")]
    #[case("kind: SeccompProfile\nmetadata: {}\nspec: {defaultAction: SCMP_ACT_LOG}", "name")]
    #[case(
        "kind: SeccompProfile\nmetadata: {name: x}\nspec: {defaultAction: SCMP_ACT_MAYBE}",
        "spec.defaultAction: \"SCMP_ACT_MAYBE\" is no possible value; one of "
    )]
    #[case(
        "kind: SeccompProfile\nmetadata: {name: x}\nspec: {defaultActoin: SCMP_ACT_LOG}",
        "spec.defaultActoin: unknown field; did you mean defaultAction?"
    )]
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
    fn ignored_fields_are_told_by_their_paths() {
        let mut ignored = manifest(GOOD).unwrap().ignored;
        ignored.sort();
        let begins = [
            "spec.syscalls[0].comment: unknown field; ",
            "spec.unknownField: unknown field; ",
            "surprise: unknown field; ",
        ];
        assert_eq!(ignored.len(), begins.len(), "{ignored:?}");
        assert!(ignored.iter().zip(begins).all(|(line, begin)| line.starts_with(begin)), "{ignored:?}");
    }

    #[test]
    fn an_old_version_says_what_it_says_in_v1() {
        let selinux = |version: &str, mode: &str| {
            let text = format!(
                "apiVersion: {GROUP}/{version}\nkind: SelinuxProfile\nmetadata: {{name: web}}\nspec: {{{mode}}}"
            );
            manifest(&text).unwrap()
        };
        assert_eq!(selinux("v1alpha2", "permissive: true"), selinux("v1", "mode: Permissive"));
    }
}
