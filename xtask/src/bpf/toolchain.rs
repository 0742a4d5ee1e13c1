//! The toolchain of the kernel side: a Rust compiler with the sources of `core`, the LLVM that it was built with, and `bpf-linker`.
//!
//! The compiler is a released one that is told to accept unstable features, as the target has no built `core`. The linker links
//! with LLVM and must have the version of the compiler's, or a newer one.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::record::Versions;
use crate::machine::{Package, present, require, tool, tool_built_with};
use crate::run::Run;

/// Other versions give other bytes.
const LINKER: &str = "0.13.0";

/// Debian's compiler for its browsers is new enough, and its LLVM is packaged too.
const DEBIAN: &[Package] = &[
    Package { name: "rustc-web", file: "/usr/bin/rustc" },
    Package { name: "cargo-web", file: "/usr/bin/cargo" },
    Package { name: "rust-web-src", file: "/usr/lib/rustlib/src/rust/library/core/Cargo.toml" },
    Package { name: "llvm-22-dev", file: "/usr/lib/llvm-22/bin/llvm-config" },
    Package { name: "g++", file: "c++" },
];

/// What builds the kernel side.
#[derive(Debug)]
pub(super) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    objcopy: PathBuf,
    /// The linker's directory.
    linker: PathBuf,
}

impl Toolchain {
    /// Finds it, installing what is missing.
    pub(super) fn find() -> Result<Self> {
        if present("apt-get") { Self::debian() } else { Self::rustup() }
    }

    fn debian() -> Result<Self> {
        require(DEBIAN, "building the eBPF object")?;
        let llvm = PathBuf::from("/usr/lib/llvm-22");
        let args = ["--no-default-features", "--features", "llvm-22"];
        let linker = tool_built_with("bpf-linker", LINKER, &args, &[("LLVM_PREFIX", llvm.as_os_str())])?;
        Self::with("/usr/bin/cargo".into(), "/usr/bin/rustc".into(), llvm.join("bin/llvm-objcopy"), &linker)
    }

    /// Elsewhere: the toolchain of rustup with the sources of `core`, and the linker with the LLVM of rustup's compiler.
    fn rustup() -> Result<Self> {
        if !present("rustup") {
            bail!("building the eBPF object needs Debian's packages, or rustup: https://rustup.rs");
        }
        Run::new("rustup").args(["component", "add", "rust-src"]).run()?;
        let which = |name: &str| {
            Ok::<_, anyhow::Error>(PathBuf::from(Run::new("rustup").args(["which", name]).output()?.trim()))
        };
        let linker = tool("bpf-linker", LINKER, &[])?;
        let objcopy = ["llvm-objcopy", "rust-objcopy"].into_iter().find(|name| present(name));
        let objcopy =
            objcopy.context("building the eBPF object needs llvm-objcopy; install LLVM's tools and try again")?;
        Self::with(which("cargo")?, which("rustc")?, objcopy.into(), &linker)
    }

    fn with(cargo: PathBuf, rustc: PathBuf, objcopy: PathBuf, linker: &std::path::Path) -> Result<Self> {
        let linker = linker.parent().context("the linker has a directory")?.to_owned();
        Ok(Self { cargo, rustc, objcopy, linker })
    }

    /// Cargo of this toolchain, which finds the compiler and the linker.
    pub(super) fn cargo(&self) -> Run {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = [self.linker.clone(), self.cargo.parent().map(PathBuf::from).unwrap_or_default()];
        let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).unwrap_or(path);
        let mut run = Run::new(&self.cargo).env("PATH", path).env("RUSTC", &self.rustc).env("RUSTC_BOOTSTRAP", "1");
        // What the toolchain that runs this tool says to the programs it starts.
        for variable in ["RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER"] {
            run = run.env_remove(variable);
        }
        run
    }

    pub(super) fn objcopy(&self) -> &std::path::Path {
        &self.objcopy
    }

    /// Where the sources of `core` are.
    pub(super) fn library(&self) -> Result<PathBuf> {
        let sysroot = Run::new(&self.rustc).args(["--print", "sysroot"]).quiet().output()?;
        Ok(PathBuf::from(sysroot.trim()).join("lib/rustlib/src/rust"))
    }

    /// What decides about the bytes.
    pub(super) fn versions(&self) -> Result<Versions> {
        let verbose = Run::new(&self.rustc).arg("-vV").quiet().output()?;
        let llvm = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "));
        let linker = Run::new(self.linker.join("bpf-linker")).arg("--version").quiet().output()?;
        Ok(Versions {
            rustc: verbose.lines().next().unwrap_or_default().to_owned(),
            llvm: llvm.unwrap_or("unknown").to_owned(),
            linker: linker.trim().to_owned(),
        })
    }
}
