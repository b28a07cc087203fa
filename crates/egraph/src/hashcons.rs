//! The hash-cons: from an e-node's operator and arguments to its row.

/// An open-addressing table with linear probing, at most 5/8 full. An entry is the upper half of the hash and the row, so that
/// nearly every probe of a wrong entry ends without looking at the row. Its place begins with the upper bits of the same half: to grow, entries are
/// copied in order, without a look at the rows.
///
/// Entries are never deleted: a row whose arguments changed is entered again, and the old entry, which no lookup of a canonical key can
/// match, goes when the table is refilled.
#[derive(Clone, Debug, Default)]
pub(crate) struct HashCons {
    /// 0 is empty; otherwise hash's upper half << 32 | row + 1.
    entries: Vec<u64>,
    used: usize,
    /// 64 minus the binary logarithm of the number of entries.
    shift: u32,
}

/// Hashes an operator and its arguments. The same on every platform; never leaves the process. The upper half is the better one.
#[inline]
pub(crate) fn hash_node(operator: u32, arguments: &[u32]) -> u64 {
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let mut hash = (u64::from(operator) + 1).wrapping_mul(K);
    for &argument in arguments {
        hash = (hash.rotate_left(26) ^ u64::from(argument)).wrapping_mul(K);
    }
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What the table holds of a row with this hash.
#[inline]
pub(crate) fn entry(hash: u64, row: u32) -> u64 {
    (hash >> 32) << 32 | u64::from(row + 1)
}

impl HashCons {
    #[inline]
    fn place(&self, hash: u64) -> usize {
        // The shift of an empty table is 0 and that of any other less than 64.
        (hash >> (self.shift & 63)) as usize
    }

    /// The row of this hash for which `matches` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        // An empty table has no entry anywhere.
        let mask = self.entries.len().wrapping_sub(1);
        let tag = hash >> 32;
        let mut at = self.place(hash);
        loop {
            let entry = *self.entries.get(at & mask)?;
            if entry == 0 {
                return None;
            }
            if entry >> 32 == tag {
                let row = (entry as u32) - 1;
                if matches(row) {
                    return Some(row);
                }
            }
            at += 1;
        }
    }

    /// The entry where a search for this hash begins.
    #[inline]
    pub(crate) fn peek(&self, hash: u64) -> u64 {
        self.entries.get(self.place(hash)).copied().unwrap_or(0)
    }

    /// The first row whose hash has the same upper half; `u32::MAX` if there is none.
    #[inline]
    pub(crate) fn candidate(&self, hash: u64) -> u32 {
        self.find(hash, |_| true).unwrap_or(u32::MAX)
    }

    /// Enters a row that is not in the table under this hash. If the table is full, answers false: make room first.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, row: u32) -> bool {
        if (self.used + 1) * 8 > self.entries.len() * 5 {
            return false;
        }
        self.put(hash, entry(hash, row));
        true
    }

    #[inline]
    fn put(&mut self, hash: u64, entry: u64) {
        let mask = self.entries.len() - 1;
        let mut at = self.place(hash);
        while self.entries[at & mask] != 0 {
            at += 1;
        }
        self.entries[at & mask] = entry;
        self.used += 1;
    }

    /// Answers the entries there were.
    fn resize(&mut self, capacity: usize) -> Vec<u64> {
        let old = std::mem::replace(&mut self.entries, vec![0; capacity]);
        self.measure();
        old
    }

    /// [`HashCons::resize`] where the entries are of no use any more: in the memory that there is, if it does.
    fn empty(&mut self, capacity: usize) {
        if self.entries.capacity() < capacity || self.entries.is_empty() {
            self.entries = Vec::new();
            self.entries = vec![0; capacity];
        } else {
            self.entries.clear();
            self.entries.resize(capacity, 0);
        }
        self.measure();
    }

    fn measure(&mut self) {
        self.used = 0;
        self.shift = 64 - self.entries.len().trailing_zeros();
    }

    /// Becomes a copy, in the memory that there is; made large enough at once for as many rows as are thought to come, if the other has few old entries
    /// among those of its `live` rows.
    pub(crate) fn copy_from(&mut self, other: &HashCons, expected: usize, live: usize) {
        let capacity = (expected * 8 / 5 + 1).next_power_of_two();
        if capacity <= other.entries.len() || other.is_stale(live) {
            self.entries.clear();
            self.entries.extend_from_slice(&other.entries);
            (self.used, self.shift) = (other.used, other.shift);
        } else {
            self.resize(capacity);
            other
                .entries
                .iter()
                .filter(|&&entry| entry != 0)
                .for_each(|&entry| self.put(entry, entry));
        }
    }

    /// Fills an empty table with entries of different rows. They are sorted by the beginnings of their places first, so that those which follow each other go to one part of the table.
    pub(crate) fn fill(&mut self, entries: Vec<u64>) {
        const BITS: u32 = 8;
        let part = |entry: u64| (entry >> (64 - BITS)) as usize;
        let mut ends = [0; 1 << BITS];
        for &entry in &entries {
            ends[part(entry)] += 1;
        }
        let mut end = 0;
        for own in &mut ends {
            end += std::mem::replace(own, end);
        }
        let mut sorted = vec![0; entries.len()];
        for entry in entries {
            let at = &mut ends[part(entry)];
            sorted[*at] = entry;
            *at += 1;
        }
        self.empty((sorted.len() * 8 / 5 + 1).next_power_of_two().max(64));
        for entry in sorted {
            self.put(entry, entry);
        }
    }

    /// Whether many of the entries are old ones, of arguments that have changed since.
    fn is_stale(&self, live: usize) -> bool {
        self.used / 3 * 2 > live
    }

    /// Makes room if there are few old entries among those of `live` rows, by doubling; otherwise answers false: refill it.
    pub(crate) fn grow(&mut self, live: usize) -> bool {
        if self.is_stale(live) {
            return false;
        }
        self.widen((self.entries.len() * 2).max(64));
        true
    }

    fn widen(&mut self, capacity: usize) {
        for entry in self.resize(capacity) {
            if entry != 0 {
                self.put(entry, entry);
            }
        }
    }

    /// Refills the table with these rows only; there is room for about as many again.
    pub(crate) fn refill(&mut self, live: usize, rows: impl Iterator<Item = (u64, u32)>) {
        let capacity = (live * 2).next_power_of_two().max(64);
        self.empty(capacity);
        for (hash, row) in rows {
            let entered = self.insert(hash, row);
            debug_assert!(entered);
        }
    }
}
