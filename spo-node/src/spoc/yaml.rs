//! The manifest of a profile, as YAML.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use spo_api::ProfileName;
use spo_api::seccomp::v1::{SeccompProfile, SeccompProfileSpec};

/// A SeccompProfile of this name and spec.
pub(super) fn manifest(
    name: &ProfileName,
    annotations: BTreeMap<String, String>,
    spec: SeccompProfileSpec,
) -> Result<String> {
    let mut profile = SeccompProfile::new(name.as_str(), spec);
    profile.metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    serde_saphyr::to_string(&profile).context("cannot write the profile as YAML")
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
    use spo_api::seccomp::v1::Syscall;

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
        let text = manifest(&"true".parse().unwrap(), annotations, spec.clone()).unwrap();
        let back: SeccompProfile = serde_saphyr::from_str(&text).unwrap();
        assert_eq!((back.metadata.name.as_deref(), back.spec), (Some("true"), spec));
        assert!(
            text.starts_with("apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\n"),
            "{text}"
        );
        assert!(!text.contains("status"), "{text}");
    }
}
