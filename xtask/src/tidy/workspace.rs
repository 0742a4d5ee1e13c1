//! The tree as the rules see it: members with their dependencies, and every text file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::run::Run;

/// What is built, fetched or kept by tools, by the name of its folder.
const NOT_OURS: [&str; 3] = [".git", "target", "node_modules"];

/// Everything that the rules look at.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) root: PathBuf,
    pub(super) members: Vec<Member>,
    pub(super) files: Vec<File>,
}

/// A package of the workspace.
#[derive(Debug, Clone, Default)]
pub(super) struct Member {
    pub(super) name: String,
    /// Below the root.
    pub(super) dir: PathBuf,
    pub(super) dependencies: Vec<Dependency>,
    /// Root files of libraries and programs, below the workspace's root.
    pub(super) roots: Vec<PathBuf>,
}

/// A line of a manifest's dependency tables.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `dev`, `build`, or nothing.
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) features: Vec<String>,
    #[serde(default)]
    pub(super) uses_default_features: bool,
}

/// A text file.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Below the root.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl File {
    /// Whether its name ends with one of these, no dot.
    pub(super) fn is(&self, extensions: &[&str]) -> bool {
        self.path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
    }

    /// Its lines, counted from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

impl Workspace {
    pub(super) fn load(root: &Path) -> Result<Self> {
        Ok(Self { root: root.to_owned(), members: members(root)?, files: files(root)? })
    }

    /// The text of a file below the root.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<&str> {
        self.files.iter().find(|file| file.path == path.as_ref()).map(|file| file.text.as_str())
    }

    /// Rust files, those of the excluded packages too.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is(&["rs"]))
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

fn members(root: &Path) -> Result<Vec<Member>> {
    let json = Run::cargo().args(["metadata", "--format-version=1", "--no-deps"]).dir(root).quiet().output()?;
    let metadata: Metadata = serde_json::from_str(&json).context("cannot read what cargo metadata says")?;
    metadata.packages.into_iter().map(|package| member(root, package)).collect()
}

fn member(root: &Path, package: Package) -> Result<Member> {
    let below = |path: &Path| -> Result<PathBuf> {
        let path = path.strip_prefix(root).with_context(|| format!("{} is outside the workspace", path.display()))?;
        Ok(path.to_owned())
    };
    let dir = package.manifest_path.parent().context("a manifest lies in a folder")?;
    let programs = package.targets.iter().filter(|t| t.kind.iter().any(|k| k.ends_with("lib") || k == "bin"));
    let roots = programs.map(|target| below(&target.src_path)).collect::<Result<_>>()?;
    Ok(Member { name: package.name, dir: below(dir)?, dependencies: package.dependencies, roots })
}

fn files(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in tree(root)? {
        let whole = root.join(&path);
        let bytes = std::fs::read(&whole).with_context(|| format!("cannot read {}", whole.display()))?;
        // What is not text is no business of the rules.
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path, text });
        }
    }
    Ok(files)
}

/// Every file of the tree, below its root, sorted; without what tools made. Links are not followed.
pub(crate) fn tree(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let kind = entry.file_type().with_context(|| format!("cannot look at {}", entry.path().display()))?;
            if kind.is_dir() && !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                found.insert(path.strip_prefix(root).map(Path::to_owned).unwrap_or(path));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
pub(super) mod fixture {
    //! Small trees for the tests of the rules.

    use super::*;

    /// A tree of files, without members.
    pub(in crate::tidy) fn files<const N: usize>(files: [(&str, &str); N]) -> Workspace {
        let file = |(path, text): (&str, &str)| File { path: path.into(), text: text.to_owned() };
        Workspace { files: files.map(file).into(), ..Workspace::default() }
    }

    /// A member in a folder of its own name, with dependencies of the ordinary kind.
    pub(in crate::tidy) fn member(name: &str, dependencies: &[&str]) -> Member {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned(), ..Dependency::default() };
        Member {
            name: name.to_owned(),
            dir: name.into(),
            dependencies: dependencies.iter().map(dependency).collect(),
            roots: vec![Path::new(name).join("src/lib.rs")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_leaves_out_what_tools_made() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/x.rs", "target/y.rs", "a/target/z.rs", ".git/config"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found: Vec<_> = tree(dir.path()).unwrap().into_iter().collect();
        assert_eq!(found, [PathBuf::from("a/x.rs")]);
    }

    #[test]
    fn members_are_read_from_this_workspace() {
        let members = members(&crate::run::root()).unwrap();
        let api = members.iter().find(|member| member.name == "spo-api").unwrap();
        assert_eq!(api.dir, Path::new("spo-api"));
        assert_eq!(api.roots, [Path::new("spo-api/src/lib.rs")]);
        assert!(api.dependencies.iter().any(|dependency| dependency.name == "kube"));
    }
}
