//! Finding, among many globs, those that may have something in common with one.

use std::collections::{BTreeMap, BTreeSet};

use super::Glob;

/// Globs by what their matches begin with.
#[derive(Debug)]
pub(super) struct Index<'a> {
    globs: Vec<&'a Glob>,
    by_prefix: BTreeMap<&'a [u8], Vec<usize>>,
    /// The lengths of the prefixes of those that match more than one path.
    lengths: BTreeSet<usize>,
}

impl<'a> Index<'a> {
    pub(super) fn new(globs: impl IntoIterator<Item = &'a Glob>) -> Self {
        let mut index = Self { globs: Vec::new(), by_prefix: BTreeMap::new(), lengths: BTreeSet::new() };
        for glob in globs {
            index.by_prefix.entry(glob.prefix()).or_default().push(index.globs.len());
            if !glob.is_literal() {
                index.lengths.insert(glob.prefix().len());
            }
            index.globs.push(glob);
        }
        index
    }

    /// The places, in order of the globs that were given, of those that may have a match of `wanted`.
    pub(super) fn near(&self, wanted: &Glob) -> Vec<usize> {
        let prefix = wanted.prefix();
        let shorter = self.lengths.range(..=prefix.len()).filter_map(|length| self.by_prefix.get(&prefix[..*length]));
        let mut found: Vec<usize> = shorter.flatten().copied().filter(|at| !self.globs[*at].is_literal()).collect();
        if wanted.is_literal() {
            found.extend(self.by_prefix.get(prefix).into_iter().flatten());
        } else {
            let longer = self.by_prefix.range(prefix..).take_while(|(other, _)| other.starts_with(prefix));
            found.extend(longer.flat_map(|(_, places)| places));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The globs of [`Index::near`].
    pub(super) fn near_globs(&self, wanted: &Glob) -> Vec<&'a Glob> {
        self.near(wanted).into_iter().map(|at| self.globs[at]).collect()
    }
}
