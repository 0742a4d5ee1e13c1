//! `cargo xtask bpf`: builds the recorder's kernel side into the object that is committed.
//!
//! Building and testing everything else needs stable Rust only. Who changes `spo-recorder/ebpf` or the layouts that it shares runs this, and
//! commits the object with what is written beside it: its hash, the hash of its sources, and the toolchain. Other versions of the
//! compiler or of the linker give other bytes, so `--check` compares bytes only where the toolchain is that one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::machine::is_root;
use crate::run::{Run, root, say, target};

mod record;
mod toolchain;

use record::Record;
use toolchain::Toolchain;

/// Builds the eBPF object of the recorder and its record: spo-recorder/src/bpf/recorder.o and recorder.json.
///
/// Installs the toolchain where it can: on Debian the packages rustc-web, cargo-web, rust-web-src and llvm-22-dev, elsewhere
/// rustup's rust-src; and bpf-linker.
#[derive(Debug, clap::Args)]
pub(crate) struct Bpf {
    /// Writes nothing; fails if the committed object is not what its sources give.
    #[arg(long)]
    check: bool,
}

impl Bpf {
    /// As `bpf --check`.
    pub(crate) fn checking() -> Self {
        Self { check: true }
    }

    pub(crate) fn run(self) -> Result<()> {
        let toolchain = Toolchain::find()?;
        let object = build(&toolchain)?;
        let record = Record::of(&object, toolchain.versions()?)?;
        if self.check { check(&object, &record) } else { write(&object, &record) }
    }
}

/// Where the kernel side is.
fn sources() -> PathBuf {
    root().join("spo-recorder/ebpf")
}

/// The committed object.
fn committed() -> PathBuf {
    root().join("spo-recorder/src/bpf/recorder.o")
}

/// Builds the object and strips it.
fn build(toolchain: &Toolchain) -> Result<Vec<u8>> {
    let dir = target().join("bpf");
    let cargo = |command: &str| toolchain.cargo().arg(command).dir(sources()).env("CARGO_TARGET_DIR", &dir);
    // Before the build, as the paths of what it fetches are remapped.
    cargo("fetch").arg("--locked").run()?;
    let flags = format!("target.bpfel-unknown-none.rustflags=[{}]", remappings(toolchain)?);
    cargo("build").args(["--release", "--locked", "--config", &flags]).run()?;
    let stripped = dir.join("recorder.o");
    Run::new(toolchain.objcopy())
        .args(["--strip-debug", "--strip-unneeded", "--remove-section=.BTF.ext", "--remove-section=.rel.BTF.ext"])
        .args([&dir.join("bpfel-unknown-none/release/recorder"), &stripped])
        .run()?;
    std::fs::read(&stripped).with_context(|| format!("cannot read {}", stripped.display()))
}

/// Takes this machine's paths out of what the compiler writes, so that the bytes do not depend on them.
fn remappings(toolchain: &Toolchain) -> Result<String> {
    let mut map = vec![(root().join("spo-recorder"), "recorder".to_owned())];
    map.push((toolchain.library()?, "rust".to_owned()));
    for registry in registries()? {
        map.push((registry, "crates".to_owned()));
    }
    let flags = map.iter().map(|(from, to)| format!("'--remap-path-prefix={}={to}'", from.display()));
    Ok(flags.collect::<Vec<_>>().join(", "))
}

/// Where cargo unpacks what it fetched.
fn registries() -> Result<Vec<PathBuf>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let dir = home.context("neither CARGO_HOME nor HOME is set")?.join("registry/src");
    let entries = std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn write(object: &[u8], record: &Record) -> Result<()> {
    let path = committed();
    let same = std::fs::read(&path).is_ok_and(|before| before == object);
    std::fs::write(&path, object).with_context(|| format!("cannot write {}", path.display()))?;
    record.write()?;
    say(&format!("{}: {} bytes, {}", path.display(), object.len(), if same { "unchanged" } else { "changed" }));
    Ok(())
}

fn check(object: &[u8], built: &Record) -> Result<()> {
    let committed = Record::read()?;
    if committed.sources != built.sources {
        bail!(
            "the sources of the eBPF object have changed since it was built: run `cargo xtask bpf` and commit what it writes"
        );
    }
    if committed.toolchain == built.toolchain {
        if committed.sha256 != built.sha256 {
            bail!(
                "the committed eBPF object is not what its sources give: run `cargo xtask bpf` and commit what it writes"
            );
        }
        say("the committed eBPF object is, byte for byte, what its sources give");
        return Ok(());
    }
    say(&format!(
        "the committed eBPF object was built by another toolchain ({}), so bytes are not compared",
        committed.toolchain
    ));
    if !is_root() {
        say("skipped: loading the rebuilt object, which needs root");
        return Ok(());
    }
    try_out(object)
}

/// Records a program with the object, and with the committed one.
fn try_out(object: &[u8]) -> Result<()> {
    let committed = std::fs::read(committed()).context("cannot read the committed object")?;
    let (ours, theirs) = (calls(object)?, calls(&committed)?);
    if ours != theirs {
        bail!("the rebuilt eBPF object records {ours:?} of /bin/true, the committed one {theirs:?}");
    }
    say("the rebuilt eBPF object loads, and records the same of /bin/true as the committed one");
    Ok(())
}

fn calls(object: &[u8]) -> Result<spo_recorder::Observation> {
    use spo_recorder::bpf::{Recorder, Request};
    let mut recorder = Recorder::start(&Request::tree().object(object))?;
    let (mut child, slot) = recorder.spawn(std::process::Command::new("/bin/true"))?;
    child.wait()?;
    recorder.wait_tree(slot, None)?;
    Ok(recorder.take(slot)?)
}

/// A file of the kernel side, by its path below the workspace.
fn shared() -> &'static Path {
    Path::new("spo-recorder/src/bpf/wire.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_object_was_built_from_the_sources_beside_it() {
        let record = Record::read().unwrap();
        assert_eq!(record.sources, record::digest_of_sources().unwrap(), "run `cargo xtask bpf`");
    }

    #[test]
    fn the_committed_object_names_no_directory_of_the_machine_that_built_it() {
        let object = std::fs::read(committed()).unwrap();
        for trace in ["/home/", "/root/", "/usr/", "/tmp/", ".cargo", "registry/src"] {
            assert!(!object.windows(trace.len()).any(|window| window == trace.as_bytes()), "{trace}");
        }
    }
}
