//! Building Kubernetes and etcd from the pinned go.mod, once.
//!
//! Binaries are kept outside the clone under a key of everything that makes them: go.mod, go.sum, the flags below and the
//! version of Go. The compiler's own cache is kept apart, so that it may be dropped without losing the binaries.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use super::go::Go;
use crate::machine::{Package, require};
use crate::run::{cache, root, say};

/// A program of the cluster that is built from source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Etcd,
    ApiServer,
    ControllerManager,
    Scheduler,
    Kubelet,
    Proxy,
    Kubectl,
}

/// What an API server needs to run and to be asked.
pub(crate) const API: &[Tool] = &[Tool::Etcd, Tool::ApiServer, Tool::Kubectl];

/// What a node needs as well.
pub(crate) const ALL: &[Tool] =
    &[Tool::Etcd, Tool::ApiServer, Tool::Kubectl, Tool::ControllerManager, Tool::Scheduler, Tool::Kubelet, Tool::Proxy];

impl Tool {
    /// The name of the program.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::Proxy => "kube-proxy",
            Self::Kubectl => "kubectl",
        }
    }

    fn package(self) -> String {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3".to_owned(),
            _ => format!("k8s.io/kubernetes/cmd/{self}"),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The folder of the built programs, and the key it is named after.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    dir: PathBuf,
    pub(super) key: String,
}

impl Tools {
    pub(crate) fn path(&self, tool: Tool) -> PathBuf {
        self.dir.join(tool.name())
    }
}

/// Builds those of `tools` that are not there yet.
pub(crate) fn build(tools: &[Tool]) -> Result<Tools> {
    require(CERTIFICATES, "downloading Go modules")?;
    let go = Go::find(&module())?;
    let flags = Flags::read(&module())?;
    let key = key(&module(), &flags, &go.version)?;
    let built = Tools { dir: cache()?.join("cluster").join(&key), key };
    fs::create_dir_all(&built.dir).with_context(|| format!("cannot make {}", built.dir.display()))?;
    let lock = lock(&built.dir)?;
    for (place, tool) in tools.iter().enumerate() {
        if !built.path(*tool).is_file() {
            compile(&go, &flags, *tool, &built, &format!("{} of {}", place + 1, tools.len()))?;
        }
    }
    drop(lock);
    Ok(built)
}

/// The module proxy and the checksum database are asked over TLS.
const CERTIFICATES: &[Package] = &[Package { name: "ca-certificates", file: "/etc/ssl/certs/ca-certificates.crt" }];

/// The folder of the go.mod.
fn module() -> PathBuf {
    root().join("xtask/src/cluster")
}

/// Two runs beside each other must not build the same program twice.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    if file.try_lock().is_err() {
        say(&format!("waiting for another build in {}", dir.display()));
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

fn compile(go: &Go, flags: &Flags, tool: Tool, tools: &Tools, place: &str) -> Result<()> {
    say(&format!("building {tool} ({place}; all of Kubernetes takes minutes, but only once)"));
    let start = Instant::now();
    let path = tools.path(tool);
    let unfinished = path.with_extension("unfinished");
    let build = go.run().args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &flags.linker, "-o"]);
    // The caller's own Go settings would make another program of it.
    let build = build.arg(&unfinished).arg(tool.package()).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly");
    let build = build.env("GOWORK", "off").env("GOCACHE", cache()?.join("go-build")).dir(module());
    build.quiet().run().with_context(|| format!("{tool} could not be built in {}", module().display()))?;
    fs::rename(&unfinished, &path).with_context(|| format!("cannot make {}", path.display()))?;
    let bytes = path.metadata().with_context(|| format!("cannot read {}", path.display()))?.len();
    say(&format!("built {tool} in {:.0} s, {} MiB", start.elapsed().as_secs_f64(), bytes >> 20));
    Ok(())
}

/// What the linker is told. Components without a version stamp call themselves v0.0.0-master, and a date would make each
/// build another program.
#[derive(Debug)]
struct Flags {
    linker: String,
}

impl Flags {
    fn read(module: &Path) -> Result<Self> {
        let path = module.join("go.mod");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of(&text).with_context(|| format!("{} requires no k8s.io/kubernetes v1.MINOR.PATCH", path.display()))
    }

    fn of(go_mod: &str) -> Option<Self> {
        let words = go_mod.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let version = words.into_iter().find_map(|words| match words.as_slice() {
            ["k8s.io/kubernetes", version, ..] => Some((*version).to_owned()),
            _ => None,
        })?;
        let minor = version.strip_prefix("v1.")?.split('.').next()?.to_owned();
        let stamp = "-X k8s.io/component-base/version.";
        Some(Self {
            linker: format!(
                "-s -w {stamp}gitVersion={version} {stamp}gitMajor=1 {stamp}gitMinor={minor} \
                 {stamp}gitTreeState=clean {stamp}gitCommit=unknown"
            ),
        })
    }
}

fn key(module: &Path, flags: &Flags, go: &str) -> Result<String> {
    let mut hash = Sha256::new();
    for name in ["go.mod", "go.sum"] {
        let path = module.join(name);
        hash.update(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    hash.update(&flags.linker);
    hash.update(go);
    Ok(hex::encode(&hash.finalize()[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_stamped_with_the_version_of_the_go_mod() {
        let flags = Flags::read(&module()).unwrap();
        assert!(flags.linker.contains("gitVersion=v1.36."), "{}", flags.linker);
        assert!(flags.linker.contains("gitMinor=36 "), "{}", flags.linker);
        assert!(Flags::of("require k8s.io/api v0.36.3").is_none());
    }

    #[test]
    fn another_go_is_another_key() {
        let flags = Flags::read(&module()).unwrap();
        let keys = ["go1.26.0", "go1.26.1"].map(|go| key(&module(), &flags, go).unwrap());
        assert_ne!(keys[0], keys[1]);
        assert_eq!(keys[0].len(), 16);
    }
}
