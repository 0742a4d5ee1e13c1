//! The toolchain of the kernel side: a Rust compiler with the sources of `core`, the LLVM that it was built with, and `bpf-linker`.
//!
//! The compiler is a released one that is told to accept unstable features, as the target has no built `core`. The linker links
//! with LLVM and must have the version of the compiler's, or a newer one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::record::Versions;
use crate::machine::{Package, present, require, tool, tool_built_with};
use crate::run::Run;
use crate::toolchain;

/// Other versions give other bytes.
const LINKER: &str = "0.13.0";

const WHAT_FOR: &str = "building the eBPF object";

/// The LLVM of Debian's compiler is packaged too.
const DEBIAN: &[Package] =
    &[Package { name: "llvm-22-dev", file: "/usr/lib/llvm-22/bin/llvm-config" }, Package { name: "g++", file: "c++" }];

/// What builds the kernel side.
#[derive(Debug)]
pub(super) struct Toolchain {
    rust: toolchain::Toolchain,
    objcopy: PathBuf,
    /// The linker's directory.
    linker: PathBuf,
}

impl Toolchain {
    /// Finds it, installing what is missing.
    pub(super) fn find() -> Result<Self> {
        let rust = toolchain::Toolchain::find(WHAT_FOR)?;
        let (linker, objcopy) = if present("apt-get") { debian()? } else { rustup()? };
        let linker = linker.parent().context("the linker has a directory")?.to_owned();
        Ok(Self { rust, objcopy, linker })
    }

    /// Cargo of this toolchain, which finds the compiler and the linker.
    pub(super) fn cargo(&self) -> Run {
        self.rust.cargo(&[&self.linker])
    }

    pub(super) fn objcopy(&self) -> &Path {
        &self.objcopy
    }

    /// Where the sources of `core` are.
    pub(super) fn library(&self) -> Result<PathBuf> {
        let sysroot = Run::new(self.rust.rustc()).args(["--print", "sysroot"]).quiet().output()?;
        Ok(PathBuf::from(sysroot.trim()).join("lib/rustlib/src/rust"))
    }

    /// What decides about the bytes.
    pub(super) fn versions(&self) -> Result<Versions> {
        let verbose = Run::new(self.rust.rustc()).arg("-vV").quiet().output()?;
        let llvm = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "));
        let linker = Run::new(self.linker.join("bpf-linker")).arg("--version").quiet().output()?;
        Ok(Versions {
            rustc: verbose.lines().next().unwrap_or_default().to_owned(),
            llvm: llvm.unwrap_or("unknown").to_owned(),
            linker: linker.trim().to_owned(),
        })
    }
}

/// The linker, and `objcopy`, with the LLVM of Debian.
fn debian() -> Result<(PathBuf, PathBuf)> {
    require(DEBIAN, WHAT_FOR)?;
    let llvm = Path::new("/usr/lib/llvm-22");
    let args = ["--no-default-features", "--features", "llvm-22"];
    let linker = tool_built_with("bpf-linker", LINKER, &args, &[("LLVM_PREFIX", llvm.as_os_str())])?;
    Ok((linker, llvm.join("bin/llvm-objcopy")))
}

/// Elsewhere: with the LLVM of rustup's compiler.
fn rustup() -> Result<(PathBuf, PathBuf)> {
    let linker = tool("bpf-linker", LINKER, &[])?;
    let objcopy = ["llvm-objcopy", "rust-objcopy"].into_iter().find(|name| present(name));
    let objcopy = objcopy.context("building the eBPF object needs llvm-objcopy; install LLVM's tools and try again")?;
    Ok((linker, objcopy.into()))
}
