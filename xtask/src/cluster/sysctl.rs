//! The kernel settings that a kubelet changes for the whole machine, put back when the cluster ends.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use super::dir::Dir;
use crate::run::say;

/// What the kubelet sets when it starts.
const CHANGED: &[&str] = &[
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

const FILE: &str = "sysctl.json";

/// Notes the settings as they are.
pub(super) fn save(dir: &Dir) -> Result<()> {
    let now: BTreeMap<&str, String> = CHANGED.iter().filter_map(|name| Some((*name, read(name)?))).collect();
    dir.write(FILE, serde_json::to_string_pretty(&now).context("settings are plain text")?)
}

/// Puts the settings back that were noted; without a note there is nothing to do.
pub(super) fn restore(dir: &Dir) -> Result<()> {
    let Some(text) = dir.read(FILE) else { return Ok(()) };
    let Ok(noted) = serde_json::from_str::<BTreeMap<String, String>>(&text) else {
        say(&format!("{} is damaged: kernel settings stay as the kubelet left them", dir.join(FILE).display()));
        return Ok(());
    };
    for (name, value) in noted.iter().filter(|(name, _)| CHANGED.contains(&name.as_str())) {
        if read(name).as_ref() != Some(value) {
            fs::write(format!("/proc/sys/{name}"), value).with_context(|| format!("cannot set {name} to {value}"))?;
        }
    }
    Ok(())
}

fn read(name: &str) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim_end().to_owned())
}
