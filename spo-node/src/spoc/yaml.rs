//! The manifest of a profile, as YAML.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::{GROUP, ProfileName, STORED_VERSION};
use spo_lsm::{Profile, Spec, apparmor, seccomp, selinux};

use super::file::Metadata;

/// An object of the API, in the order in which people write one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a, S> {
    api_version: String,
    kind: &'static str,
    metadata: ObjectMeta<'a>,
    spec: &'a S,
}

#[derive(Serialize)]
struct ObjectMeta<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// The manifest of a profile of this name and spec.
pub(super) fn manifest<S: Spec + Serialize>(name: &ProfileName, metadata: &Metadata, spec: &S) -> Result<String> {
    let Metadata { labels, annotations } = metadata;
    let manifest = Manifest {
        api_version: format!("{GROUP}/{STORED_VERSION}"),
        kind: S::KIND.as_str(),
        metadata: ObjectMeta { name: name.as_str(), labels, annotations },
        spec,
    };
    serde_saphyr::to_string(&manifest).context("cannot write the profile as YAML")
}

/// The manifest of a profile.
pub(super) fn of_profile(name: &ProfileName, metadata: &Metadata, profile: &Profile) -> Result<String> {
    match profile {
        Profile::Seccomp(profile) => manifest(name, metadata, &seccomp::to_spec(profile)?),
        Profile::Selinux(profile) => manifest(name, metadata, &selinux::to_spec(profile)),
        Profile::RawSelinux(profile) => {
            let spec = RawSelinuxProfileSpec { state: profile.state(), policy: Some(profile.text().to_owned()) };
            manifest(name, metadata, &spec)
        }
        Profile::AppArmor(profile) => manifest(name, metadata, &apparmor::to_spec(profile)),
    }
}

/// The name of an object for a program called `base_name`: that name, with what no object's name may have replaced.
pub(super) fn object_name(base_name: &str) -> Result<ProfileName> {
    if let Ok(name) = base_name.parse() {
        return Ok(name);
    }
    let lower = base_name.to_lowercase();
    let valid = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
    let mut parts: Vec<String> = lower
        .split('.')
        .map(|part| part.chars().map(valid).collect::<String>().trim_matches('-').to_owned())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        parts.push("profile".to_owned());
    }
    let name = parts.join(".");
    name[..name.len().min(253)]
        .trim_end_matches(['-', '.'])
        .parse()
        .with_context(|| format!("no object can be named after {base_name:?}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use spo_api::seccomp::Action;
    use spo_api::seccomp::v1::{SeccompProfile, SeccompProfileSpec, Syscall};

    use super::*;

    #[rstest]
    #[case("ls", "ls")]
    #[case("python3.11", "python3.11")]
    #[case("My_Program", "my-program")]
    #[case("[", "profile")]
    #[case("..", "profile")]
    #[case("-a-.-.b", "a.b")]
    #[case("größe", "gr--e")]
    fn an_object_is_named_after_its_program(#[case] base_name: &str, #[case] expected: &str) {
        assert_eq!(object_name(base_name).unwrap().as_str(), expected);
        assert_eq!(object_name(&"ü".repeat(300)).unwrap().as_str(), "profile");
    }

    #[test]
    fn a_manifest_reads_as_people_write_it() {
        let spec = SeccompProfileSpec {
            state: None,
            base_profile_name: None,
            default_action: Action::Errno,
            architectures: None,
            listener_path: None,
            listener_metadata: None,
            syscalls: Some(vec![Syscall {
                names: vec!["close".into(), "read".into()],
                action: Action::Allow,
                errno_ret: None,
                args: None,
            }]),
            flags: None,
        };
        let annotations = BTreeMap::from([("spo.x-k8s.io/completeness".to_owned(), r#"{"complete":true}"#.to_owned())]);
        let metadata = Metadata { annotations, ..Metadata::default() };
        let text = manifest(&"true".parse().unwrap(), &metadata, &spec).unwrap();
        let back: SeccompProfile = serde_saphyr::from_str(&text).unwrap();
        assert_eq!((back.metadata.name.as_deref(), back.spec), (Some("true"), spec));
        assert!(
            text.starts_with("apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\n"),
            "{text}"
        );
        assert!(!text.contains("status"), "{text}");
    }
}
