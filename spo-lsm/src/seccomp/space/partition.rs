//! Where the decisions of several profiles about one call lie in its space.

use super::super::Effect;
use super::super::lower::Decision;
use super::{Block, largest};

/// What one profile says about a call.
#[derive(Debug, Clone)]
pub(in crate::seccomp) struct Side {
    /// The first block that a call is in decides.
    rules: Vec<(Block, Effect)>,
    default: Effect,
}

/// How much work an answer may take: for one call, and for all. It is enough for a profile of any size whose conditions are such as people
/// write.
#[derive(Debug)]
pub(in crate::seccomp) struct Budget {
    call: u32,
    all: u32,
}

/// The conditions of some rules cut the space into more pieces than are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::seccomp) struct TooComplex;

impl Default for Budget {
    fn default() -> Self {
        Self { call: 0, all: 1 << 24 }
    }
}

impl Budget {
    const PER_CALL: u32 = 1 << 20;

    /// Begins with another call.
    pub(in crate::seccomp) fn begin(&mut self) {
        self.call = Self::PER_CALL.min(self.all);
    }

    /// Takes as much as `count` blocks need.
    pub(in crate::seccomp) fn take(&mut self, count: usize) -> Result<(), TooComplex> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.all = self.all.saturating_sub(count);
        self.call = self.call.checked_sub(count).ok_or(TooComplex)?;
        Ok(())
    }
}

impl Side {
    /// The side of a profile with this default effect that has this decision, if any, for an ABI whose arguments are at most `max`.
    pub(in crate::seccomp) fn new(decision: Option<&Decision>, default: Effect, is_32_bit: bool) -> Self {
        let max = largest(is_32_bit);
        let rules = match decision {
            None => Vec::new(),
            Some(Decision::Always(effect)) => vec![(Block::all(max), *effect)],
            Some(Decision::First(rules)) => {
                rules.iter().filter_map(|rule| Some((Block::of(&rule.conditions, max)?, rule.effect))).collect()
            }
        };
        Self { rules, default }
    }

    /// The same effect for all calls.
    pub(in crate::seccomp) fn always(effect: Effect) -> Self {
        Self { rules: Vec::new(), default: effect }
    }
}

/// A part of the space, and how far it was looked through.
struct Piece<const N: usize> {
    block: Block,
    /// The sides that are done, and their effects in this piece.
    done: usize,
    effects: [Effect; N],
    /// The rules of the next side that were looked at.
    rules: usize,
}

/// Cuts the space of a call into blocks in which each of `sides` has one effect, and gives each block to `leaf`, until there is none
/// left or `leaf` says that it has seen enough.
pub(in crate::seccomp) fn partition<const N: usize>(
    sides: &[Side; N],
    is_32_bit: bool,
    budget: &mut Budget,
    mut leaf: impl FnMut(&Block, [Effect; N]) -> bool,
) -> Result<(), TooComplex> {
    budget.begin();
    let all = Block::all(largest(is_32_bit));
    let mut left = vec![Piece { block: all, done: 0, effects: sides.each_ref().map(|side| side.default), rules: 0 }];
    while let Some(piece) = left.pop() {
        let Some(side) = sides.get(piece.done) else {
            if leaf(&piece.block, piece.effects) {
                continue;
            }
            return Ok(());
        };
        let rest = &side.rules[piece.rules..];
        let found = rest.iter().position(|(block, _)| !block.is_apart(&piece.block));
        budget.take(1 + found.unwrap_or(rest.len()))?;
        let Some(found) = found else {
            left.push(Piece { done: piece.done + 1, rules: 0, ..piece });
            continue;
        };
        let (block, effect) = &rest[found];
        let (inside, outside) = piece.block.split(block);
        budget.take(inside.len() + outside.len())?;
        let rules = piece.rules + found + 1;
        left.extend(outside.into_iter().map(|block| Piece { block, rules, ..piece }));
        let mut effects = piece.effects;
        effects[piece.done] = *effect;
        left.extend(inside.into_iter().map(|block| Piece { block, done: piece.done + 1, effects, rules: 0 }));
    }
    Ok(())
}
