//! Sets of bytes.

/// Which of the 256 bytes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    pub(super) const NONE: Self = Self([0; 4]);
    /// All but NUL, which no path has.
    pub(super) const ANY: Self = Self([!1, !0, !0, !0]);

    /// All that a name of a file can have: no NUL, no slash.
    pub(super) const NAME: Self = Self([!1 & !(1 << b'/'), !0, !0, !0]);

    pub(super) const fn one(byte: u8) -> Self {
        let mut words = [0; 4];
        words[byte as usize / 64] = 1 << (byte % 64);
        Self(words)
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte) / 64] |= 1 << (byte % 64);
    }

    pub(super) const fn contains(self, byte: u8) -> bool {
        self.0[byte as usize / 64] & (1 << (byte % 64)) != 0
    }

    /// Those that are in both, and those that are in this one alone.
    pub(super) fn split(self, by: Self) -> (Self, Self) {
        let (mut both, mut rest) = (self.0, self.0);
        both.iter_mut().zip(by.0).for_each(|(word, other)| *word &= other);
        rest.iter_mut().zip(by.0).for_each(|(word, other)| *word &= !other);
        (Self(both), Self(rest))
    }

    /// Whether there are none.
    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// All but these, and but NUL.
    pub(super) fn inverse(self) -> Self {
        let mut words = Self::ANY.0;
        words.iter_mut().zip(self.0).for_each(|(word, taken)| *word &= !taken);
        Self(words)
    }
}
