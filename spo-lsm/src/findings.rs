//! What is found while a profile is looked at.

use spo_api::{FieldPath, Violation};

/// So many violations tell enough; a text of half a megabyte could hold as many as it has words.
const MAX_VIOLATIONS: usize = 100;
/// So many warnings are kept.
const MAX_WARNINGS: usize = 100;

/// What was found so far: what keeps a profile from being used, and what only surprises.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    violations: Vec<Violation>,
    warnings: Vec<Violation>,
}

impl Findings {
    pub(crate) fn refuse(&mut self, path: FieldPath, reason: impl Into<String>) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation::new(path, reason));
        }
    }

    pub(crate) fn warn(&mut self, path: FieldPath, reason: impl Into<String>) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Violation::new(path, reason));
        }
    }

    /// What was found, after everything was looked at: the warnings if nothing is wrong, else all that is.
    pub(crate) fn finish(self) -> Result<Vec<Violation>, Vec<Violation>> {
        if self.violations.is_empty() { Ok(self.warnings) } else { Err(self.violations) }
    }
}
