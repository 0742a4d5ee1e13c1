//! Profiles as container runtimes and modules of the kernel read them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spo_lsm::{Profile, apparmor, seccomp, selinux};

use super::super::yaml;
use super::{Metadata, Reading};

/// The profile of a text that is no manifest; none if it looks like one, or like nothing that is known.
pub(super) fn read(text: &str, path: &Path) -> Option<Result<Reading>> {
    match super::manifest::document(text) {
        Ok(Value::Object(fields)) => {
            let is_seccomp = !fields.contains_key("kind") && fields.contains_key("defaultAction");
            is_seccomp.then(|| seccomp(text, path))
        }
        _ if is_cil(text) => Some(cil(text)),
        _ if is_apparmor(text) => Some(apparmor(text)),
        _ => None,
    }
}

/// The JSON of the OCI runtime specification. It has no name, so that of the file stands for it.
pub(super) fn seccomp(text: &str, path: &Path) -> Result<Reading> {
    let name = yaml::object_name(&path.file_stem().unwrap_or_default().to_string_lossy())?;
    let profile = seccomp::parse_oci(name, text.as_bytes())
        .context("it is no raw profile (a SeccompProfile needs a name that ends in .yaml)")?;
    Ok(Reading { profile: Profile::Seccomp(profile), metadata: Metadata::default(), ignored: Vec::new() })
}

/// Whether the first thing in a text, after comments, is a list of CIL.
fn is_cil(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with(';'));
    lines.next().is_some_and(|line| line.starts_with('('))
}

fn cil(text: &str) -> Result<Reading> {
    let selinux::Imported { mut profiles, unread } = selinux::from_cil(text.as_bytes(), &BTreeSet::new())?;
    let (Some(profile), true) = (profiles.pop(), profiles.is_empty()) else {
        bail!("it has several blocks; a file has one profile, so give each block a file of its own");
    };
    let ignored = unread.iter().map(ToString::to_string).collect();
    Ok(Reading { profile: Profile::Selinux(profile), metadata: Metadata::default(), ignored })
}

/// Whether the first thing in a text, after comments, is what a text for AppArmor's parser begins with.
fn is_apparmor(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.find(|line| !line.is_empty() && (!line.starts_with('#') || line.starts_with("#include")));
    first.is_some_and(|line| {
        ["profile ", "#include", "include ", "include<", "abi ", "@{", "/", "\"/"]
            .iter()
            .any(|start| line.starts_with(start))
    })
}

fn apparmor(text: &str) -> Result<Reading> {
    let apparmor::Imported { profile, unread, .. } = apparmor::parse_text(text.as_bytes())?;
    let ignored = unread.iter().map(ToString::to_string).collect();
    Ok(Reading { profile: Profile::AppArmor(profile), metadata: Metadata::default(), ignored })
}
