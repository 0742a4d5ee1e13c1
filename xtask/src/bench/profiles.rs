//! Manifests of profiles of usual size, as many as a bench wants, in a folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use spo_api::GROUP;
use spo_api::syscalls::Abi;

/// How many seccomp profiles build on no other one.
const ROOTS: usize = 10;
/// How many profiles build on each of the others: so many fold, and chains of a thousand have five.
const FAN: usize = 4;
/// How many calls a profile permits by itself.
const CALLS: usize = 60;
/// How many calls there are to choose from: each architecture has these, and no profile of them is refused.
const COMMON: u32 = 300;

/// A SeccompProfile. All but the first few build on one before them, which they share with others.
pub(super) fn seccomp(number: usize) -> Value {
    // From somewhere else in the table for each, so that a chain permits more than each of its profiles.
    let names: Vec<&str> = Abi::X86_64.calls().map(|(_, name)| name).take(COMMON as usize).collect();
    let names: Vec<&str> = (0..CALLS).map(|at| names[(number * 7 + at * 5) % names.len()]).collect();
    let base = (number >= ROOTS).then(|| seccomp_name(number / FAN));
    let spec = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "baseProfileName": base,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": names, "action": "SCMP_ACT_ALLOW"},
            {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": number, "op": "SCMP_CMP_EQ"}]},
        ],
    });
    manifest("SeccompProfile", &seccomp_name(number), spec)
}

fn seccomp_name(number: usize) -> String {
    format!("seccomp-{number:04}")
}

fn manifest(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Writes a manifest into a folder, as a file of its own that appears whole.
pub(super) fn write(folder: &Path, manifest: &Value) -> Result<()> {
    let name = manifest["metadata"]["name"].as_str().context("a profile has a name")?;
    let (path, new) = (folder.join(format!("{name}.json")), folder.join(format!(".{name}.new")));
    let put = || fs::write(&new, manifest.to_string()).and_then(|()| fs::rename(&new, &path));
    put().with_context(|| format!("cannot write {}", path.display()))
}
