//! A set's first symbols, kept as the set changes.

use std::ops::Range;

use crate::item::{Item, Key};
use crate::symbol::Symbol;
use crate::walk::{END, Walk};

/// The first symbols of a set. It does not hold the set, and is linear in it: what is removed leaves no trace, the order does not matter, and
/// [`Sketch::subtract`] makes the sketch of a difference.
///
/// Inserting what is there already, or removing what is not, makes a sketch of no set: the user keeps the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    key: Key,
    symbols: Vec<Symbol>,
}

/// Sketches under different keys have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the two sketches are under different keys")]
pub struct OtherKey;

/// The items given are not those that were inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the items are not those of the sketch")]
pub struct OtherSet;

impl Sketch {
    /// The first `length` symbols, at least 1 and at most [`END`], of the empty set. 32 bytes each.
    pub fn new(key: Key, length: usize) -> Sketch {
        Sketch {
            key,
            symbols: vec![Symbol::default(); (length as u64).clamp(1, END) as usize],
        }
    }

    /// The key it was made with.
    pub fn key(&self) -> Key {
        self.key
    }

    /// How many symbols are kept.
    pub fn length(&self) -> usize {
        self.symbols.len()
    }

    /// How many items are in the set.
    pub fn items(&self) -> i64 {
        self.symbols[0].count
    }

    /// Puts an item that is not there into the set. O(log length).
    #[inline]
    pub fn insert(&mut self, item: Item) {
        self.add(item, 1);
    }

    /// Takes an item that is there out of the set. O(log length).
    #[inline]
    pub fn remove(&mut self, item: Item) {
        self.add(item, -1);
    }

    #[inline]
    fn add(&mut self, item: Item, times: i64) {
        let hashed = self.key.hash(item);
        let mut walk = Walk::new(hashed.seed);
        while let Some(symbol) = self.symbols.get_mut(walk.index() as usize) {
            symbol.add(item, hashed, times);
            walk.advance();
        }
    }

    /// The symbols of a range, as far as they are kept.
    pub fn symbols(&self, range: Range<usize>) -> &[Symbol] {
        let end = range.end.min(self.symbols.len());
        &self.symbols[range.start.min(end)..end]
    }

    /// Keeps symbols up to `length`; if it keeps as many already, nothing changes. Since the sketch does not hold its items it has to be given all of them,
    /// in any order; if they are not those of the set, nothing changes. O(items log length).
    pub fn grow(&mut self, length: usize, items: impl IntoIterator<Item = Item>) -> Result<(), OtherSet> {
        let from = self.symbols.len();
        let length = (length as u64).min(END) as usize;
        if length <= from {
            return Ok(());
        }
        let mut more = vec![Symbol::default(); length - from];
        let mut first = Symbol::default();
        for item in items {
            let hashed = self.key.hash(item);
            first.add(item, hashed, 1);
            let mut walk = Walk::new(hashed.seed);
            while walk.index() < from as u64 {
                walk.advance();
            }
            while let Some(symbol) = more.get_mut((walk.index() - from as u64) as usize) {
                symbol.add(item, hashed, 1);
                walk.advance();
            }
        }
        // Every item is part of symbol 0.
        if first != self.symbols[0] {
            return Err(OtherSet);
        }
        self.symbols.append(&mut more);
        Ok(())
    }

    /// Takes the items of another sketch out of this one, as far as both keep symbols: what only the other has counts as -1.
    pub fn subtract(&mut self, other: &Sketch) -> Result<(), OtherKey> {
        if self.key != other.key {
            return Err(OtherKey);
        }
        self.symbols.truncate(other.symbols.len());
        for (symbol, other) in self.symbols.iter_mut().zip(&other.symbols) {
            *symbol = symbol.minus(*other);
        }
        Ok(())
    }
}
