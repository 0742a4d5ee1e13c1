//! Rules over crates: the lint table, and where unsafe code may stand.

use std::path::Path;

use super::Violation;
use super::workspace::{File, Workspace};

pub(super) fn lints_opted_in(workspace: &Workspace) -> Vec<Violation> {
    let manifests = workspace.members.iter().map(|member| member.dir.join("Cargo.toml"));
    let without = manifests.filter(|manifest| !workspace.text(manifest).is_some_and(opts_in));
    without.map(|manifest| Violation::new(manifest, "add `[lints]` with `workspace = true`")).collect()
}

fn opts_in(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim);
    lines.any(|line| line == "[lints]")
        && lines.take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true")
}

/// Roots of libraries and programs. One that has a module `sys` cannot forbid what that module permits.
pub(super) fn unsafe_forbidden(workspace: &Workspace) -> Vec<Violation> {
    let roots = workspace.members.iter().flat_map(|member| &member.roots);
    let open = roots.filter(|root| {
        let text = workspace.text(root).unwrap_or_default();
        !text.lines().any(|line| line == "#![forbid(unsafe_code)]") && !has_sys(workspace, root)
    });
    open.map(|root| Violation::new(root, "add `#![forbid(unsafe_code)]`, or put the unsafe code into a module `sys`"))
        .collect()
}

/// Whether the crate of this root has a module `sys` anywhere. A program beside a library is a crate of its own: only a
/// module that it declares itself counts.
fn has_sys(workspace: &Workspace, root: &Path) -> bool {
    let Some(source) = root.parent() else { return false };
    let is_library = root.ends_with("lib.rs") || !workspace.files.iter().any(|file| file.path == source.join("lib.rs"));
    if is_library && source.ends_with("src") {
        return workspace.rust().any(|file| file.path.starts_with(source) && in_sys(&file.path));
    }
    workspace.text(root).is_some_and(|text| text.lines().any(|line| line.trim_end_matches(';').ends_with("mod sys")))
}

/// Whether a file is a module named `sys`, or below one.
fn in_sys(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "sys" || part.as_os_str() == "sys.rs")
}

/// The kernel side of eBPF is unsafe throughout, and a package of its own.
fn is_kernel_side(workspace: &Workspace, file: &File) -> bool {
    let member = workspace.members.iter().map(|m| m.dir.as_path()).filter(|dir| file.path.starts_with(dir)).max();
    let below = |dir: &&Path| {
        file.path.ancestors().skip(1).take_while(|a| a != dir).any(|a| workspace.text(a.join("Cargo.toml")).is_some())
    };
    member.as_ref().is_none_or(below)
}

/// The lint table denies unsafe code; this looks at who lifts it.
pub(super) fn unsafe_in_sys(workspace: &Workspace) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in workspace.rust().filter(|file| !in_sys(&file.path) && !is_kernel_side(workspace, file)) {
        for (number, _) in file.lines().filter(|(_, line)| lifts(line)) {
            found.push(Violation::new(&file.path, "move the unsafe code into a module named `sys`").at(number));
        }
    }
    found
}

/// Whether a line is an attribute that permits unsafe code.
fn lifts(line: &str) -> bool {
    let line = line.trim_start();
    let attribute = line.strip_prefix("#![").or_else(|| line.strip_prefix("#["));
    attribute.is_some_and(|text| {
        let permits = ["allow(", "expect(", "warn("].iter().any(|level| text.contains(level));
        permits && text.contains("unsafe_code")
    })
}

#[cfg(test)]
mod tests {
    use super::super::workspace::fixture::{files, member};
    use super::*;

    fn with_member<const N: usize>(tree: [(&str, &str); N]) -> Workspace {
        Workspace { members: vec![member("spo-lsm", &[])], ..files(tree) }
    }

    #[test]
    fn opting_in_is_read_from_the_lints_table_only() {
        assert!(opts_in("[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n"));
        assert!(!opts_in("[package]\nedition.workspace = true\n"));
        assert!(!opts_in("[lints]\n[dependencies]\nworkspace = true\n"));
    }

    #[test]
    fn a_root_forbids_unsafe_code_or_has_a_sys_module() {
        assert_eq!(unsafe_forbidden(&with_member([("spo-lsm/src/lib.rs", "//! x\n")])).len(), 1);
        assert_eq!(unsafe_forbidden(&with_member([("spo-lsm/src/lib.rs", "#![forbid(unsafe_code)]\n")])), []);
        let sys = with_member([("spo-lsm/src/lib.rs", "mod host;\n"), ("spo-lsm/src/host/sys.rs", "")]);
        assert_eq!(unsafe_forbidden(&sys), []);
    }

    #[test]
    fn a_program_beside_a_library_does_not_hide_behind_its_sys_module() {
        let mut workspace =
            with_member([("spo-lsm/src/lib.rs", ""), ("spo-lsm/src/sys.rs", ""), ("spo-lsm/src/main.rs", "")]);
        workspace.members[0].roots = vec!["spo-lsm/src/main.rs".into()];
        assert_eq!(unsafe_forbidden(&workspace).len(), 1);
    }

    #[test]
    fn the_lint_is_lifted_in_sys_modules_only() {
        let lifting = "#![expect(unsafe_code, reason = \"system calls\")]\n";
        assert_eq!(unsafe_in_sys(&with_member([("spo-lsm/src/host/sys.rs", lifting)])), []);
        let found = unsafe_in_sys(&with_member([("spo-lsm/src/host.rs", lifting)]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(1));
    }

    #[test]
    fn the_kernel_side_is_a_package_of_its_own() {
        let lifting = "#![allow(unsafe_code)]\n";
        let tree = [("spo-lsm/ebpf/Cargo.toml", ""), ("spo-lsm/ebpf/src/main.rs", lifting)];
        assert_eq!(unsafe_in_sys(&with_member(tree)), []);
    }
}
