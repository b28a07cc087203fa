//! The hash-cons: from an e-node's operator and arguments to its row.

/// An open-addressing table with linear probing, at most 5/8 full. An entry is the upper half of the hash and the row, so that
/// nearly every probe of a wrong entry ends without looking at the row.
///
/// Entries are never deleted: a row whose arguments changed is entered again, and the old entry, which no lookup of a canonical key can
/// match, goes when the table grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct HashCons {
    /// 0 is empty; otherwise hash's upper half << 32 | row + 1.
    entries: Vec<u64>,
    used: usize,
}

/// Hashes an operator and its arguments. The same on every platform; never leaves the process.
#[inline]
pub(crate) fn hash_node(operator: u32, arguments: &[u32]) -> u64 {
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let mut hash = (u64::from(operator) + 1).wrapping_mul(K);
    for &argument in arguments {
        hash = (hash.rotate_left(26) ^ u64::from(argument)).wrapping_mul(K);
    }
    hash ^ (hash >> 29)
}

impl HashCons {
    /// The row of this hash for which `matches` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let mask = self.entries.len() - 1;
        let tag = hash >> 32;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.entries[at];
            if entry == 0 {
                return None;
            }
            if entry >> 32 == tag {
                let row = (entry as u32) - 1;
                if matches(row) {
                    return Some(row);
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// Enters a row that is not in the table under this hash. If the table is full, answers false: grow it first.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, row: u32) -> bool {
        if (self.used + 1) * 8 > self.entries.len() * 5 {
            return false;
        }
        let mask = self.entries.len() - 1;
        let mut at = hash as usize & mask;
        while self.entries[at] != 0 {
            at = (at + 1) & mask;
        }
        self.entries[at] = (hash >> 32) << 32 | u64::from(row + 1);
        self.used += 1;
        true
    }

    /// Rebuilds the table for these rows and as many again.
    pub(crate) fn rebuild(&mut self, live: usize, rows: impl Iterator<Item = (u64, u32)>) {
        let capacity = (live * 3).next_power_of_two().max(64);
        self.entries.clear();
        self.entries.resize(capacity, 0);
        self.used = 0;
        for (hash, row) in rows {
            let entered = self.insert(hash, row);
            debug_assert!(entered);
        }
    }
}
