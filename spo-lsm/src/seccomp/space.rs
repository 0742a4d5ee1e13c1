//! The space of all calls of one number, and where in it which effect holds.
//!
//! A call has six arguments, so its space has six dimensions. A rule holds in a [`Block`] of it: one [`Set`] of values for each argument.
//! Sets are closed under "and" and "not" for every operator, so that blocks can be cut out of each other without a remainder: what is
//! computed here is exact. Only how many pieces are looked at is bounded ([`Budget`]), and whoever asks is told when they are too many.

mod block;
mod partition;
mod set;

pub(super) use block::Block;
pub(super) use partition::{Budget, Side, TooComplex, partition};
pub(super) use set::Set;

/// The largest value of an argument: what an ABI compares has 32 bits or 64.
pub(super) const fn largest(is_32_bit: bool) -> u64 {
    if is_32_bit { 0xffff_ffff } else { u64::MAX }
}
