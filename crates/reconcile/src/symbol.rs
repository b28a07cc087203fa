//! Coded symbols.

use crate::item::{Hashed, Item};

/// How many bytes a checksum has. A sum of several items passes for one item with a probability of 2⁻⁴⁸.
pub(crate) const CHECKSUM_BYTES: usize = 6;

pub(crate) const CHECKSUM_MASK: u64 = (1 << (8 * CHECKSUM_BYTES)) - 1;

/// The sum of some items. Symbols of one index are a group: the symbol of a difference of sets is the difference of their symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// The exclusive or of the items.
    pub(crate) sum: u128,
    /// The exclusive or of their keyed checksums, of 48 bits.
    pub(crate) checksum: u64,
    /// How many, modulo 2⁶⁴; what is taken away counts as -1.
    pub(crate) count: i64,
}

impl Symbol {
    /// How many items it is the sum of, less those that were taken away.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// Of no items.
    pub fn is_zero(&self) -> bool {
        *self == Symbol::default()
    }

    #[inline]
    pub(crate) fn add(&mut self, item: Item, hashed: Hashed, times: i64) {
        self.sum ^= u128::from_le_bytes(item.0);
        self.checksum ^= hashed.checksum;
        self.count = self.count.wrapping_add(times);
    }

    #[inline]
    #[must_use]
    pub(crate) fn minus(self, other: Symbol) -> Symbol {
        Symbol {
            sum: self.sum ^ other.sum,
            checksum: self.checksum ^ other.checksum,
            count: self.count.wrapping_sub(other.count),
        }
    }
}
