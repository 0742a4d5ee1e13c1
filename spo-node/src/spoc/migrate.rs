//! `spoc migrate`: manifests of any release, written anew as `v1`, with a report of what changed.
//!
//! What changes is decided by `spo-convert`, as it is for stored objects. This is about files: objects of other APIs and documents
//! without a change keep their text, what only an API server writes is left out, and either everything is written or nothing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use document::{Rewritten, rewrite};
use object::{Migrated, Outcome};

use super::args::Migrate;
use super::log;
use super::output::Output;

mod change;
mod document;
mod object;
mod tree;

/// The mode of a new file.
const MODE: u32 = 0o644;
/// No file is larger. A cluster's profiles fit into it.
const MAX_BYTES: u64 = 256 << 20;

/// A file, and what it became.
struct Manifests {
    path: PathBuf,
    text: String,
    rewritten: Rewritten,
}

/// Migrates files.
pub(super) fn migrate(args: &Migrate) -> Result<()> {
    let writes_to_stdout = !args.check && !args.in_place && is_stdout(&args.output_file);
    ensure!(
        !(args.json && writes_to_stdout),
        "--json and the manifests both go to standard output: add --output-file FILE, --in-place or --check"
    );
    let files = args.files.iter().map(|path| Manifests::read(path)).collect::<Result<Vec<_>>>()?;
    refuse(&files)?;
    report(&files, args.json)?;
    let (changed, all) = (count(&files, Migrated::is_changed), count(&files, |_| true));
    if args.check {
        ensure!(changed == 0, "{changed} of {all} objects would change: run spoc migrate --in-place");
        return Ok(());
    }
    if args.in_place {
        write_back(&files)?
    } else {
        write_to(&args.output_file, &files)?
    }
    if files.iter().any(|file| file.rewritten.loses_comments) {
        log::line("Comments in the documents that changed are gone");
    }
    log::line(format_args!("Migrated {changed} of {all} objects"));
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

impl Manifests {
    fn read(path: &Path) -> Result<Self> {
        let text = text_of(path).with_context(|| format!("cannot read {}", path.display()))?;
        let rewritten = rewrite(&text).with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), text, rewritten })
    }

    /// The objects of this API.
    fn migrated(&self) -> impl Iterator<Item = &Migrated> {
        self.rewritten.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Migrated(migrated) => Some(migrated),
            Outcome::Foreign | Outcome::Refused(_) => None,
        })
    }
}

fn text_of(path: &Path) -> Result<String> {
    let mut text = String::new();
    let bytes = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text)?
    } else {
        std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?
    };
    ensure!(bytes as u64 <= MAX_BYTES, "it has more than {} MiB: split it", MAX_BYTES >> 20);
    Ok(text)
}

fn count(files: &[Manifests], counts: impl Fn(&Migrated) -> bool) -> usize {
    files.iter().flat_map(Manifests::migrated).filter(|migrated| counts(migrated)).count()
}

/// Names everything that cannot be migrated.
fn refuse(files: &[Manifests]) -> Result<()> {
    let mut reasons = Vec::new();
    for file in files {
        for outcome in &file.rewritten.outcomes {
            if let Outcome::Refused(reason) = outcome {
                reasons.push(format!("{}: {reason}", file.path.display()));
            }
        }
    }
    reasons.extend(collisions(files));
    if reasons.is_empty() {
        return Ok(());
    }
    for reason in &reasons {
        log::plain(reason);
    }
    bail!("nothing was written: {} of the objects cannot be migrated, as said above", reasons.len())
}

/// Profiles that were told apart by their namespace, and now have none.
fn collisions(files: &[Manifests]) -> Vec<String> {
    let mut places: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for file in files {
        for Migrated { kind, name, namespace, .. } in file.migrated().filter(|migrated| !migrated.kind.is_namespaced())
        {
            let namespace =
                namespace.as_deref().map_or_else(|| "no namespace".to_owned(), |name| format!("namespace {name}"));
            let place = format!("{namespace} ({})", file.path.display());
            places.entry((*kind, name)).or_default().push(place);
        }
    }
    let twice = places.into_iter().filter(|((_, name), places)| places.len() > 1 && !name.is_empty());
    twice
        .map(|((kind, name), places)| {
            format!(
                "{kind} {name:?} is in {}: profiles belong to the whole cluster, so give all but one of them another name, also \
                 where pods and bindings name them",
                places.join(" and in ")
            )
        })
        .collect()
}

fn report(files: &[Manifests], as_json: bool) -> Result<()> {
    if as_json {
        let objects = files.iter().flat_map(|file| file.migrated().map(|migrated| (&file.path, migrated)));
        let mut out = std::io::stdout().lock();
        for (path, migrated) in objects {
            let mut line = migrated.report();
            line["file"] = path.display().to_string().into();
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    for file in files {
        for migrated in file.migrated().filter(|migrated| migrated.is_changed()) {
            log::plain(format_args!("{}: {}", file.path.display(), migrated.title()));
            for change in &migrated.changes {
                log::plain(format_args!("  {change}"));
            }
        }
    }
    Ok(())
}

/// Writes back what changed, each file with the mode that it has.
fn write_back(files: &[Manifests]) -> Result<()> {
    let changed = files.iter().filter(|file| file.rewritten.text != file.text);
    let prepared = changed.map(|file| {
        ensure!(file.path != Path::new("-"), "standard input cannot be written back: name an --output-file");
        let mode = file.path.metadata().map_or(MODE, |about| about.permissions().mode() & 0o7777);
        Ok((Output::prepare(&file.path, mode)?, &file.rewritten.text))
    });
    let prepared = prepared.collect::<Result<Vec<_>>>()?;
    prepared.into_iter().try_for_each(|(output, text)| output.write(text.as_bytes()))
}

/// Writes all files one after another.
fn write_to(path: &Path, files: &[Manifests]) -> Result<()> {
    let output = Output::prepare(path, MODE)?;
    let mut whole = String::new();
    for file in files {
        let text = &file.rewritten.text;
        if !whole.is_empty() && !text.starts_with("---") {
            whole += "---\n";
        }
        whole += text;
        if !whole.ends_with('\n') {
            whole.push('\n');
        }
    }
    output.write(whole.as_bytes())
}
