//! `cargo xtask tidy`: what holds the workspace together and no compiler checks.
//!
//! The tree is read once into a [`Workspace`]; each rule is a function from it to [`Violation`]s, and each violation says where, which
//! rule, and how to mend it. The rules run as a test too, so that plain `cargo test` notices. What a rule cannot decide is
//! a note, which never fails.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::run::{root, say};
use workspace::Workspace;

mod crates;
mod direction;
mod docs;
mod spec;
mod text;
mod workspace;

pub(crate) use workspace::tree;

/// Checks what no compiler checks: dependency directions, lints, docs, the map, the table of the specification.
#[derive(Debug, clap::Args)]
pub(crate) struct Tidy {}

/// A rule, and the function that looks for what breaks it.
struct Rule {
    name: &'static str,
    find: fn(&Workspace) -> Vec<Violation>,
}

/// Every rule. Add one here and as a function of one of the modules.
const RULES: &[Rule] = &[
    Rule { name: "dependencies point one way", find: direction::one_way },
    Rule { name: "what belongs into programs stays out of libraries", find: direction::programs_only },
    Rule { name: "every member opts into the lint table", find: crates::lints_opted_in },
    Rule { name: "crates without system calls forbid unsafe code", find: crates::unsafe_forbidden },
    Rule { name: "unsafe code stands in modules named sys", find: crates::unsafe_in_sys },
    Rule { name: "every file begins with its purpose", find: docs::module_docs },
    Rule { name: "ARCHITECTURE.md names every crate and module", find: docs::mapped },
    Rule { name: "ARCHITECTURE.md names nothing that is gone", find: docs::no_ghosts },
    Rule { name: "no machine's own paths", find: text::machine_paths },
    Rule { name: "no unfinished work", find: text::markers },
    Rule { name: "each mark of the specification has a test or a reason", find: spec::covered },
];

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Violation {
    file: PathBuf,
    line: Option<usize>,
    /// What is wrong and how to mend it.
    mend: String,
}

impl Violation {
    fn new(file: impl Into<PathBuf>, mend: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, mend: mend.into() }
    }

    /// Counted from 1.
    fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.mend)
    }
}

impl Tidy {
    pub(crate) fn run(self) -> Result<()> {
        check(&root())
    }
}

/// Fails with every violation there is.
pub(crate) fn check(root: &Path) -> Result<()> {
    let workspace = Workspace::load(root)?;
    for note in text::long_files(&workspace) {
        say(&format!("note: {note}"));
    }
    let found: Vec<String> = RULES.iter().flat_map(|rule| broken(rule, &workspace)).collect();
    if found.is_empty() {
        say(&format!("{} rules hold in {} files", RULES.len(), workspace.files.len()));
        return Ok(());
    }
    bail!("{} violations:\n{}", found.len(), found.join("\n"))
}

fn broken(rule: &Rule, workspace: &Workspace) -> Vec<String> {
    (rule.find)(workspace).into_iter().map(|violation| format!("  {violation}  [{}]", rule.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        if let Err(error) = check(&root()) {
            panic!("{error}");
        }
    }

    #[test]
    fn a_violation_names_file_line_and_remedy() {
        let violation = Violation::new("a/b.rs", "begin it with a line `//! …`").at(3);
        assert_eq!(violation.to_string(), "a/b.rs:3: begin it with a line `//! …`");
    }
}
