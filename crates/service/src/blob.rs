//! Blobs: what is written once, under a name of its own, and read as a whole. A blob holds a list of byte strings.

use eqmesh_replica::wire::{Reader, put, put_bytes, seal};
use eqmesh_replica::{Fault, pack, unpack};
use serde::{Deserialize, Serialize};

/// The longest value that is written: stores take a megabyte, some of them no more.
pub const CHUNK: usize = 900 << 10;

const MAGIC: &[u8; 4] = b"eql\x01";

/// The name of a blob, and how much it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// When it was written, in milliseconds since 1970.
    pub at: u64,
    /// What tells it apart from others of that moment.
    pub nonce: u64,
    /// In so many values.
    pub chunks: u32,
    /// Bytes in the store.
    pub bytes: u64,
    /// Byte strings in it.
    pub items: u32,
}

/// How long a blob lies in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// It is compressed.
    Long,
    /// It is read soon, and once, or replaced: to compress it would take longer than to write it as it is.
    Briefly,
}

impl Blob {
    /// The keys under which it lies, in order.
    pub fn keys(&self, prefix: &str) -> impl Iterator<Item = String> {
        let name = format!("{prefix}{:012x}{:016x}", self.at, self.nonce);
        (0..self.chunks).map(move |chunk| format!("{name}.{chunk}"))
    }

    /// When the value under a key was written, if it belongs to a blob: milliseconds since 1970.
    pub fn time_of(prefix: &str, key: &str) -> Option<u64> {
        let name = key.strip_prefix(prefix)?;
        let (name, chunk) = name.split_once('.')?;
        chunk.parse::<u32>().ok()?;
        if name.len() != 28 {
            return None;
        }
        u64::from_str_radix(name.get(..12)?, 16).ok()
    }

    /// Makes a blob of byte strings: its name, and what is to be written.
    pub fn of(prefix: &str, items: &[Vec<u8>], lasts: Lasts, at: u64, nonce: u64) -> (Blob, Vec<(String, Vec<u8>)>) {
        let mut bytes = MAGIC.to_vec();
        put(&mut bytes, items.len() as u64);
        items.iter().for_each(|item| put_bytes(&mut bytes, item));
        let mut bytes = seal(bytes);
        if lasts == Lasts::Long {
            bytes = pack(&bytes);
        }
        let blob = Blob {
            at,
            nonce,
            chunks: bytes.len().div_ceil(CHUNK).max(1) as u32,
            bytes: bytes.len() as u64,
            items: items.len() as u32,
        };
        let keys = blob.keys(prefix);
        let entries = keys.zip(bytes.chunks(CHUNK).map(<[u8]>::to_vec)).collect();
        (blob, entries)
    }

    /// Reads the byte strings of a blob again. Fails with [`Fault::Malformed`] if these are not the bytes that were written.
    pub fn items(&self, chunks: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Fault> {
        let bytes = unpack(&chunks.concat())?;
        let mut reader = Reader::open(&bytes, MAGIC, "blob")?;
        let count = reader.count()?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(reader.bytes()?.to_vec());
        }
        reader.end()?;
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lasts(briefly: bool) -> Lasts {
        if briefly { Lasts::Briefly } else { Lasts::Long }
    }

    proptest! {
        #[test]
        fn a_blob_is_read_as_it_was_written(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20), briefly: bool, at in 0u64..1 << 47, nonce: u64) {
            let (blob, entries) = Blob::of("agent-3/", &items, lasts(briefly), at, nonce);
            let keys: Vec<String> = blob.keys("agent-3/").collect();
            prop_assert_eq!(&keys, &entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
            let chunks: Vec<Vec<u8>> = entries.into_iter().map(|(_, chunk)| chunk).collect();
            prop_assert_eq!(blob.items(&chunks), Ok(items));
            prop_assert_eq!(Blob::time_of("agent-3/", &keys[0]), Some(at));
        }

        #[test]
        fn altered_bytes_are_refused_or_mean_the_same(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..5), briefly: bool, at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (blob, entries) = Blob::of("a/", &items, lasts(briefly), 1, 2);
            let mut bytes = entries[0].1.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            // Some bits of a compressed frame say nothing of what is in it.
            if let Ok(read) = blob.items(&[bytes]) {
                prop_assert_eq!(read, items);
            }
        }
    }

    #[test]
    fn a_long_blob_is_written_in_parts() {
        let noise: Vec<u8> = (0u64..2 * CHUNK as u64)
            .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ (at.wrapping_mul(at) >> 11) as u8)
            .collect();
        let (blob, entries) = Blob::of("a/", &[noise.clone(), noise], Lasts::Long, 1, 2);
        assert!(blob.chunks > 1 && entries.iter().all(|(_, chunk)| chunk.len() <= CHUNK));
        assert_eq!(blob.chunks as usize, entries.len());
    }
}
