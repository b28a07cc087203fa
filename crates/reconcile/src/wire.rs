//! The binary form of symbols. `docs/wire-format.md` specifies it.

use std::ops::Range;

use crate::sketch::Sketch;
use crate::symbol::{CHECKSUM_BYTES, Symbol};
use crate::walk::END;

/// Version 1.
const MAGIC: [u8; 4] = *b"eqr\x01";

const SUM_BYTES: usize = 16;

/// The most items of a set whose symbols can be sent.
pub const MAX_ITEMS: u64 = 1 << 48;

/// Consecutive symbols of one set, as they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    items: u64,
    first: u64,
    list: Vec<Symbol>,
}

/// Symbols that are not those of a set: something was removed that was not there, or the sketch is a difference, or of more than [`MAX_ITEMS`] items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are not the symbols of a set of at most 2^48 items")]
pub struct NoSet;

/// Bytes that cannot be read as symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("symbols of a set: {0}")]
pub struct Malformed(&'static str);

/// How many of `items` symbol `index` is expected to be the sum of.
fn expected(items: u64, index: u64) -> i64 {
    (2 * items / (index + 2)) as i64
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a varint in its shortest form off the front.
fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(Malformed("they end within a number"));
        };
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits || byte == 0 && shift > 0 {
            return Err(Malformed("a number is too large or not in its shortest form"));
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed("a number is too long"))
}

/// Takes bytes off the front, as the lowest ones of a little-endian number.
fn little_endian<const N: usize>(bytes: &mut &[u8]) -> Result<u128, Malformed> {
    let Some((taken, rest)) = bytes.split_first_chunk::<N>() else {
        return Err(Malformed("they end within a symbol"));
    };
    *bytes = rest;
    let mut number = [0; 16];
    number[..N].copy_from_slice(taken);
    Ok(u128::from_le_bytes(number))
}

impl Symbols {
    /// Those of a sketch in a range, as far as it keeps them.
    pub fn of(sketch: &Sketch, range: Range<usize>) -> Result<Symbols, NoSet> {
        let symbols = sketch.symbols(range.clone());
        let items = u64::try_from(sketch.items()).map_err(|_| NoSet)?;
        let possible = |symbol: &Symbol| u64::try_from(symbol.count()).is_ok_and(|count| count <= items);
        if items > MAX_ITEMS || !symbols.iter().all(possible) {
            return Err(NoSet);
        }
        Ok(Symbols {
            items,
            first: range.start.min(sketch.length()) as u64,
            list: symbols.to_vec(),
        })
    }

    /// How many items the set has.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The index of the first one.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The symbols, by index from [`Symbols::first`] on.
    pub fn symbols(&self) -> &[Symbol] {
        &self.list
    }

    /// Their bytes: 23 for a symbol far from the first, 24 or 25 nearer to it, and a dozen for them all.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + self.list.len() * (SUM_BYTES + CHECKSUM_BYTES + 2));
        bytes.extend_from_slice(&MAGIC);
        put_varint(&mut bytes, self.items);
        put_varint(&mut bytes, self.first);
        put_varint(&mut bytes, self.list.len() as u64);
        for (index, symbol) in (self.first..).zip(&self.list) {
            put_varint(&mut bytes, zigzag(symbol.count - expected(self.items, index)));
            bytes.extend_from_slice(&symbol.sum.to_le_bytes());
            bytes.extend_from_slice(&symbol.checksum.to_le_bytes()[..CHECKSUM_BYTES]);
        }
        bytes
    }

    /// Reads them from bytes that anybody may have sent. Only what [`Symbols::encode`] writes is read; allocates less than twice the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Symbols, Malformed> {
        let Some(mut rest) = bytes.strip_prefix(&MAGIC) else {
            return Err(Malformed("they do not begin with the magic number of version 1"));
        };
        let rest = &mut rest;
        let (items, first, length) = (varint(rest)?, varint(rest)?, varint(rest)?);
        if items > MAX_ITEMS || first > END || length > END - first {
            return Err(Malformed("a number is out of range"));
        }
        if length > (rest.len() / (1 + SUM_BYTES + CHECKSUM_BYTES)) as u64 {
            return Err(Malformed("there are fewer of them than they say"));
        }
        let mut list = Vec::with_capacity(length as usize);
        for index in first..first + length {
            let count = expected(items, index).checked_add(unzigzag(varint(rest)?));
            let possible = |count: &i64| (0..=items as i64).contains(count) && (index > 0 || *count == items as i64);
            let Some(count) = count.filter(possible) else {
                return Err(Malformed(
                    "a symbol is of more items than there are, or of fewer than none",
                ));
            };
            list.push(Symbol {
                count,
                sum: little_endian::<SUM_BYTES>(rest)?,
                checksum: little_endian::<CHECKSUM_BYTES>(rest)? as u64,
            });
        }
        if !rest.is_empty() {
            return Err(Malformed("bytes follow their end"));
        }
        Ok(Symbols { items, first, list })
    }
}
