//! Blocks: one set of values for each of six arguments.

use super::super::{Argument, Condition, Test};
use super::Set;

const ARGUMENTS: usize = Argument::COUNT as usize;

/// The calls whose arguments are in these sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::seccomp) struct Block {
    sets: [Set; ARGUMENTS],
    /// The largest value of an argument.
    max: u64,
}

impl Block {
    /// All calls.
    pub(in crate::seccomp) const fn all(max: u64) -> Self {
        Self { sets: [Set::all(max); ARGUMENTS], max }
    }

    /// The calls that meet all conditions, of which each is about another argument; none if no call does.
    pub(in crate::seccomp) fn of(conditions: &[Condition], max: u64) -> Option<Self> {
        conditions.iter().try_fold(Self::all(max), |block, condition| {
            Some(block.with(usize::from(condition.argument.index()), Set::of(condition.test, max)?))
        })
    }

    fn with(mut self, index: usize, set: Set) -> Self {
        self.sets[index] = set;
        self
    }

    /// Whether no call is also in `other`.
    pub(in crate::seccomp) fn is_apart(&self, other: &Self) -> bool {
        self.sets.iter().zip(&other.sets).any(|(a, b)| a.is_apart(*b, self.max))
    }

    /// Whether all calls of `other` are in it.
    pub(in crate::seccomp) fn covers(&self, other: &Self) -> bool {
        self.sets.iter().zip(&other.sets).all(|(a, b)| a.covers(*b, self.max))
    }

    /// The calls of this block that are in `other`, and those that are not, as blocks that have none in common.
    pub(in crate::seccomp) fn split(&self, other: &Self) -> (Vec<Self>, Vec<Self>) {
        if self.is_apart(other) {
            return (Vec::new(), vec![*self]);
        }
        let (mut inside, mut outside) = (vec![*self], Vec::new());
        for index in 0..ARGUMENTS {
            let (own, theirs) = (self.sets[index], other.sets[index]);
            if theirs.covers(own, self.max) {
                continue;
            }
            let left: Vec<Set> = theirs.others(self.max).into_iter().flat_map(|set| own.and(set, self.max)).collect();
            let kept = own.and(theirs, self.max);
            outside.extend(each(&inside, index, &left));
            inside = each(&inside, index, &kept).collect();
        }
        (inside, outside)
    }

    /// Arguments of one of its calls.
    pub(in crate::seccomp) fn example(&self) -> [u64; ARGUMENTS] {
        self.sets.map(Set::example)
    }

    /// Lists of conditions of which one holds for exactly these calls. There may be many where no single test says what a set is.
    pub(in crate::seccomp) fn conditions(&self) -> Vec<Vec<Condition>> {
        let mut lists = vec![Vec::new()];
        for (index, set) in self.sets.iter().enumerate() {
            let Some(argument) = i64::try_from(index).ok().and_then(Argument::new) else { continue };
            let tests: Vec<Test> = set.tests(self.max);
            if !tests.is_empty() {
                let longer = |list: &Vec<Condition>| {
                    let list = list.clone();
                    let add = move |test: &Test| [&list[..], &[Condition { argument, test: *test }]].concat();
                    tests.iter().map(add).collect::<Vec<_>>()
                };
                lists = lists.iter().flat_map(longer).collect();
            }
        }
        lists
    }

    /// How many lists [`Self::conditions`] has.
    pub(in crate::seccomp) fn weight(&self) -> usize {
        self.sets.iter().fold(1, |weight, set| weight.saturating_mul(set.tests(self.max).len().max(1)))
    }

    /// What holds for the arguments, as one would write it in C.
    pub(in crate::seccomp) fn text(&self) -> Vec<String> {
        self.sets.iter().enumerate().filter_map(|(index, set)| set.text(index, self.max)).collect()
    }
}

/// Each block with each of the sets for one argument.
fn each(blocks: &[Block], index: usize, sets: &[Set]) -> impl Iterator<Item = Block> {
    blocks.iter().flat_map(move |block| sets.iter().map(move |set| block.with(index, *set)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(conditions: &[(i64, Test)]) -> Block {
        let condition =
            |(index, test): &(i64, Test)| Condition { argument: Argument::new(*index).unwrap(), test: *test };
        Block::of(&conditions.iter().map(condition).collect::<Vec<_>>(), u64::MAX).unwrap()
    }

    fn has(block: &Block, args: [u64; 6]) -> bool {
        block.sets.iter().zip(args).all(|(set, arg)| set.has(arg))
    }

    #[test]
    fn a_split_loses_no_call_and_has_none_twice() {
        let whole = block(&[(0, Test::LessThan(6)), (2, Test::NotEqual(3))]);
        let part =
            block(&[(0, Test::GreaterEqual(2)), (1, Test::MaskedEqual { mask: 5, value: 1 }), (2, Test::LessThan(5))]);
        let (inside, outside) = whole.split(&part);
        for at in 0..8_u64.pow(3) {
            let args = [at % 8, at / 8 % 8, at / 64, 0, 0, 0];
            let found = |blocks: &[Block]| blocks.iter().filter(|block| has(block, args)).count();
            let expected = (has(&whole, args) && has(&part, args), has(&whole, args) && !has(&part, args));
            assert_eq!((found(&inside), found(&outside)), (expected.0.into(), expected.1.into()), "{args:?}");
        }
        assert!(inside.iter().chain(&outside).all(|block| has(&whole, block.example())));
    }

    #[test]
    fn a_block_is_written_as_lists_of_conditions() {
        let (inside, _) =
            block(&[(0, Test::GreaterEqual(3))]).split(&block(&[(0, Test::LessEqual(5)), (4, Test::Equal(1))]));
        assert_eq!(inside.len(), 1);
        assert_eq!(inside[0].text(), ["0x3 <= arg0 <= 0x5", "arg4 == 0x1"]);
        let lists: Vec<String> = inside[0]
            .conditions()
            .iter()
            .map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))
            .collect();
        assert_eq!(lists, ["arg0 == 0x3 and arg4 == 0x1", "arg0 & 0xfffffffffffffffe == 0x4 and arg4 == 0x1"]);
        assert_eq!(inside[0].weight(), 2);
    }

    #[test]
    fn a_block_covers_its_parts() {
        let (large, small) = (block(&[(1, Test::NotEqual(3))]), block(&[(1, Test::Equal(4)), (5, Test::Equal(0))]));
        assert!(large.covers(&small) && !small.covers(&large));
        assert!(Block::all(u64::MAX).covers(&large));
        assert!(block(&[(1, Test::Equal(3))]).is_apart(&large));
    }
}
