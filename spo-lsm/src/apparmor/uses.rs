//! Ways to use a file.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use serde::{Serialize, Serializer};

/// Some ways to use a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Uses(u8);

impl Uses {
    /// None.
    pub const NONE: Self = Self(0);
    /// To read it.
    pub const READ: Self = Self(1);
    /// To write it, and what goes with that: to make and remove, to lock and to link it.
    pub const WRITE: Self = Self(2);
    /// To run it.
    pub const EXECUTE: Self = Self(4);
    /// To load it as a library.
    pub const LOAD: Self = Self(8);

    /// Each by itself.
    pub(super) const EACH: [Self; 4] = [Self::READ, Self::WRITE, Self::EXECUTE, Self::LOAD];

    /// Whether all of `other` are among these.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Uses {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Uses {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Self::EACH.into_iter().zip(["read", "write", "run", "load"]);
        let words: Vec<&str> = words.filter(|(one, _)| self.contains(*one)).map(|(_, word)| word).collect();
        f.write_str(&words.join(" and "))
    }
}

impl Serialize for Uses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
