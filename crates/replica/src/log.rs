//! What a replica holds of each agent: its blocks in sequence, and the order of all nodes that they name.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::graph::RowId;

use crate::version::{AgentId, Dot, Name, VersionVector};

/// A settled block.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) height: u32,
    pub(crate) first_ordinal: u32,
    pub(crate) bytes: Arc<[u8]>,
}

/// One agent's settled blocks, in sequence without gaps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// By ordinal: the row of each node that the facts named.
    pub(crate) rows: Vec<RowId>,
    /// The hash chain over the blocks: covers every fact of the agent up to here.
    pub(crate) chain: [u8; 32],
    /// Facts up to this sequence are certified.
    pub(crate) certified: u64,
    /// The last sequence of the last block that holds other facts than certificates.
    pub(crate) claims: u64,
}

impl Log {
    /// The sequence of the last fact; 0 for none.
    pub(crate) fn last(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.last)
    }

    /// The height of the last block up to a sequence; 0 for none.
    pub(crate) fn height(&self, up_to: u64) -> u32 {
        let count = self.entries.partition_point(|entry| entry.last <= up_to);
        count.checked_sub(1).map_or(0, |at| self.entries[at].height)
    }

    /// Which block holds this fact.
    pub(crate) fn entry_of(&self, sequence: u64) -> Option<usize> {
        let at = self.entries.partition_point(|entry| entry.last < sequence);
        self.entries
            .get(at)
            .is_some_and(|entry| entry.first <= sequence)
            .then_some(at)
    }

    /// Whether a block ends with this sequence.
    pub(crate) fn ends_at(&self, sequence: u64) -> bool {
        self.entries.binary_search_by_key(&sequence, |entry| entry.last).is_ok()
    }

    /// The ordinal of the first node named after this sequence, which must be a block's end.
    pub(crate) fn ordinal_after(&self, sequence: u64) -> u32 {
        let count = self.entries.partition_point(|entry| entry.last <= sequence);
        self.entries
            .get(count)
            .map_or(self.rows.len() as u32, |entry| entry.first_ordinal)
    }
}

/// The order of all nodes that the blocks under a version vector name: by height, then agent, then ordinal. Numbers in it are what
/// applications refer to; every replica that has the blocks computes the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Number of the block's first node, and its name.
    starts: Vec<(u32, Name)>,
    /// By agent: first ordinal of each block and its first number.
    by_agent: BTreeMap<AgentId, Vec<(u32, u32)>>,
    total: u32,
}

impl Frame {
    /// The order under a version vector, whose entries must be blocks' ends. O(blocks log blocks).
    pub(crate) fn of(logs: &BTreeMap<AgentId, Log>, base: &VersionVector) -> Frame {
        let mut blocks: Vec<(u32, AgentId, u32, u32)> = Vec::new();
        for Dot { agent, sequence } in base.iter() {
            let Some(log) = logs.get(&agent) else { continue };
            for (i, entry) in log
                .entries
                .iter()
                .take_while(|entry| entry.last <= sequence)
                .enumerate()
            {
                let end = log
                    .entries
                    .get(i + 1)
                    .map_or(log.rows.len() as u32, |next| next.first_ordinal);
                blocks.push((entry.height, agent, entry.first_ordinal, end - entry.first_ordinal));
            }
        }
        blocks.sort_unstable();
        let mut frame = Frame::default();
        for (_, agent, first_ordinal, count) in blocks {
            if count == 0 {
                continue;
            }
            frame.starts.push((
                frame.total,
                Name {
                    agent,
                    ordinal: first_ordinal,
                },
            ));
            frame
                .by_agent
                .entry(agent)
                .or_default()
                .push((first_ordinal, frame.total));
            frame.total += count;
        }
        frame
    }

    /// The number of a node that the frame covers.
    pub(crate) fn number(&self, name: Name) -> u32 {
        let blocks = &self.by_agent[&name.agent];
        let at = blocks.partition_point(|&(first, _)| first <= name.ordinal) - 1;
        blocks[at].1 + (name.ordinal - blocks[at].0)
    }

    /// The name of a number; none if it is too large.
    pub(crate) fn name(&self, number: u32) -> Option<Name> {
        if number >= self.total {
            return None;
        }
        let at = self.starts.partition_point(|&(start, _)| start <= number) - 1;
        let (start, first) = self.starts[at];
        Some(Name {
            agent: first.agent,
            ordinal: first.ordinal + (number - start),
        })
    }
}
