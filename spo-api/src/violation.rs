//! What is wrong with an object, and where.

use std::fmt;

/// One thing that is wrong with one field of an object.
///
/// A check collects all of them, so that a user mends a manifest once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The field, from the root of the object: `spec.syscalls[3].names[0]`.
    pub path: FieldPath,
    /// What is wrong and what would be right, as a sentence without a final full stop.
    pub reason: String,
}

impl Violation {
    /// A violation of `reason` at `path`.
    pub fn new(path: FieldPath, reason: impl Into<String>) -> Self {
        Self { path, reason: reason.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// The place of a field in an object, in the notation of the API server: `spec.syscalls[3].names[0]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FieldPath(String);

impl FieldPath {
    /// The path of a top-level field.
    pub fn new(field: &str) -> Self {
        Self(field.to_owned())
    }

    /// The path of `field` below this one.
    #[must_use]
    pub fn child(&self, field: &str) -> Self {
        if self.0.is_empty() { Self::new(field) } else { Self(format!("{}.{field}", self.0)) }
    }

    /// The path of the item at `index` of this list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path of the entry `key` of this map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_written_as_the_api_server_writes_it() {
        let path = FieldPath::new("spec").child("syscalls").index(3).child("names").index(0);
        assert_eq!(path.to_string(), "spec.syscalls[3].names[0]");
        assert_eq!(FieldPath::new("allow").key("@self").to_string(), "allow[@self]");
        assert_eq!(FieldPath::default().child("spec").to_string(), "spec");
    }
}
