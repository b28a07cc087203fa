//! What a replica holds of each agent: its blocks in sequence, and the order of all nodes that they name.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::graph::RowId;

use crate::block::Block;
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
    /// Enters a block, whose nodes are named from an ordinal on.
    pub(crate) fn enter(&mut self, block: &Block, bytes: Arc<[u8]>, first_ordinal: u32) {
        let last = block.first + block.facts() - 1;
        if block.makes_claims() {
            self.claims = last;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.chain);
        hasher.update(&bytes);
        self.chain = *hasher.finalize().as_bytes();
        self.entries.push(Entry {
            first: block.first,
            last,
            height: block.height,
            first_ordinal,
            bytes,
        });
    }

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

    /// From names to numbers.
    pub(crate) fn numbers(&self) -> Numbers<'_> {
        Numbers {
            frame: self,
            agent: AgentId(0),
            first: 0,
            end: 0,
            number: 0,
        }
    }

    /// From numbers to rows.
    pub(crate) fn rows<'a>(&self, logs: &'a BTreeMap<AgentId, Log>) -> Rows<'a> {
        let mut ends: Vec<u32> = self.starts.iter().skip(1).map(|&(start, _)| start).collect();
        ends.push(self.total);
        let blocks = self.starts.iter().zip(ends).map(|(&(start, first), end)| {
            let from = first.ordinal as usize;
            let rows = &logs[&first.agent].rows[from..from + (end - start) as usize];
            (start, rows)
        });
        Rows {
            blocks: blocks.collect(),
            at: 0,
        }
    }
}

/// Numbers of names in a frame. Remembers the block of the last one: neighbours are named together.
#[derive(Debug)]
pub(crate) struct Numbers<'a> {
    frame: &'a Frame,
    agent: AgentId,
    /// The ordinals of the block asked for last, and the number of its first.
    first: u32,
    end: u32,
    number: u32,
}

impl Numbers<'_> {
    /// The number of a node that the frame covers.
    #[inline]
    pub(crate) fn of(&mut self, name: Name) -> u32 {
        if name.agent != self.agent || name.ordinal < self.first || name.ordinal >= self.end {
            let blocks = &self.frame.by_agent[&name.agent];
            let after = blocks.partition_point(|&(first, _)| first <= name.ordinal);
            self.agent = name.agent;
            (self.first, self.number) = blocks[after - 1];
            self.end = blocks.get(after).map_or(u32::MAX, |&(first, _)| first);
        }
        self.number + (name.ordinal - self.first)
    }
}

/// Rows of numbers in a frame. Remembers the block of the last one.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    blocks: Vec<(u32, &'a [RowId])>,
    at: usize,
}

impl Rows<'_> {
    /// The row that a number stands for, as it was named (see `EGraph::resolve`); none if the number is too large.
    #[inline]
    pub(crate) fn of(&mut self, number: u32) -> Option<RowId> {
        let within = |&(start, rows): &(u32, &[RowId])| number >= start && number - start < rows.len() as u32;
        if !self.blocks.get(self.at).is_some_and(within) {
            self.at = self
                .blocks
                .partition_point(|&(start, _)| start <= number)
                .checked_sub(1)?;
        }
        let (start, rows) = self.blocks[self.at];
        rows.get((number - start) as usize).copied()
    }
}
