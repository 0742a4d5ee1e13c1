//! What is written beside the object: what it is, and what it was made from and by.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{shared, sources};
use crate::run::root;

/// The record of an object.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Of the object.
    pub(super) sha256: String,
    /// Of the sources: each file's path and contents, in the order of the paths.
    pub(super) sources: String,
    pub(super) toolchain: Versions,
}

/// What decides about the bytes, beside the sources.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Versions {
    pub(super) rustc: String,
    pub(super) llvm: String,
    pub(super) linker: String,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, LLVM {}, {}", self.rustc, self.llvm, self.linker)
    }
}

impl Record {
    pub(super) fn of(object: &[u8], toolchain: Versions) -> Result<Self> {
        Ok(Self { sha256: hex::encode(Sha256::digest(object)), sources: digest_of_sources()?, toolchain })
    }

    /// The committed one.
    pub(super) fn read() -> Result<Self> {
        let path = path();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not as `cargo xtask bpf` writes it", path.display()))
    }

    pub(super) fn write(&self) -> Result<()> {
        let path = path();
        let text = serde_json::to_string_pretty(self).context("a record is plain data")? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn path() -> PathBuf {
    root().join("spo-recorder/src/bpf/recorder.json")
}

/// The hash of everything that the object is made from.
pub(super) fn digest_of_sources() -> Result<String> {
    let mut files = vec![root().join(shared())];
    for name in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        files.push(sources().join(name));
    }
    files.extend(rust_files(&sources().join("src"))?);
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let contents = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root()).unwrap_or(&file).to_string_lossy().into_owned();
        hash.update(format!("{name}\0{}\0", contents.len()));
        hash.update(contents);
    }
    Ok(hex::encode(hash.finalize()))
}

fn rust_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect())
}
