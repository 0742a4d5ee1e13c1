//! Profile files: manifests in YAML or JSON, or what a container runtime or a module of the kernel reads.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use spo_lsm::{Profile, seccomp};

use super::log;

mod manifest;
mod raw;

pub(super) use manifest::manifest;

/// A profile that was read, and the form it had.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProfileFile<P = Profile> {
    /// What it says. A raw profile has no name of an object, so that of the file or of the program stands for it.
    pub(super) profile: P,
    /// The form, for advice on how to amend it.
    pub(super) form: Form,
    /// What the object says about itself.
    pub(super) metadata: Metadata,
}

/// The two forms of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A manifest.
    Manifest,
    /// What a container runtime reads, or a module of the kernel.
    Raw,
}

/// What of an object's metadata is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// What was read of a text, and what of it was not understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) profile: Profile,
    pub(super) metadata: Metadata,
    pub(super) ignored: Vec<String>,
}

/// No profile is larger: etcd takes no object above 1.5 MiB.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

impl ProfileFile<seccomp::Profile> {
    /// Reads a seccomp profile from a file whose name decides the form: `.json` is raw.
    pub(super) fn read_seccomp(path: &Path) -> Result<Self> {
        let is_raw = path.extension().is_some_and(|extension| extension == "json");
        let ProfileFile { profile, form, metadata } = ProfileFile::read_as(path, |text| match is_raw {
            true => Ok((raw::seccomp(text, path)?, Form::Raw)),
            false => Ok((manifest(text)?, Form::Manifest)),
        })?;
        let Profile::Seccomp(profile) = profile else {
            bail!("profile {}: it is a {}, and a SeccompProfile is wanted here", path.display(), profile.kind());
        };
        Ok(Self { profile, form, metadata })
    }
}

impl ProfileFile {
    /// Reads a profile of any kind and form; what it is, its text tells.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Self::read_as(path, |text| match raw::read(text, path) {
            Some(read) => Ok((read?, Form::Raw)),
            None => Ok((manifest(text)?, Form::Manifest)),
        })
    }

    fn read_as(path: &Path, parse: impl FnOnce(&str) -> Result<(Reading, Form)>) -> Result<Self> {
        let text = text_of(path).with_context(|| format!("cannot read profile {}", path.display()))?;
        let (Reading { profile, metadata, ignored }, form) =
            parse(&text).with_context(|| format!("profile {}", path.display()))?;
        for ignored in ignored {
            log::line(format_args!("Profile {}: {ignored}", path.display()));
        }
        for warning in profile.warnings() {
            log::line(format_args!("Profile {}: {warning}", path.display()));
        }
        if let (Form::Manifest, Profile::Seccomp(profile)) = (form, &profile)
            && profile.base().is_some()
        {
            log::line(format_args!("Profile {}: spec.baseProfileName is not resolved here", path.display()));
        }
        Ok(Self { profile, form, metadata })
    }
}

fn text_of(path: &Path) -> Result<String> {
    let mut text = String::new();
    let limit = MAX_BYTES + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    }
    if text.len() as u64 > MAX_BYTES {
        bail!("it has more than {MAX_BYTES} bytes, which no profile has");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_file_is_named() {
        for path in ["/no/such/profile.yaml", "/no/such/profile.json", "/proc"] {
            let message = format!("{:#}", ProfileFile::read_seccomp(Path::new(path)).unwrap_err());
            assert!(message.starts_with(&format!("cannot read profile {path}: ")), "{message}");
        }
    }
}
