//! `cargo xtask image`: the image of our programs, made without a container engine.
//!
//! The programs are linked statically and stand alone in the image; which one a container runs is said by its command. The image
//! is a tar of the OCI layout, for `cargo xtask cluster load`, or for skopeo and the like.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::machine::{Package, require};
use crate::run::{Run, root, say, target};
use pack::{Image, Layer};

pub(crate) mod pack;

/// Makes the image of all our programs: static, from scratch, without a container engine.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildImage {
    /// The name that it gets.
    #[arg(long, default_value = NAME)]
    name: String,
    /// Builds with the development profile: quicker, larger.
    #[arg(long)]
    dev: bool,
    /// Where the tar goes [default: image/spo.tar in cargo's target folder]
    #[arg(long)]
    output: Option<PathBuf>,
}

/// What the image is called unless told otherwise: as in deploy/manifests.
const NAME: &str = concat!("ghcr.io/spo-rs/spo:", env!("CARGO_PKG_VERSION"));

/// The programs, and the packages they come from.
const PROGRAMS: &[(&str, &str)] = &[("spo-node", "spo-node"), ("spo-node", "spoc"), ("spo-operator", "spo-operator")];

impl BuildImage {
    /// As the tests on a cluster want it.
    pub(crate) fn for_tests() -> Self {
        Self { name: NAME.to_owned(), dev: true, output: None }
    }

    /// What it will be called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Builds and packs; gives back where the tar is.
    pub(crate) fn run(self) -> Result<PathBuf> {
        require(LINKER, "static programs")?;
        let programs = programs(self.dev)?;
        let mut layer = Layer::default();
        for (_, name) in PROGRAMS {
            layer.file(&format!("usr/bin/{name}"), &programs.join(name), 0o755)?;
        }
        // Programs that know no other place put temporary files here.
        layer.dir("tmp", 0o1777);
        let output = self.output.unwrap_or_else(|| target().join("image/spo.tar"));
        let image = Image {
            name: &self.name,
            command: &["spo-node"],
            path: "/usr/bin",
            user: Some("65535:65535"),
            quick: self.dev,
        };
        let packed = image.pack(layer, &output)?;
        say(&format!(
            "{} {}, {:.1} MiB compressed: {}",
            self.name,
            packed.digest,
            packed.compressed_bytes as f64 / f64::from(1 << 20),
            output.display()
        ));
        Ok(output)
    }
}

const LINKER: &[Package] =
    &[Package { name: "gcc", file: "cc" }, Package { name: "libc6-dev", file: "/usr/include/stdlib.h" }];

/// Builds the programs; gives back the folder they are in.
fn programs(dev: bool) -> Result<PathBuf> {
    let host = host()?;
    let (profile, folder) = if dev { ("dev", "debug") } else { ("release", "release") };
    let mut cargo = Run::cargo().args(["build", "--profile", profile, "--target", &host]);
    for (package, name) in PROGRAMS {
        cargo = cargo.args(["--package", package, "--bin", name]);
    }
    // With a target, flags do not reach build scripts and macros, which cannot be static; and what is built has a folder of its own.
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static").dir(root()).run()?;
    Ok(target().join(host).join(folder))
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let text = Run::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").quiet().output()?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc does not say what its host is")
}
