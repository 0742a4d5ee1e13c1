//! Changing inputs at random, the same way each time. libFuzzer has a better way, which learns; this one needs nothing.

/// Bytes at which formats change their mind.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xff{}[]\"':,-\\ \n\t0123456789aAeE&*!|>#%.";

/// The longest input that comes out.
const MAX_BYTES: usize = 64 << 10;

/// A source of changes. Equal seeds give equal changes.
#[derive(Debug)]
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `inputs`, changed in one to eight places.
    pub(crate) fn mutate(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut data = self.one_of(inputs).cloned().unwrap_or_default();
        for _ in 0..=self.below(8) {
            self.change(&mut data, inputs);
        }
        data.truncate(MAX_BYTES);
        data
    }

    fn change(&mut self, data: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(data.len() + 1);
        let end = at + self.below((data.len() - at).min(64) + 1);
        match self.below(7) {
            0 => data.truncate(at),
            1 => drop(data.drain(at..end)),
            2 => data.insert(at, self.byte()),
            3 if at < data.len() => data[at] = self.byte(),
            4 if at < data.len() => data[at] ^= 1 << self.below(8),
            5 => {
                let piece = data[at..end].repeat(1 + self.below(4));
                data.splice(at..at, piece);
            }
            _ => {
                let other = self.one_of(inputs).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                data.splice(at..end, other[from..].iter().take(64).copied());
            }
        }
    }

    fn byte(&mut self) -> u8 {
        match self.one_of(TELLING) {
            Some(byte) if self.0 & 1 == 0 => *byte,
            _ => self.next().to_le_bytes()[0],
        }
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len().max(1)))
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    /// SplitMix64, by Sebastiano Vigna: <https://prng.di.unimi.it/splitmix64.c>.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_inputs_and_others_others() {
        let inputs = [b"{\"a\": [1, 2]}".to_vec(), b"x".repeat(100)];
        let made: Vec<Vec<u8>> = (0..100).map(|seed| Mutator::new(seed).mutate(&inputs)).collect();
        assert_eq!(made, (0..100).map(|seed| Mutator::new(seed).mutate(&inputs)).collect::<Vec<_>>());
        let distinct: std::collections::BTreeSet<_> = made.iter().collect();
        assert!(distinct.len() > 90, "{} of 100", distinct.len());
    }
}
