//! Blocks that wait for others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Own;
use crate::block::{Block, Segment};
use crate::version::{AgentId, VersionVector};

/// A block that was received, or sealed here, and is not settled yet.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) block: Block,
    pub(super) bytes: Arc<[u8]>,
    pub(super) own: Option<Own>,
}

/// All of them, by maker and first sequence: what may come next is found without a look at the others, of which a replica that is resumed has thousands.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    by_maker: BTreeMap<AgentId, BTreeMap<u64, Waiting>>,
    /// Those with a cut, or with what closes one.
    cuts: BTreeSet<(AgentId, u64)>,
    bytes: usize,
}

impl Pending {
    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many blocks wait. O(makers).
    pub(super) fn len(&self) -> usize {
        self.by_maker.values().map(BTreeMap::len).sum()
    }

    /// The block that begins there.
    pub(super) fn get(&self, origin: AgentId, first: u64) -> Option<&Waiting> {
        self.by_maker.get(&origin)?.get(&first)
    }

    /// All blocks, by maker and first sequence.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Waiting> {
        self.by_maker.values().flat_map(BTreeMap::values)
    }

    /// Of each maker the block that goes on behind `here`, if it has one. O(makers · log blocks).
    pub(super) fn next(&self, here: &VersionVector) -> impl Iterator<Item = &Waiting> {
        self.by_maker
            .iter()
            .filter_map(|(&origin, blocks)| blocks.get(&(here.get(origin) + 1)))
    }

    /// The blocks with a cut, or with what closes one.
    pub(super) fn cuts(&self) -> impl Iterator<Item = &Waiting> {
        self.cuts.iter().filter_map(|&(origin, first)| self.get(origin, first))
    }

    pub(super) fn insert(&mut self, waiting: Waiting) {
        let Block { origin, first, .. } = waiting.block;
        let cuts = |segment: &Segment| matches!(segment, Segment::Cut(_) | Segment::Close { .. });
        if waiting.block.segments.iter().any(cuts) {
            self.cuts.insert((origin, first));
        }
        self.bytes += waiting.bytes.len();
        let before = self.by_maker.entry(origin).or_default().insert(first, waiting);
        debug_assert!(before.is_none(), "two blocks for one place");
    }

    pub(super) fn remove(&mut self, origin: AgentId, first: u64) -> Option<Waiting> {
        let blocks = self.by_maker.get_mut(&origin)?;
        let waiting = blocks.remove(&first)?;
        if blocks.is_empty() {
            self.by_maker.remove(&origin);
        }
        self.cuts.remove(&(origin, first));
        self.bytes -= waiting.bytes.len();
        Some(waiting)
    }

    /// Drops the blocks that do not begin behind `here`. O(makers · log blocks + dropped).
    pub(super) fn drop_until(&mut self, here: &VersionVector) {
        let (cuts, bytes) = (&mut self.cuts, &mut self.bytes);
        self.by_maker.retain(|&origin, blocks| {
            while let Some(entry) = blocks.first_entry().filter(|entry| *entry.key() <= here.get(origin)) {
                let (first, waiting) = entry.remove_entry();
                cuts.remove(&(origin, first));
                *bytes -= waiting.bytes.len();
            }
            !blocks.is_empty()
        });
    }
}
