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

/// A thousand profiles of all kinds. Most are for seccomp, as on real nodes.
pub(super) fn mixed() -> Vec<Value> {
    let seccomp = (0..900).map(seccomp);
    seccomp.chain((0..50).map(apparmor)).chain((0..25).map(selinux)).chain((0..25).map(raw_selinux)).collect()
}

/// An AppArmorProfile of the size that recordings have.
fn apparmor(number: usize) -> Value {
    let read: Vec<String> = (0..40).map(|at| format!("/srv/{number}/read/{at}/**")).collect();
    let written: Vec<String> = (0..10).map(|at| format!("/srv/{number}/written/{at}/*")).collect();
    let spec = json!({"abstract": {
        "executable": {"allowedExecutables": ["/bin/sh", "/usr/bin/env"]},
        "filesystem": {"readOnlyPaths": read, "readWritePaths": written},
        "network": {"allowedProtocols": {"allowTcp": true}},
    }});
    manifest("AppArmorProfile", &format!("apparmor-{number:04}"), spec)
}

/// A SelinuxProfile of the size of the published example.
fn selinux(number: usize) -> Value {
    let spec = json!({"inherit": [{"name": "container"}], "allow": {"var_log_t": {
        "dir": ["open", "read", "getattr", "lock", "search", "ioctl", "add_name", "remove_name", "write"],
        "file": ["getattr", "read", "write", "append", "ioctl", "lock", "map", "open", "create"],
        "sock_file": ["getattr", "read", "write", "append", "open"],
    }}});
    manifest("SelinuxProfile", &format!("selinux-{number:04}"), spec)
}

/// The same, written out.
fn raw_selinux(number: usize) -> Value {
    let policy = "(blockinherit container)\n(allow process var_log_t (dir (open read getattr search)))\n\
        (allow process var_log_t (file (getattr read write append open)))\n";
    manifest("RawSelinuxProfile", &format!("raw-{number:04}"), json!({"policy": policy}))
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
