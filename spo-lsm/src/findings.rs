//! What is found while a profile is looked at: as much of it as anybody reads.

use spo_api::{FieldPath, Violation};

/// How many violations, and how many warnings, are written out. It is enough to see what is wrong, and a text of half a megabyte may
/// have millions.
const MAX: usize = 32;

/// What was found so far: what keeps a profile from being used, and what only surprises.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    violations: List,
    warnings: List,
    /// Warnings that come first, however many others there are.
    urgent: Vec<Violation>,
}

/// The first of some findings, and how many there are beyond.
#[derive(Debug, Default)]
struct List {
    written: Vec<Violation>,
    more: usize,
}

impl Findings {
    /// Something that a profile must not have.
    pub(crate) fn refuse(&mut self, path: FieldPath, reason: impl Into<String>) {
        self.violations.add(|| Violation::new(path, reason));
    }

    /// Something that may not be meant as it is written.
    pub(crate) fn warn(&mut self, path: FieldPath, reason: impl Into<String>) {
        self.warnings.add(|| Violation::new(path, reason));
    }

    /// Something that may keep a container from starting.
    #[cfg(feature = "seccomp")]
    pub(crate) fn warn_first(&mut self, path: FieldPath, reason: impl Into<String>) {
        self.urgent.push(Violation::new(path, reason));
    }

    /// How much was refused.
    pub(crate) fn refused(&self) -> usize {
        self.violations.written.len() + self.violations.more
    }

    /// What was found, after everything was looked at: the warnings if nothing is wrong, else all that is.
    pub(crate) fn finish(self) -> Result<Vec<Violation>, Vec<Violation>> {
        if self.refused() > 0 {
            return Err(self.violations.finish());
        }
        Ok(self.urgent.into_iter().chain(self.warnings.finish()).collect())
    }
}

impl List {
    fn add(&mut self, finding: impl FnOnce() -> Violation) {
        if self.written.len() < MAX { self.written.push(finding()) } else { self.more += 1 }
    }

    fn finish(mut self) -> Vec<Violation> {
        if let Some(last) = self.written.last_mut().filter(|_| self.more > 0) {
            last.reason.push_str(&format!("; and {} more like it", self.more));
        }
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_to_read_is_counted() {
        let mut found = Findings::default();
        (0..40).for_each(|index| found.warn(FieldPath::new("names").index(index), "is unknown"));
        found.warn_first(FieldPath::new("listenerPath"), "is wanted");
        let warnings = found.finish().unwrap();
        assert_eq!(warnings.len(), 33);
        assert_eq!(warnings[0].to_string(), "listenerPath: is wanted");
        assert_eq!(warnings[32].to_string(), "names[31]: is unknown; and 8 more like it");
    }
}
