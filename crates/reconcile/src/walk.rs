//! Which symbols an item is part of.
//!
//! Every item is part of symbol 0, and of symbol *k* with probability 2 / (*k* + 2), independently of the others: the paper's mapping for α = 1/2. The gaps are drawn by
//! inversion. From *i*, no symbol up to *j* is met with probability Π *k* / (*k* + 2) over *i* < *k* ≤ *j*, which telescopes to
//! (*i* + 1)(*i* + 2) / ((*j* + 1)(*j* + 2)), so with *r* drawn evenly from the 32-bit numbers the next index is the least *j* > *i* with
//!
//! > (*j* + 1)(*j* + 2) *r* ≥ (*i* + 1)(*i* + 2) 2³²
//!
//! (the paper replaces the products by squares of *i* + 3/2 and *j* + 3/2). That is a statement about integers, and integers decide it: a square root only says where
//! to look. The n-th *r* of a walk is the upper half of the n-th number of `SplitMix64` from the walk's seed.

/// No item is mapped to symbols from here on: walks end.
pub const END: u64 = 1 << 31;

/// The symbols of one item, ascending from 0. O(log m) of them are less than m on average: 2 ln m.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    state: u64,
    index: u64,
}

impl Walk {
    /// The walk of a seed, at symbol 0.
    #[inline]
    pub fn new(seed: u64) -> Walk {
        Walk { state: seed, index: 0 }
    }

    /// Where it is: less than [`END`] unless it is over.
    #[inline]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Goes on to the next symbol.
    #[inline]
    pub fn advance(&mut self) {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.index = next(self.index, ((mixed ^ (mixed >> 31)) >> 32) as u32);
    }
}

/// The least j > i with (j + 1)(j + 2) r ≥ (i + 1)(i + 2) 2³², or [`END`].
#[inline]
fn next(index: u64, r: u32) -> u64 {
    if index >= END || r == 0 {
        return END;
    }
    let product = |index: u64| (index + 1) * (index + 2);
    let least = u128::from(product(index)) << 32;
    let reached = |index: u64| u128::from(product(index)) * u128::from(r) >= least;
    // Where both sides are equal. With the error of doubles, which is far below 1 at these sizes, the whole number below that is the result or at most 2 less.
    let equal = (0.25 + product(index) as f64 * (4_294_967_296.0 / f64::from(r))).sqrt() - 1.5;
    let mut next = (equal as u64).clamp(index, END);
    if next == index || !reached(next) {
        next += 1;
        while next < END && !reached(next) {
            next += 1;
        }
    }
    next.min(END)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By bisection, on integers alone.
    fn defined(index: u64, r: u32) -> u64 {
        let product = |index: u64| u128::from(index + 1) * u128::from(index + 2);
        let (mut below, mut at) = (index, END);
        while at - below > 1 {
            let middle = u64::midpoint(below, at);
            if product(middle) * u128::from(r) >= product(index) << 32 {
                at = middle;
            } else {
                below = middle;
            }
        }
        at
    }

    proptest! {
        #[test]
        fn the_next_index_is_what_integers_say(bits in 0u32..31, low in any::<u64>(), r in any::<u32>(), shift in 0u32..32) {
            let index = low & ((1 << bits) - 1);
            for r in [r, r >> shift, u32::MAX - (r >> shift)] {
                prop_assert_eq!(next(index, r), defined(index, r));
            }
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(next(0, 0), END);
        assert_eq!(next(0, u32::MAX), 1);
        assert_eq!(next(END - 2, u32::MAX), END - 1);
        assert_eq!(next(END - 1, u32::MAX), END);
        assert_eq!(next(END, 5), END);
        assert_eq!(next(0, 1), defined(0, 1));
    }

    /// The vectors of docs/wire-format.md, which another implementation computed from what is written there.
    #[test]
    fn a_walk_as_specified() {
        let walk = |seed| {
            let mut walk = Walk::new(seed);
            let step = || {
                let index = walk.index();
                walk.advance();
                index
            };
            std::iter::repeat_with(step).take(8).collect::<Vec<u64>>()
        };
        assert_eq!(walk(0), [0, 1, 3, 27, 28, 89, 157, 379]);
        assert_eq!(walk(1), [0, 1, 2, 3, 6, 10, 12, 13]);
    }

    #[test]
    fn symbol_k_has_its_part_of_the_items() {
        let (items, symbols) = (40_000u64, 64);
        let mut parts = vec![0u64; symbols];
        for seed in 0..items {
            let mut walk = Walk::new(seed.wrapping_mul(0xd134_2543_de82_ef95));
            while walk.index() < symbols as u64 {
                parts[walk.index() as usize] += 1;
                walk.advance();
            }
        }
        for (k, &part) in parts.iter().enumerate() {
            let probability = 2.0 / (k as f64 + 2.0);
            let (mean, variance) = (
                items as f64 * probability,
                items as f64 * probability * (1.0 - probability),
            );
            assert!(
                (part as f64 - mean).abs() <= 5.0 * variance.sqrt() + 1e-9,
                "symbol {k}: {part}"
            );
        }
    }
}
