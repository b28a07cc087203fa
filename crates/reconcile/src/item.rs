//! Items, and the keyed hash of them.

use siphasher::sip128::SipHasher24;

/// An element of the sets: 16 bytes that mean something to the user only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item(pub [u8; 16]);

impl From<[u8; 16]> for Item {
    fn from(bytes: [u8; 16]) -> Item {
        Item(bytes)
    }
}

/// The key of the hash of items. Both sides of a reconciliation use the same.
///
/// Who knows the key can look for items whose symbols do not come apart, or that look like another item's sum. So it has to be unknown to whoever can put items
/// into the sets: drawn at random for a session by either side and sent along, or a secret of the network where a sketch is kept from one session to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

/// A key is not for logs.
impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key(..)")
    }
}

/// What an item is to a sketch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashed {
    /// Where its walk begins.
    pub(crate) seed: u64,
    /// What it adds to the checksums of its symbols.
    pub(crate) checksum: u64,
}

impl Key {
    /// SipHash-2-4 with 128 bits of result: the first half seeds the walk, the second one is the checksum.
    #[inline]
    pub(crate) fn hash(&self, item: Item) -> Hashed {
        let hash = SipHasher24::new_with_key(&self.0).hash(&item.0);
        Hashed {
            seed: hash.h1,
            checksum: hash.h2 & crate::symbol::CHECKSUM_MASK,
        }
    }
}
