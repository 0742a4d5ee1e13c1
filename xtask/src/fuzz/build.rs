//! Building targets so that libFuzzer learns which code an input reached.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::{Run, root, target};

/// As cargo-fuzz has them, without a sanitizer: our code is safe, and the targets count memory themselves.
const FLAGS: &[&str] = &[
    // Which the crate `spo-fuzz` asks for: libFuzzer is linked.
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    // Comparisons are noted with what was compared, so that values which the code looks for are found.
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    // Several units keep functions from being inlined across them.
    "-Ccodegen-units=1",
];

/// Builds targets, and gives back the folder that their programs are in.
pub(super) fn programs(targets: &[String]) -> Result<PathBuf> {
    let host = host()?;
    // With a target of its own cargo leaves build scripts and macros without these flags: they are linked without libFuzzer.
    let cargo = Run::cargo().args(["build", "--package", "spo-fuzz", "--profile", "fuzz", "--target", &host]);
    let cargo = cargo.args(targets.iter().flat_map(|target| ["--bin", target]));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).dir(root()).run()?;
    Ok(target().join(host).join("fuzz"))
}

/// What the compiler calls this machine.
fn host() -> Result<String> {
    let text = Run::new("rustc").arg("-vV").quiet().output()?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
