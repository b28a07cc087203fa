//! Sets of agents' numbers, a bit for each.

use eqmesh_replica::AgentId;

/// A set of numbers up to [`AgentId::MAX_NUMBER`]. At most 8 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberSet {
    /// No zeros at the end, so that equal sets are equal.
    words: Vec<u64>,
}

/// The longest binary form of a set, in bytes.
pub const MAX_NUMBER_SET: usize = (AgentId::MAX_NUMBER as usize >> 3) + 1;

impl NumberSet {
    /// Adds a number; answers whether it was new. Greater ones than an agent can have are left out.
    pub fn insert(&mut self, number: u32) -> bool {
        if number > AgentId::MAX_NUMBER {
            return false;
        }
        let (at, bit) = (number as usize / 64, 1 << (number % 64));
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        let new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        new
    }

    /// Whether a number is in it.
    pub fn contains(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64).copied().unwrap_or(0);
        word >> (number % 64) & 1 == 1
    }

    /// Whether it has all numbers of another set.
    pub fn covers(&self, other: &NumberSet) -> bool {
        let own = self.words.iter().copied().chain(std::iter::repeat(0));
        other.words.iter().zip(own).all(|(&theirs, own)| theirs & !own == 0)
    }

    /// Adds all numbers of another set.
    pub fn join(&mut self, other: &NumberSet) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (own, theirs) in self.words.iter_mut().zip(&other.words) {
            *own |= theirs;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let bits = (0..64u32).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| at as u32 * 64 + bit)
        })
    }

    /// Bit `n % 8` of byte `n / 8` for number `n`, without zero bytes at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes
    }

    /// Reads what [`NumberSet::to_bytes`] made. None for anything else: too long, a zero byte at the end, or a number that no agent can have.
    pub fn from_bytes(bytes: &[u8]) -> Option<NumberSet> {
        if bytes.len() > MAX_NUMBER_SET || bytes.last() == Some(&0) {
            return None;
        }
        let word = |chunk: &[u8]| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        };
        let words = bytes.chunks(8).map(word).collect();
        Some(NumberSet { words }).filter(|set| !set.contains(AgentId::MAX_NUMBER + 1))
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> NumberSet {
        let mut set = NumberSet::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(a in prop::collection::btree_set(0u32..300, 0..20), b in prop::collection::btree_set(0u32..300, 0..20)) {
            let set = |numbers: &BTreeSet<u32>| numbers.iter().copied().collect::<NumberSet>();
            let (left, right) = (set(&a), set(&b));
            prop_assert!(left.iter().eq(a.iter().copied()));
            prop_assert_eq!(left.len(), a.len());
            prop_assert_eq!(left.covers(&right), a.is_superset(&b));
            let mut both = left.clone();
            both.join(&right);
            prop_assert!(both.iter().eq(a.union(&b).copied()));
            prop_assert_eq!(NumberSet::from_bytes(&left.to_bytes()), Some(left));
        }

        #[test]
        fn one_set_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(set) = NumberSet::from_bytes(&bytes) {
                prop_assert_eq!(set.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn what_is_no_set_is_not_read() {
        assert_eq!(NumberSet::from_bytes(&[1, 0]), None);
        assert_eq!(NumberSet::from_bytes(&vec![1; MAX_NUMBER_SET + 1]), None);
        assert_eq!(
            NumberSet::from_bytes(&vec![0xff; MAX_NUMBER_SET]),
            None,
            "0xffff is nobody's number"
        );
        let all: NumberSet = (0..=AgentId::MAX_NUMBER).collect();
        assert_eq!(NumberSet::from_bytes(&all.to_bytes()), Some(all));
    }
}
