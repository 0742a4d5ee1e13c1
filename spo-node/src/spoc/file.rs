//! Profile files: a manifest in YAML or JSON, or the raw JSON of the OCI runtime specification.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::{FieldPath, ProfileKind, ProfileName, Violation};
use spo_lsm::seccomp::{self, Profile};

use super::{log, yaml};

/// A seccomp profile that was read, and the form it had.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProfileFile {
    /// What it says. A raw profile has no name, so that of the file stands for it.
    pub(super) profile: Profile,
    /// The form, for advice on how to amend it.
    pub(super) form: Form,
}

/// The two forms of a seccomp profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A manifest of kind SeccompProfile.
    Manifest,
    /// What a container runtime reads.
    Raw,
}

/// No profile is larger: etcd takes no object above 1.5 MiB.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

impl ProfileFile {
    /// Reads a file whose name decides the form: `.json` is raw.
    pub(super) fn read_either(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "json") {
            return Self::read(path, Form::Raw);
        }
        Self::read_manifest(path)
    }

    /// Reads a manifest.
    pub(super) fn read_manifest(path: &Path) -> Result<Self> {
        Self::read(path, Form::Manifest)
    }

    fn read(path: &Path, form: Form) -> Result<Self> {
        let text = text_of(path).with_context(|| format!("cannot read profile {}", path.display()))?;
        let parsed = match form {
            Form::Manifest => manifest(&text),
            Form::Raw => raw_profile(&text, path).map(|profile| (profile, Vec::new())),
        };
        let (profile, ignored) = parsed.with_context(|| format!("profile {}", path.display()))?;
        for field in ignored {
            log::line(format_args!("{field} is no field of a SeccompProfile: ignored"));
        }
        for warning in profile.warnings() {
            log::line(format_args!("Profile {}: {warning}", path.display()));
        }
        if let (Form::Manifest, Some(_)) = (form, profile.base()) {
            log::line(format_args!("Profile {}: spec.baseProfileName is not resolved here", path.display()));
        }
        Ok(Self { profile, form })
    }
}

fn text_of(path: &Path) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        bail!("it has more than {MAX_BYTES} bytes, which no profile has");
    }
    Ok(text)
}

/// What of a manifest is read. Of the API version nothing is: the spec has been the same in all.
#[derive(Deserialize)]
struct Manifest {
    metadata: Metadata,
    spec: SeccompProfileSpec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

/// The profile of a manifest, and the fields that it has beyond those of a SeccompProfile.
pub(super) fn manifest(text: &str) -> Result<(Profile, Vec<FieldPath>)> {
    let mut documents = crate::yaml::documents(text).map_err(|error| anyhow!("it is no YAML: {error}"))?;
    let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
        bail!(
            "it has not one document, but {}; a file has one profile",
            if text.trim().is_empty() { "none" } else { "several" }
        );
    };
    check_kind(&document)?;
    // Read from the text once more, so that what is wrong is shown at its place.
    let Manifest { metadata, spec } =
        crate::yaml::document(text).map_err(|error| anyhow!("it is no valid SeccompProfile: {error}"))?;
    let ignored = ignored(&document["spec"], &serde_json::to_value(&spec)?, &FieldPath::new("spec"));
    let name: ProfileName = metadata.name.parse().context("metadata.name")?;
    let profile = seccomp::parse(name, &spec).map_err(|violations| anyhow!(listed(&violations)))?;
    Ok((profile, ignored))
}

fn check_kind(document: &Value) -> Result<()> {
    let kind = match &document["kind"] {
        Value::Null => bail!(
            "it has no kind; a seccomp profile has `kind: SeccompProfile` (a raw profile needs a name that ends in .json)"
        ),
        Value::String(kind) => kind,
        other => bail!("kind is {other}, and must be SeccompProfile"),
    };
    match ProfileKind::from_kind(kind) {
        Some(ProfileKind::Seccomp) => Ok(()),
        Some(ProfileKind::Selinux | ProfileKind::RawSelinux | ProfileKind::AppArmor) => {
            bail!("kind is {kind}: this version of spoc handles SeccompProfile only")
        }
        None => bail!("kind is {kind:?}, which is no profile; it must be SeccompProfile"),
    }
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

fn raw_profile(text: &str, path: &Path) -> Result<Profile> {
    let name = yaml::object_name(&path.file_stem().unwrap_or_default().to_string_lossy())?;
    seccomp::parse_oci(name, text.as_bytes())
        .context("it is no raw profile (a SeccompProfile needs a name that ends in .yaml)")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

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
        let (profile, _) = manifest(GOOD).unwrap();
        assert_eq!(profile.name().as_str(), "mine");
        assert_eq!(profile.entries()[0].names(), ["read"]);
    }

    #[test]
    fn json_is_yaml() {
        let json =
            r#"{"kind": "SeccompProfile", "metadata": {"name": "j"}, "spec": {"defaultAction": "SCMP_ACT_LOG"}}"#;
        assert_eq!(manifest(json).unwrap().0.name().as_str(), "j");
    }

    #[rstest]
    #[case("apiVersion: v1\nmetadata: {name: x}", "no kind")]
    #[case("kind: Pod", "\"Pod\", which is no profile")]
    #[case("kind: AppArmorProfile", "handles SeccompProfile only")]
    #[case("kind: SeccompProfile\nmetadata: {name: x}", "spec")]
    #[case("kind: SeccompProfile\nmetadata: {}\nspec: {defaultAction: SCMP_ACT_LOG}", "name")]
    #[case("kind: SeccompProfile\nmetadata: {name: x}\nspec: {defaultAction: SCMP_ACT_MAYBE}", "SCMP_ACT_MAYBE")]
    #[case("kind: SeccompProfile\nmetadata: {name: ../x}\nspec: {defaultAction: SCMP_ACT_LOG}", "metadata.name: ")]
    #[case("kind: [SeccompProfile]", "must be SeccompProfile")]
    #[case("kind: [unclosed", "no YAML")]
    #[case("", "not one document, but none")]
    #[case("# nothing", "not one document")]
    #[case("just text", "no kind")]
    fn what_is_wrong_is_named(#[case] text: &str, #[case] expected: &str) {
        let message = format!("{:#}", manifest(text).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn a_second_document_is_refused() {
        let message = format!("{:#}", manifest(&format!("{GOOD}---\n{GOOD}")).unwrap_err());
        assert!(message.contains("not one document, but several"), "{message}");
    }

    #[test]
    fn ignored_fields_are_found_by_their_path() {
        let document: Value = serde_saphyr::from_str(GOOD).unwrap();
        let read: Manifest = serde_saphyr::from_str(GOOD).unwrap();
        let ignored = ignored(&document["spec"], &serde_json::to_value(&read.spec).unwrap(), &FieldPath::new("spec"));
        let paths: Vec<String> = ignored.iter().map(FieldPath::to_string).collect();
        assert_eq!(paths, ["spec.syscalls[0].comment", "spec.unknownField"]);
    }

    #[test]
    fn an_unreadable_file_is_named() {
        for path in ["/no/such/profile.yaml", "/no/such/profile.json", "/proc"] {
            let message = format!("{:#}", ProfileFile::read_either(Path::new(path)).unwrap_err());
            assert!(message.starts_with(&format!("cannot read profile {path}: ")), "{message}");
        }
    }
}
