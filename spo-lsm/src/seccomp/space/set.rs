//! Sets of values of one argument.

use std::fmt;

use super::super::Test;

/// Some values of an argument, at least one. Each set has one form only: what can be a range is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::seccomp) enum Set {
    /// From one value to another, both included.
    Range { low: u64, high: u64 },
    /// Those that have these bits.
    Bits { mask: u64, value: u64 },
    /// Those that have not all of these bits.
    NotBits { mask: u64, value: u64 },
}

impl Set {
    /// All values up to `max`, which is all ones.
    pub(in crate::seccomp) const fn all(max: u64) -> Self {
        Self::Range { low: 0, high: max }
    }

    /// The values that pass a test; none if no value does.
    pub(in crate::seccomp) fn of(test: Test, max: u64) -> Option<Self> {
        let range = |low: u64, high: u64| (low <= high).then_some(Self::Range { low, high });
        match test {
            Test::NotEqual(value) => Some(Self::not_bits(max, value, max)),
            Test::LessThan(value) => range(0, value.checked_sub(1)?.min(max)),
            Test::LessEqual(value) => range(0, value.min(max)),
            Test::Equal(value) => range(value, value.min(max)),
            Test::GreaterEqual(value) => range(value, max),
            Test::GreaterThan(value) => range(value.checked_add(1)?, max),
            // A mask without bits holds for all; `bits` knows.
            Test::MaskedEqual { mask, value } => Some(Self::bits(mask, value, max)),
        }
    }

    fn bits(mask: u64, value: u64, max: u64) -> Self {
        let (mask, free) = (mask & max, !mask & max);
        let value = value & mask;
        // Free bits that are the lowest ones make a range.
        if free & free.wrapping_add(1) == 0 {
            Self::Range { low: value, high: value | free }
        } else {
            Self::Bits { mask, value }
        }
    }

    /// All but one value, or all without some bits; ranges where they say the same.
    fn not_bits(mask: u64, value: u64, max: u64) -> Self {
        if mask == max && value == 0 {
            Self::Range { low: 1, high: max }
        } else if mask == max && value == max {
            Self::Range { low: 0, high: max - 1 }
        } else {
            Self::NotBits { mask, value }
        }
    }

    /// Whether a value is among them.
    pub(in crate::seccomp) const fn has(self, argument: u64) -> bool {
        match self {
            Self::Range { low, high } => low <= argument && argument <= high,
            Self::Bits { mask, value } => argument & mask == value,
            Self::NotBits { mask, value } => argument & mask != value,
        }
    }

    /// One of them.
    pub(in crate::seccomp) const fn example(self) -> u64 {
        match self {
            Self::Range { low, .. } => low,
            Self::Bits { value, .. } => value,
            Self::NotBits { mask, value } => value ^ (mask & mask.wrapping_neg()),
        }
    }

    /// All other values, as sets that have none in common.
    pub(in crate::seccomp) fn others(self, max: u64) -> Vec<Self> {
        match self {
            Self::Range { low, high } if low == high => vec![Self::not_bits(max, low, max)],
            Self::Range { low, high } => {
                let below = (low > 0).then(|| Self::Range { low: 0, high: low - 1 });
                let above = (high < max).then(|| Self::Range { low: high + 1, high: max });
                below.into_iter().chain(above).collect()
            }
            Self::Bits { mask, value } => vec![Self::not_bits(mask, value, max)],
            Self::NotBits { mask, value } => vec![Self::bits(mask, value, max)],
        }
    }

    /// The values that are also in `other`, as sets that have none in common.
    pub(in crate::seccomp) fn and(self, other: Self, max: u64) -> Vec<Self> {
        match (self, other) {
            (a, b) if a == b => vec![a],
            (Self::Range { low: a, high: b }, Self::Range { low: c, high: d }) => {
                let (low, high) = (a.max(c), b.min(d));
                if low <= high { vec![Self::Range { low, high }] } else { Vec::new() }
            }
            (Self::Bits { mask, value }, Self::Bits { mask: m, value: v }) => {
                both(mask, value, m, v, max).into_iter().collect()
            }
            (Self::Range { low, high }, Self::Bits { mask, value })
            | (Self::Bits { mask, value }, Self::Range { low, high }) => {
                prefixes(low, high, max).filter_map(|(m, v)| both(mask, value, m, v, max)).collect()
            }
            // All but one value are two ranges at most.
            (Self::NotBits { mask, value }, Self::NotBits { mask: m, value: v }) if mask == max => Self::all(max)
                .without(mask, value, max)
                .into_iter()
                .flat_map(|range| range.without(m, v, max))
                .collect(),
            (Self::NotBits { mask, value }, rest) | (rest, Self::NotBits { mask, value }) => {
                rest.without(mask, value, max)
            }
        }
    }

    /// Whether no value is also in `other`.
    pub(in crate::seccomp) fn is_apart(self, other: Self, max: u64) -> bool {
        match (self, other) {
            (Self::Range { low: a, high: b }, Self::Range { low: c, high: d }) => a.max(c) > b.min(d),
            (Self::Bits { mask, value }, Self::Bits { mask: m, value: v }) => (value ^ v) & mask & m != 0,
            (Self::Range { low, high }, one) | (one, Self::Range { low, high }) if low == high => !one.has(low),
            (a, b) => a.and(b, max).is_empty(),
        }
    }

    /// Whether all values of `other` are among them.
    pub(in crate::seccomp) fn covers(self, other: Self, max: u64) -> bool {
        self == other || self.others(max).into_iter().all(|outside| outside.is_apart(other, max))
    }

    /// These without those that have all of some bits.
    fn without(self, mask: u64, value: u64, max: u64) -> Vec<Self> {
        if let (Self::Range { low, high }, true) = (self, mask == max) {
            // One value is left out of a range.
            let below = (low < value).then(|| Self::Range { low, high: high.min(value.wrapping_sub(1)) });
            let above = (high > value).then(|| Self::Range { low: low.max(value.wrapping_add(1)), high });
            return below.into_iter().chain(above).collect();
        }
        if self.is_apart(Self::bits(mask, value, max), max) {
            return vec![self];
        }
        without_bits(mask, value).flat_map(|(m, v)| self.and(Self::bits(m, v, max), max)).collect()
    }

    /// Tests of which one holds for exactly these values; none if these are all.
    pub(in crate::seccomp) fn tests(self, max: u64) -> Vec<Test> {
        let masked = |(mask, value)| if mask == max { Test::Equal(value) } else { Test::MaskedEqual { mask, value } };
        match self {
            Self::Range { low: 0, high } if high == max => Vec::new(),
            Self::Range { low, high } if low == high => vec![Test::Equal(low)],
            Self::Range { low: 0, high } => vec![Test::LessEqual(high)],
            Self::Range { low: 1, high } if high == max => vec![Test::NotEqual(0)],
            Self::Range { low, high } if high == max => vec![Test::GreaterEqual(low)],
            Self::Range { low, high } => prefixes(low, high, max).map(masked).collect(),
            Self::Bits { mask, value } => vec![Test::MaskedEqual { mask, value }],
            Self::NotBits { mask, value } if mask == max => vec![Test::NotEqual(value)],
            Self::NotBits { mask, value } => without_bits(mask, value).map(masked).collect(),
        }
    }

    /// What holds for these values of argument `index`, as one would write it in C; nothing if these are all.
    pub(in crate::seccomp) fn text(self, index: usize, max: u64) -> Option<String> {
        if self == Self::all(max) { None } else { Some(Text { set: self, index, max }.to_string()) }
    }
}

/// The values that have the bits of both masks, if there are any.
fn both(mask: u64, value: u64, m: u64, v: u64, max: u64) -> Option<Set> {
    ((value ^ v) & mask & m == 0).then(|| Set::bits(mask | m, value | v, max))
}

/// Masks and their bits, of which each value that has not all bits of `mask` has exactly one: the highest bit that differs, with what is
/// above it.
fn without_bits(mask: u64, value: u64) -> impl Iterator<Item = (u64, u64)> {
    let bits = (0..u64::BITS).rev().map(|at| 1_u64 << at).filter(move |bit| mask & bit != 0);
    bits.map(move |bit| {
        let above = mask & !(bit | (bit - 1));
        (above | bit, (value & above) | (!value & bit))
    })
}

/// A range as masks and their bits: blocks whose size is a power of two, from the lowest on. There are fewer than 128.
fn prefixes(low: u64, high: u64, max: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut next = Some(low);
    std::iter::from_fn(move || {
        let start = next?;
        let left = high - start;
        let fits = |free: u64| start & free == 0 && free <= left;
        let mut free = 0_u64;
        while free < max && fits(free << 1 | 1) {
            free = free << 1 | 1;
        }
        next = start.checked_add(free).and_then(|end| end.checked_add(1)).filter(|after| *after <= high);
        Some((!free & max, start))
    })
}

struct Text {
    set: Set,
    index: usize,
    max: u64,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, index, max } = *self;
        match set {
            Set::Range { low, high } if low == high => write!(f, "arg{index} == {low:#x}"),
            Set::Range { low: 0, high } => write!(f, "arg{index} <= {high:#x}"),
            Set::Range { low: 1, high } if high == max => write!(f, "arg{index} != 0x0"),
            Set::Range { low, high } if high == max => write!(f, "arg{index} >= {low:#x}"),
            Set::Range { low, high } => write!(f, "{low:#x} <= arg{index} <= {high:#x}"),
            Set::Bits { mask, value } => write!(f, "arg{index} & {mask:#x} == {value:#x}"),
            Set::NotBits { mask, value } if mask == max => write!(f, "arg{index} != {value:#x}"),
            Set::NotBits { mask, value } => write!(f, "arg{index} & {mask:#x} != {value:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use spo_api::seccomp::Operator;

    use super::*;

    /// Arguments of six bits, so that every value can be tried: a `max` is all that says how wide they are.
    const MAX: u64 = 0b11_1111;

    fn set() -> impl Strategy<Value = (Test, Option<Set>)> {
        use Operator::{Equal, GreaterEqual, GreaterThan, LessEqual, LessThan, MaskedEqual, NotEqual};
        let operators = vec![NotEqual, LessThan, LessEqual, Equal, GreaterEqual, GreaterThan, MaskedEqual];
        (prop::sample::select(operators), 0..=MAX, 0..=MAX).prop_map(|(operator, value, value_two)| {
            let test = Test::new(operator, value, value_two);
            (test, Set::of(test, MAX))
        })
    }

    fn how_many(sets: &[Set], value: u64) -> usize {
        sets.iter().filter(|set| set.has(value)).count()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn a_set_has_what_its_test_holds_for((test, set) in set()) {
            for value in 0..=MAX {
                prop_assert_eq!(set.is_some_and(|set| set.has(value)), test.holds(value));
            }
        }

        #[test]
        fn sets_are_combined_exactly_and_into_pieces_that_are_apart((_, a) in set(), (_, b) in set()) {
            let (Some(a), Some(b)) = (a, b) else { return Ok(()) };
            let (common, others) = (a.and(b, MAX), a.others(MAX));
            for value in 0..=MAX {
                prop_assert_eq!(how_many(&common, value), usize::from(a.has(value) && b.has(value)), "{} in {:?}", value, common);
                prop_assert_eq!(how_many(&others, value), usize::from(!a.has(value)), "{} in {:?}", value, others);
            }
            prop_assert_eq!(a.is_apart(b, MAX), common.is_empty());
            prop_assert_eq!(a.covers(b, MAX), (0..=MAX).all(|value| a.has(value) || !b.has(value)));
            prop_assert!(common.iter().chain(&others).all(|set| set.has(set.example())));
        }

        #[test]
        fn a_set_is_written_as_tests_that_say_the_same((_, a) in set(), (_, b) in set()) {
            let (Some(a), Some(b)) = (a, b) else { return Ok(()) };
            for set in a.and(b, MAX) {
                let tests = set.tests(MAX);
                for value in 0..=MAX {
                    let holds = tests.is_empty() || tests.iter().any(|test| test.holds(value));
                    prop_assert_eq!(holds, set.has(value), "{} in {:?}: {:?}", value, set, tests);
                }
            }
        }
    }

    #[test]
    fn ranges_of_any_width_end_where_they_should() {
        for (low, high, pieces) in
            [(0, u64::MAX, 1), (1, u64::MAX - 1, 126), (u64::MAX, u64::MAX, 1), (1 << 63, u64::MAX, 1), (3, 5, 2)]
        {
            let found: Vec<(u64, u64)> = prefixes(low, high, u64::MAX).collect();
            assert_eq!(found.len(), pieces, "{low:#x} to {high:#x}");
            assert_eq!(found[0].1, low);
            let (mask, value) = found[pieces - 1];
            assert_eq!(value | !mask, high);
        }
    }

    #[test]
    fn sets_read_as_one_would_write_them() {
        let text = |test| Set::of(test, u64::MAX).unwrap().text(0, u64::MAX);
        assert_eq!(text(Test::MaskedEqual { mask: 0x7e02_0000, value: 0 }).unwrap(), "arg0 & 0x7e020000 == 0x0");
        assert_eq!(text(Test::NotEqual(8)).unwrap(), "arg0 != 0x8");
        assert_eq!(text(Test::LessThan(8)).unwrap(), "arg0 <= 0x7");
        assert_eq!(text(Test::GreaterEqual(0)), None);
        assert_eq!(Set::Range { low: 3, high: 5 }.text(2, u64::MAX).unwrap(), "0x3 <= arg2 <= 0x5");
    }
}
