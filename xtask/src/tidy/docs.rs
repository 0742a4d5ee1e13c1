//! Rules over what is written for readers: module docs, and the map in ARCHITECTURE.md.
//!
//! The map has one section for each crate: a heading that holds the crate's name in backticks, and below it the name of each
//! top-level module in backticks, with or without `.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use super::Violation;
use super::workspace::{Member, Workspace};

const MAP: &str = "ARCHITECTURE.md";

pub(super) fn module_docs(workspace: &Workspace) -> Vec<Violation> {
    let without = workspace.rust().filter(|file| !begins_with_docs(&file.text));
    without
        .map(|file| Violation::new(&file.path, "begin it with `//! …`: what it is for, and what it leaves to others"))
        .collect()
}

/// Whether `//!` comes before anything but plain comments, blank lines and attributes of the file.
fn begins_with_docs(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    let first =
        lines.find(|line| !(line.is_empty() || line.starts_with("#!") || line.starts_with("// ") || *line == "//"));
    first.is_some_and(|line| line.starts_with("//!"))
}

pub(super) fn mapped(workspace: &Workspace) -> Vec<Violation> {
    let map = workspace.text(MAP).unwrap_or_default();
    let mut found = Vec::new();
    for member in &workspace.members {
        let Some(section) = section(map, &member.name) else {
            found.push(Violation::new(MAP, format!("add a section for the crate: a heading with `{}`", member.name)));
            continue;
        };
        let named: BTreeSet<&str> = quoted(section).map(stem).collect();
        for module in modules(workspace, member).iter().filter(|module| !named.contains(module.as_str())) {
            let mend = format!("say in the section of `{}` what `{module}` is for", member.name);
            found.push(Violation::new(MAP, mend));
        }
    }
    found
}

/// Files that the map names and that are not there.
pub(super) fn no_ghosts(workspace: &Workspace) -> Vec<Violation> {
    let map = workspace.text(MAP).unwrap_or_default();
    let mut found = Vec::new();
    for member in &workspace.members {
        let names = section(map, &member.name).into_iter().flat_map(quoted).filter(|name| name.ends_with(".rs"));
        let gone = names.filter(|name| !name.contains(['*', '{']) && !exists(workspace, member, name));
        found.extend(
            gone.map(|name| Violation::new(MAP, format!("`{name}` of `{}` is gone: mend the map", member.name))),
        );
    }
    found
}

fn exists(workspace: &Workspace, member: &Member, name: &str) -> bool {
    let places = [member.dir.join("src"), member.dir.clone(), Path::new("").to_owned()];
    places.iter().any(|place| workspace.files.iter().any(|file| file.path == place.join(name)))
}

/// Top-level modules of a member: files and folders of its `src`, and its programs.
fn modules(workspace: &Workspace, member: &Member) -> BTreeSet<String> {
    let source = member.dir.join("src");
    let below = workspace.rust().filter_map(|file| file.path.strip_prefix(&source).ok());
    let first = below.filter_map(|path| path.components().next());
    let names = first.map(|part| stem(&part.as_os_str().to_string_lossy()).to_owned());
    names.filter(|name| !["lib", "main", "bin"].contains(&name.as_str())).collect()
}

/// From the heading that names the crate to the next heading of the same or a higher level.
fn section<'a>(map: &'a str, name: &str) -> Option<&'a str> {
    let quoted = format!("`{name}`");
    let mut offset = 0;
    for line in map.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        if let Some(level) = heading(line).filter(|_| line.contains(&quoted)) {
            return Some(&map[start..offset + length(&map[offset..], level)]);
        }
    }
    None
}

/// How much of `text` comes before the next heading of this or a higher level.
fn length(text: &str, level: usize) -> usize {
    let lines = text.split_inclusive('\n');
    lines.take_while(|line| heading(line).is_none_or(|other| other > level)).map(str::len).sum()
}

/// The level of a heading line.
fn heading(line: &str) -> Option<usize> {
    let level = line.len() - line.trim_start_matches('#').len();
    (level > 0 && line[level..].starts_with(' ')).then_some(level)
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// `seccomp` of `seccomp.rs`, `seccomp/` and `src/seccomp`.
fn stem(name: &str) -> &str {
    let name = name.trim_end_matches('/');
    let name = name.strip_suffix(".rs").unwrap_or(name);
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::workspace::fixture::{files, member};
    use super::*;

    #[test]
    fn a_file_begins_with_its_docs_after_comments_and_attributes() {
        assert!(begins_with_docs("// licence\n#![no_std]\n\n//! What it is.\n"));
        assert!(!begins_with_docs("use std::fmt;\n//! Too late.\n"));
        assert!(!begins_with_docs(""));
    }

    fn tree(map: &str) -> Workspace {
        let tree = files([
            ("spo-lsm/src/lib.rs", ""),
            ("spo-lsm/src/host.rs", ""),
            ("spo-lsm/src/seccomp/bpf.rs", ""),
            (MAP, map),
        ]);
        Workspace { members: vec![member("spo-lsm", &[])], ..tree }
    }

    #[test]
    fn a_crate_without_a_section_is_a_violation() {
        assert_eq!(mapped(&tree("# Map\n")).len(), 1);
    }

    #[test]
    fn a_module_counts_as_named_only_in_the_section_of_its_crate() {
        let found = mapped(&tree("## `spo-lsm`\n`host.rs` writes\n## other\n`seccomp/`\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].mend.contains("`seccomp`"), "{}", found[0]);
        assert_eq!(mapped(&tree("## `spo-lsm`\n`host.rs` writes\n### Seccomp\n`seccomp/`\n## other\n")), []);
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let found = no_ghosts(&tree("## `spo-lsm`\n`host.rs` `seccomp/bpf.rs` `selinux.rs` `sys`\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].mend.contains("`selinux.rs`"), "{}", found[0]);
    }
}
