//! A Rust toolchain with the sources of the standard library: for targets that no built one is at hand for.
//!
//! Its compiler is a released one that is told to accept unstable features, which building that library still is.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::machine::{Package, present, require};
use crate::run::Run;

/// Debian's compiler for its browsers is new enough.
const DEBIAN: &[Package] = &[
    Package { name: "rustc-web", file: "/usr/bin/rustc" },
    Package { name: "cargo-web", file: "/usr/bin/cargo" },
    Package { name: "rust-web-src", file: "/usr/lib/rustlib/src/rust/library/core/Cargo.toml" },
];

/// What compiles, and builds the standard library on its way.
#[derive(Debug)]
pub(crate) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
}

impl Toolchain {
    /// Finds it, installing what is missing.
    pub(crate) fn find(what_for: &str) -> Result<Self> {
        if present("apt-get") {
            require(DEBIAN, what_for)?;
            return Ok(Self { cargo: "/usr/bin/cargo".into(), rustc: "/usr/bin/rustc".into() });
        }
        if !present("rustup") {
            bail!("{what_for} needs Debian's packages, or rustup: https://rustup.rs");
        }
        Run::new("rustup").args(["component", "add", "rust-src"]).run()?;
        let which = |name: &str| {
            Ok::<_, anyhow::Error>(PathBuf::from(Run::new("rustup").args(["which", name]).output()?.trim()))
        };
        Ok(Self { cargo: which("cargo")?, rustc: which("rustc")? })
    }

    pub(crate) fn rustc(&self) -> &Path {
        &self.rustc
    }

    /// Cargo, which finds the compiler, and the programs in these folders.
    pub(crate) fn cargo(&self, folders: &[&Path]) -> Run {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = folders.iter().copied().chain(self.cargo.parent()).map(Path::to_owned);
        let path = std::env::join_paths(own.chain(std::env::split_paths(&path))).unwrap_or(path);
        let mut run = Run::new(&self.cargo).env("PATH", path).env("RUSTC", &self.rustc).env("RUSTC_BOOTSTRAP", "1");
        // What the toolchain that runs this tool says to the programs it starts.
        for variable in ["RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER"] {
            run = run.env_remove(variable);
        }
        run
    }
}
