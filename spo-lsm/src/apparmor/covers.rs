//! Which patterns permit something inside of another.

use std::collections::BTreeSet;

use super::Pattern;

/// Patterns that permit something which a broader pattern, if it were denied, would take away.
pub(super) struct Inside<'a> {
    paths: BTreeSet<&'a str>,
    /// The folders of those that name files of one folder, with a slash at the end.
    folders: BTreeSet<&'a str>,
}

impl<'a> Inside<'a> {
    pub(super) fn new(patterns: impl IntoIterator<Item = &'a Pattern>) -> Self {
        let paths: BTreeSet<&str> = patterns.into_iter().map(Pattern::as_str).collect();
        let folders = paths.iter().filter_map(|path| {
            let (folder, file) = path.split_at(path.rfind('/')? + 1);
            (!file.is_empty() && !file.contains("**")).then_some(folder)
        });
        Self { folders: folders.collect(), paths }
    }

    /// Whether one of the patterns, and not `whole` itself, is surely a part of `whole`. Only the two globs that people write for whole
    /// folders are looked at, `folder/**` and `folder/*`; others are taken to have no parts.
    pub(super) fn has_part_of(&self, whole: &Pattern) -> bool {
        let whole = whole.as_str();
        if self.paths.contains(whole) {
            return false;
        }
        if let Some(prefix) = whole.strip_suffix("**").filter(|prefix| is_folder(prefix)) {
            return self
                .paths
                .range(prefix..)
                .find(|path| **path != prefix)
                .is_some_and(|path| path.starts_with(prefix));
        }
        let folder = whole.strip_suffix('*').filter(|prefix| is_folder(prefix));
        folder.is_some_and(|folder| self.folders.contains(folder))
    }
}

/// Whether it is the path of a folder, without globs.
fn is_folder(prefix: &str) -> bool {
    prefix.ends_with('/') && !prefix.contains(['*', '?', '{'])
}
