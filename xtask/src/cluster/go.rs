//! The Go that builds Kubernetes: the machine's own where it is new enough, else one that the module proxy has.
//!
//! Since 1.21 Go fetches the Go that a go.mod asks for by itself. An older one, such as that of Debian 12, cannot, but it can
//! download a module, and that is what the fetched Go is: it is unpacked and used directly.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::machine::{Package, present, require};
use crate::run::{Run, cache, say};

/// A Go that can build a given module.
#[derive(Debug)]
pub(super) struct Go {
    program: PathBuf,
    /// What `GOTOOLCHAIN` is set to.
    toolchain: &'static str,
    /// As it calls itself: `go1.26.0`.
    pub(super) version: String,
}

/// Any Go will do to fetch the right one.
const PACKAGE: &[Package] = &[Package { name: "golang-go", file: "go" }];

impl Go {
    /// The one for the go.mod in `module`. Fetches it where the machine has none that is new enough.
    pub(super) fn find(module: &Path) -> Result<Self> {
        let path = module.join("go.mod");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("go "));
        let wanted = line.with_context(|| format!("{} has no line `go VERSION`", path.display()))?.trim();
        let own = own()?;
        let version = version(&own, "local", Path::new("/"))?;
        match Way::from(Release::of(&version), Release::of(wanted)) {
            Way::Own => Ok(Self { program: own, toolchain: "local", version }),
            Way::Switch => {
                say(&format!("{version} fetches go{wanted} for the cluster, once"));
                let version = self::version(&own, "auto", module)?;
                Ok(Self { program: own, toolchain: "auto", version })
            }
            Way::Fetch => {
                let program = fetched(&own, &version, wanted)?;
                let version = self::version(&program, "local", Path::new("/"))?;
                Ok(Self { program, toolchain: "local", version })
            }
        }
    }

    /// A command line of it.
    pub(super) fn run(&self) -> Run {
        Run::new(&self.program).env("GOTOOLCHAIN", self.toolchain)
    }
}

/// The program of this machine, installed if there is none.
fn own() -> Result<PathBuf> {
    // The archive of the Go project unpacks to this place, which is not in everybody's PATH.
    let unpacked = Path::new("/usr/local/go/bin/go");
    if !present("go") && unpacked.is_file() {
        return Ok(unpacked.to_owned());
    }
    require(PACKAGE, "building Kubernetes")?;
    Ok("go".into())
}

fn version(program: &Path, toolchain: &str, dir: &Path) -> Result<String> {
    let run = Run::new(program).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", toolchain).dir(dir).quiet();
    Ok(run.output()?.trim().to_owned())
}

/// Major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Release(u32, u32);

impl Release {
    /// Of `go1.26.8` or `1.26.0`; what cannot be read is older than anything.
    fn of(version: &str) -> Self {
        let mut numbers = version.trim_start_matches("go").split('.').map(|part| part.parse().unwrap_or(0));
        Self(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// How to come to the Go that is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Own,
    Switch,
    Fetch,
}

impl Way {
    fn from(own: Release, wanted: Release) -> Self {
        if own >= wanted {
            Self::Own
        } else if own >= Release(1, 21) {
            Self::Switch
        } else {
            Self::Fetch
        }
    }
}

/// Lets an old Go download the module of a newer one, and unpacks that into the cache.
fn fetched(own: &Path, version: &str, wanted: &str) -> Result<PathBuf> {
    let dir = cache()?.join("go").join(wanted);
    if dir.join("bin/go").is_file() {
        return Ok(dir.join("bin/go"));
    }
    let module = format!("golang.org/toolchain@v0.0.1-go{wanted}.linux-{}", architecture());
    say(&format!("{version} is too old for Kubernetes: fetching {module} into {}, once", dir.display()));
    let answer = Run::new(own).args(["mod", "download", "-json", &module]).dir("/").output()?;
    let answer: Download = serde_json::from_str(&answer).context("the answer of go mod download is not understood")?;
    let unfinished = dir.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    unpack(&answer.dir, &unfinished)?;
    fs::rename(&unfinished, &dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir.join("bin/go"))
}

#[derive(Debug, Deserialize)]
struct Download {
    #[serde(rename = "Dir")]
    dir: PathBuf,
}

/// Copies a toolchain out of the module cache, whose files are neither writable nor executable, and where `go.mod` is named
/// `_go.mod` because a module cannot contain another.
fn unpack(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let source = entry.with_context(|| format!("cannot read {}", from.display()))?.path();
        let name = source.file_name().unwrap_or_default();
        let target = to.join(if name == "_go.mod" { "go.mod".as_ref() } else { name });
        if source.is_dir() {
            unpack(&source, &target)?;
            continue;
        }
        fs::copy(&source, &target).with_context(|| format!("cannot copy {}", source.display()))?;
        let mode = if is_program(&source) { 0o755 } else { 0o644 };
        fs::set_permissions(&target, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot change {}", target.display()))?;
    }
    Ok(())
}

fn is_program(path: &Path) -> bool {
    let folders: Vec<_> = path.iter().rev().skip(1).take(3).collect();
    folders.first().is_some_and(|folder| *folder == "bin") || folders.get(1).is_some_and(|folder| *folder == "tool")
}

/// This machine's architecture, in Go's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_go_switches_and_a_very_old_one_is_replaced() {
        let wanted = Release::of("1.26.0");
        assert_eq!(Way::from(Release::of("go1.26.8"), wanted), Way::Own);
        assert_eq!(Way::from(Release::of("go1.30"), wanted), Way::Own);
        assert_eq!(Way::from(Release::of("go1.21.3"), wanted), Way::Switch);
        assert_eq!(Way::from(Release::of("go1.19.8"), wanted), Way::Fetch);
        assert_eq!(Way::from(Release::of("devel"), wanted), Way::Fetch);
    }

    #[test]
    fn programs_of_an_unpacked_go_can_be_started() {
        let from = tempfile::tempdir().unwrap();
        for (file, text) in [("bin/go", "p"), ("pkg/tool/linux_amd64/link", "p"), ("src/_go.mod", "module std")] {
            let path = from.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let to = tempfile::tempdir().unwrap();
        unpack(from.path(), to.path()).unwrap();
        let mode = |file: &str| to.path().join(file).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("bin/go"), 0o755);
        assert_eq!(mode("pkg/tool/linux_amd64/link"), 0o755);
        assert_eq!(mode("src/go.mod"), 0o644);
    }
}
