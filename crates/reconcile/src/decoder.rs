//! From the symbols of both sides to the items in which they differ.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::item::{Hashed, Item, Key};
use crate::symbol::Symbol;
use crate::walk::{END, Walk};

/// In what two sets differ. In the order in which it was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Items that only the remote set has.
    pub there: Vec<Item>,
    /// Items that only the local set has.
    pub here: Vec<Item>,
}

impl Difference {
    /// How many items.
    pub fn len(&self) -> usize {
        self.there.len() + self.here.len()
    }

    /// Whether the sets are the same.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The symbols are not those of two sets under this key, or there are more than the decoder was made for. Nothing that was recovered from them is to be trusted;
/// the session is over, and another one may be tried under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// A symbol that was found to be of no items turned out to be of some: no two sets have such symbols.
    #[error("the symbols are not those of any set under this key")]
    Garbage,
    /// As many symbols as were allowed for have come, and do not suffice.
    #[error("the difference is too large for {0} symbols")]
    TooMany(usize),
}

/// An item that was recovered and is part of symbols to come.
#[derive(Clone, Copy, Debug)]
struct Recovered {
    item: Item,
    hashed: Hashed,
    walk: Walk,
    /// 1 if only the remote set has it, -1 if only the local one does.
    times: i64,
}

/// Peels the symbols of a difference, one by one as they come.
///
/// Safe on any symbols whatever. What passes for an item has the checksum of one (a probability of 2⁻⁴⁸ for something that is none) and is mapped to where it was
/// found, and a difference is given only if all of it together leaves nothing of any symbol. So the items are those of the symbols; who knows the key can still lie
/// about its own set. A symbol of no items stays so for good, or the symbols are refused; as every item that is peeled off makes one such symbol, no more
/// items are recovered than symbols were added, and none twice.
#[derive(Clone, Debug)]
pub struct Decoder {
    key: Key,
    limit: usize,
    /// What remains of each symbol of the difference.
    symbols: Vec<Symbol>,
    /// How many of them are of some items.
    unsolved: usize,
    difference: Difference,
    recovered: Vec<Recovered>,
    /// The next symbol of each recovered item, and its place among them.
    upcoming: BinaryHeap<Reverse<(u64, usize)>>,
    inconsistent: Option<Inconsistent>,
}

impl Decoder {
    /// For at most `limit` symbols, or [`END`] if that is less. Uses at most 250 bytes for each that is added.
    pub fn new(key: Key, limit: usize) -> Decoder {
        Decoder {
            key,
            limit: (limit as u64).min(END) as usize,
            symbols: Vec::new(),
            unsolved: 0,
            difference: Difference::default(),
            recovered: Vec::new(),
            upcoming: BinaryHeap::new(),
            inconsistent: None,
        }
    }

    /// How many symbols were added: the index of the next one.
    pub fn length(&self) -> usize {
        self.symbols.len()
    }

    /// Whether the difference is known. It never is before the first symbol.
    pub fn is_decoded(&self) -> bool {
        self.inconsistent.is_none() && self.unsolved == 0 && !self.symbols.is_empty()
    }

    /// The difference, once it is decoded.
    pub fn difference(&self) -> Option<&Difference> {
        self.is_decoded().then_some(&self.difference)
    }

    /// Adds the next symbol of the remote set, and that of the local set with the same index. O(log length) for each item that this recovers and each recovered before
    /// that is part of the symbol. Once it has failed it fails alike for ever.
    pub fn add(&mut self, remote: Symbol, local: Symbol) -> Result<(), Inconsistent> {
        if let Some(inconsistent) = self.inconsistent {
            return Err(inconsistent);
        }
        self.try_add(remote.minus(local)).inspect_err(|inconsistent| {
            *self = Decoder {
                inconsistent: Some(*inconsistent),
                ..Decoder::new(self.key, self.limit)
            };
        })
    }

    fn try_add(&mut self, mut symbol: Symbol) -> Result<(), Inconsistent> {
        let index = self.symbols.len();
        if index >= self.limit {
            return Err(Inconsistent::TooMany(self.limit));
        }
        while let Some(&Reverse((next, place))) = self.upcoming.peek()
            && next == index as u64
        {
            let recovered = &mut self.recovered[place];
            symbol.add(recovered.item, recovered.hashed, -recovered.times);
            recovered.walk.advance();
            self.upcoming.pop();
            self.upcoming.push(Reverse((recovered.walk.index(), place)));
        }
        if !symbol.is_zero() && self.is_decoded() {
            // All items are part of symbol 0, and that has none left.
            return Err(Inconsistent::Garbage);
        }
        self.symbols.push(symbol);
        self.unsolved += usize::from(!symbol.is_zero());
        self.peel(index)
    }

    /// Peels off what the symbol gives, and what that gives in turn.
    fn peel(&mut self, index: usize) -> Result<(), Inconsistent> {
        let mut candidates = vec![index];
        let mut mapped = Vec::new();
        while let Some(index) = candidates.pop() {
            let Symbol { sum, checksum, count } = self.symbols[index];
            if count != 1 && count != -1 {
                continue;
            }
            let item = Item(sum.to_le_bytes());
            let hashed = self.key.hash(item);
            if hashed.checksum != checksum {
                continue;
            }
            mapped.clear();
            let mut walk = Walk::new(hashed.seed);
            while walk.index() < self.symbols.len() as u64 {
                mapped.push(walk.index() as usize);
                walk.advance();
            }
            if mapped.binary_search(&index).is_err() {
                return Err(Inconsistent::Garbage);
            }
            for &index in &mapped {
                let symbol = &mut self.symbols[index];
                if symbol.is_zero() {
                    return Err(Inconsistent::Garbage);
                }
                symbol.add(item, hashed, -count);
                if symbol.is_zero() {
                    self.unsolved -= 1;
                } else {
                    candidates.push(index);
                }
            }
            let side = if count == 1 {
                &mut self.difference.there
            } else {
                &mut self.difference.here
            };
            side.push(item);
            self.upcoming.push(Reverse((walk.index(), self.recovered.len())));
            self.recovered.push(Recovered {
                item,
                hashed,
                walk,
                times: count,
            });
        }
        Ok(())
    }
}
