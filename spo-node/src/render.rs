//! `spo-node render`: what would be installed, written to a folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;
use spo_api::{AdminState, ProfileKey, Violation};
use spo_lsm::Artifact;

use crate::args;
use crate::catalogue::{Catalogue, Entry, Refusal};
use crate::manifest::{self, Manifest, Object, Unreadable, Unusable};
use crate::source::{Change, Desired, ObjectRef, Permitted, Want};
use crate::status::chain;
use crate::sync;

/// What came of some manifests.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    written: Vec<Written>,
    /// Switched off, or waiting to be merged: not wrong, but not installed.
    skipped: Vec<Skipped>,
    refused: Vec<Refused>,
}

/// A profile that is not installed, and is not meant to be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Skipped {
    profile: String,
    reason: String,
}

/// A profile that was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    profile: String,
    file: PathBuf,
    /// What its author should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// What cannot be installed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    file: String,
    /// The profile, or what else the object calls itself; none where the file cannot be read at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    reasons: Vec<String>,
}

/// Writes what would be installed for the manifests of a folder.
///
/// # Errors
/// The folder cannot be read, or the other not be written. A refused profile is none: it gives the exit status 1.
pub fn render(settings: &args::Render) -> Result<ExitCode> {
    let mut outcome = Outcome::default();
    let mut input = Input::default();
    for path in files(&settings.input)? {
        input.read(&path, &mut outcome.refused);
    }
    if let Some(permitted) = input.permitted.take() {
        input.catalogue.permit(permitted);
    }
    std::fs::create_dir_all(&settings.output)
        .with_context(|| format!("cannot make the folder {}", settings.output.display()))?;
    for (key, entry) in input.catalogue.iter() {
        let file = input.files.get(key).and_then(|files| files.first()).cloned().unwrap_or_default();
        if let Some(standing) = sync::absence(entry) {
            outcome.skipped.push(Skipped { profile: key.to_string(), reason: standing.message(key) });
            continue;
        }
        match input.made(key, entry) {
            Ok((artifact, warnings)) => outcome.written.push(write(&settings.output, &artifact, &warnings)?),
            Err(why) => outcome.refused.push(Refused { file, object: Some(key.to_string()), reasons: reasons(&why) }),
        }
    }
    outcome.refused.sort_by(|a, b| (&a.file, &a.object).cmp(&(&b.file, &b.object)));
    tell(&outcome, settings.json)?;
    Ok(if outcome.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The manifests of a folder in the order of their names, or the one file.
fn files(input: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}; pass a folder of manifests, or a manifest", input.display());
    if !input.metadata().with_context(cannot)?.is_dir() {
        return Ok(vec![input.to_owned()]);
    }
    let entries = std::fs::read_dir(input).with_context(cannot)?.collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    let mut files: Vec<PathBuf> =
        entries.iter().filter(|entry| manifest::is_manifest(&entry.file_name())).map(std::fs::DirEntry::path).collect();
    files.sort();
    Ok(files)
}

/// What was read.
#[derive(Default)]
struct Input {
    catalogue: Catalogue,
    /// Which files each profile stands in.
    files: BTreeMap<ProfileKey, Vec<String>>,
    /// What the first configuration permits.
    permitted: Option<Permitted>,
}

impl Input {
    fn read(&mut self, path: &Path, refused: &mut Vec<Refused>) {
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut refuse = |object: Option<String>, reason: String| {
            refused.push(Refused { file: file.clone(), object, reasons: vec![reason] });
        };
        let objects = match manifest::load(path) {
            Ok(objects) => objects,
            Err(error) => {
                let reason = chain(&error);
                if let Unreadable::Configuration(_) = error {
                    self.permitted.get_or_insert(Err(format!("{file}: {reason}")));
                }
                return refuse(None, reason);
            }
        };
        let mut changed = Vec::new();
        for object in objects {
            match object {
                Object::Configuration(policy) => _ = self.permitted.get_or_insert(Ok(policy)),
                Object::Unusable(Unusable { object, violation, is_configuration }) => {
                    if is_configuration {
                        self.permitted.get_or_insert(Err(format!("{file}: {object}: {violation}")));
                    }
                    refuse(Some(object), violation.to_string());
                }
                Object::Profile(manifest) => {
                    let files = self.files.entry(manifest.key.clone()).or_default();
                    if files.last() == Some(&file) {
                        refuse(Some(manifest.key.to_string()), manifest::TWICE.to_owned());
                        continue;
                    }
                    files.push(file.clone());
                    changed.push(if files.len() > 1 { in_several(*manifest, files) } else { desired(*manifest) });
                }
            }
        }
        self.catalogue.change(Change::Some { changed, gone: Vec::new() });
    }

    /// What is installed of a profile, with what its author should know.
    fn made(&self, key: &ProfileKey, entry: &Entry) -> Result<(Artifact, Vec<Violation>), Refusal> {
        let fit = entry.verdict.clone()?;
        let (_, artifact) = self.catalogue.build(key).ok_or(Refusal::Invalid(Vec::new()))?;
        Ok((artifact, fit.warnings))
    }
}

fn desired(manifest: Manifest) -> Desired {
    Desired {
        key: manifest.key,
        generation: 1,
        profile: manifest.profile,
        admin: manifest.admin,
        partial: manifest.partial,
        want: Want::Keep,
        object: ObjectRef { api_version: manifest.api_version, uid: None },
    }
}

/// A profile that nobody knows which file to take of: none of them counts, as for a daemon.
fn in_several(manifest: Manifest, files: &[String]) -> Desired {
    let profile = Err(vec![manifest::in_several(files)]);
    Desired { profile, admin: AdminState::Enabled, partial: false, ..desired(manifest) }
}

fn reasons(why: &Refusal) -> Vec<String> {
    match why {
        Refusal::Invalid(violations) => violations.iter().map(Violation::to_string).collect(),
        Refusal::Base(_) | Refusal::Unknown(_) | Refusal::NotPermitted(_) | Refusal::Twin(_) => vec![why.to_string()],
    }
}

fn write(folder: &Path, artifact: &Artifact, warnings: &[Violation]) -> Result<Written> {
    let file = folder.join(artifact.export_name());
    std::fs::write(&file, &artifact.bytes).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Written {
        profile: artifact.key.to_string(),
        file,
        warnings: warnings.iter().map(Violation::to_string).collect(),
    })
}

fn tell(outcome: &Outcome, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(outcome)?)?;
        return Ok(());
    }
    let mut complaints = std::io::stderr().lock();
    for written in &outcome.written {
        writeln!(out, "{} -> {}", written.profile, written.file.display())?;
        for warning in &written.warnings {
            writeln!(complaints, "  please look at {warning}")?;
        }
    }
    for skipped in &outcome.skipped {
        writeln!(out, "{} is not installed: {}", skipped.profile, skipped.reason)?;
    }
    for refused in &outcome.refused {
        let object = refused.object.as_deref().map(|object| format!(": {object}")).unwrap_or_default();
        writeln!(complaints, "refused {}{object}", refused.file)?;
        for reason in &refused.reasons {
            writeln!(complaints, "  {reason}")?;
        }
    }
    Ok(())
}
