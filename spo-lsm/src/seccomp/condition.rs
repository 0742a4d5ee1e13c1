//! Conditions on the arguments of a call.

use std::fmt;

use spo_api::seccomp::Operator;

/// Which argument of a call: 0 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Argument(u8);

impl Argument {
    /// How many arguments a system call has.
    pub const COUNT: u8 = 6;
    pub(super) const FIRST: Self = Self(0);

    /// The argument at `index`, if a call has that many.
    pub fn new(index: i64) -> Option<Self> {
        u8::try_from(index).ok().filter(|index| *index < Self::COUNT).map(Self)
    }

    /// Its position, from 0.
    pub const fn index(self) -> u8 {
        self.0
    }
}

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Condition {
    /// The argument.
    pub argument: Argument,
    /// What must hold for it.
    pub test: Test,
}

/// What must hold for a value. Arguments are unsigned 64-bit numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Test {
    /// `!=`
    NotEqual(u64),
    /// `<`
    LessThan(u64),
    /// `<=`
    LessEqual(u64),
    /// `==`
    Equal(u64),
    /// `>=`
    GreaterEqual(u64),
    /// `>`
    GreaterThan(u64),
    /// `argument & mask == value & mask`
    MaskedEqual {
        /// The bits that are compared.
        mask: u64,
        /// What they must be; bits outside the mask are not looked at.
        value: u64,
    },
}

impl Test {
    /// A test as the API writes it: `value` is the mask, and `value_two` the value, of [`Operator::MaskedEqual`].
    pub const fn new(operator: Operator, value: u64, value_two: u64) -> Self {
        match operator {
            Operator::NotEqual => Self::NotEqual(value),
            Operator::LessThan => Self::LessThan(value),
            Operator::LessEqual => Self::LessEqual(value),
            Operator::Equal => Self::Equal(value),
            Operator::GreaterEqual => Self::GreaterEqual(value),
            Operator::GreaterThan => Self::GreaterThan(value),
            Operator::MaskedEqual => Self::MaskedEqual { mask: value, value: value_two },
        }
    }

    /// The operator, `value` and `value_two`, as the API writes them.
    pub const fn parts(self) -> (Operator, u64, u64) {
        match self {
            Self::NotEqual(value) => (Operator::NotEqual, value, 0),
            Self::LessThan(value) => (Operator::LessThan, value, 0),
            Self::LessEqual(value) => (Operator::LessEqual, value, 0),
            Self::Equal(value) => (Operator::Equal, value, 0),
            Self::GreaterEqual(value) => (Operator::GreaterEqual, value, 0),
            Self::GreaterThan(value) => (Operator::GreaterThan, value, 0),
            Self::MaskedEqual { mask, value } => (Operator::MaskedEqual, mask, value),
        }
    }

    /// Whether it holds for `argument`.
    pub const fn holds(self, argument: u64) -> bool {
        match self {
            Self::NotEqual(value) => argument != value,
            Self::LessThan(value) => argument < value,
            Self::LessEqual(value) => argument <= value,
            Self::Equal(value) => argument == value,
            Self::GreaterEqual(value) => argument >= value,
            Self::GreaterThan(value) => argument > value,
            Self::MaskedEqual { mask, value } => argument & mask == value & mask,
        }
    }

    /// Whether it looks at no bit, and so always holds.
    pub(super) const fn is_blind(self) -> bool {
        matches!(self, Self::MaskedEqual { mask: 0, .. })
    }

    /// The test on the lower 32 bits, as ABIs with 32-bit arguments make it.
    pub(super) const fn truncated(self) -> Self {
        const LOW: u64 = 0xffff_ffff;
        let (operator, value, value_two) = self.parts();
        Self::new(operator, value & LOW, value_two & LOW)
    }

    /// Whether no value can pass both tests; `false` also where that is too hard to tell.
    pub(super) fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Equal(value), test) | (test, Self::Equal(value)) => !test.holds(value),
            (Self::MaskedEqual { mask: a, value: x }, Self::MaskedEqual { mask: b, value: y }) => (x ^ y) & a & b != 0,
            (a, b) => match (a.range(), b.range()) {
                (Some((low, high)), Some((from, to))) => low.max(from) > high.min(to),
                _ => false,
            },
        }
    }

    /// The lowest and the highest value that passes, if all between them do and there are any; an impossible range is `(1, 0)`.
    fn range(self) -> Option<(u64, u64)> {
        const NONE: (u64, u64) = (1, 0);
        match self {
            Self::LessThan(value) => Some(value.checked_sub(1).map_or(NONE, |high| (0, high))),
            Self::LessEqual(value) => Some((0, value)),
            Self::Equal(value) => Some((value, value)),
            Self::GreaterEqual(value) => Some((value, u64::MAX)),
            Self::GreaterThan(value) => Some(value.checked_add(1).map_or(NONE, |low| (low, u64::MAX))),
            Self::NotEqual(_) | Self::MaskedEqual { .. } => None,
        }
    }
}

/// As one would write it in C: `arg0 & 0x7e020000 == 0`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, value, value_two) = self.test.parts();
        let sign = match operator {
            Operator::NotEqual => "!=",
            Operator::LessThan => "<",
            Operator::LessEqual => "<=",
            Operator::Equal => "==",
            Operator::GreaterEqual => ">=",
            Operator::GreaterThan => ">",
            Operator::MaskedEqual => return write!(f, "arg{} & {value:#x} == {value_two:#x}", self.argument.0),
        };
        write!(f, "arg{} {sign} {value:#x}", self.argument.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_six_arguments() {
        assert_eq!(Argument::new(5).map(Argument::index), Some(5));
        for index in [-1, 6, 256, i64::MAX] {
            assert_eq!(Argument::new(index), None, "{index}");
        }
    }

    #[test]
    fn what_excludes_each_other_has_no_common_value() {
        let tests = [
            Test::NotEqual(3),
            Test::LessThan(0),
            Test::LessThan(3),
            Test::LessEqual(3),
            Test::Equal(3),
            Test::Equal(4),
            Test::GreaterEqual(3),
            Test::GreaterThan(3),
            Test::GreaterThan(u64::MAX),
            Test::MaskedEqual { mask: 6, value: 2 },
            Test::MaskedEqual { mask: 2, value: 0 },
        ];
        for a in tests {
            for b in tests {
                assert_eq!(a.excludes(b), b.excludes(a), "{a:?} {b:?}");
                let common = (0..16).chain([u64::MAX]).find(|value| a.holds(*value) && b.holds(*value));
                assert!(!(a.excludes(b) && common.is_some()), "{a:?} {b:?} hold for {common:?}");
            }
        }
        assert!(Test::Equal(3).excludes(Test::Equal(4)));
        assert!(Test::LessThan(3).excludes(Test::GreaterEqual(3)));
        assert!(!Test::LessEqual(3).excludes(Test::GreaterEqual(3)));
        assert!(Test::MaskedEqual { mask: 6, value: 2 }.excludes(Test::MaskedEqual { mask: 2, value: 0 }));
    }

    #[test]
    fn a_test_survives_the_way_through_the_api() {
        for operator in
            [Operator::NotEqual, Operator::LessThan, Operator::LessEqual, Operator::Equal, Operator::GreaterThan]
        {
            assert_eq!(Test::new(operator, 7, 0).parts(), (operator, 7, 0));
        }
        assert_eq!(Test::new(Operator::MaskedEqual, 7, 3).parts(), (Operator::MaskedEqual, 7, 3));
    }
}
