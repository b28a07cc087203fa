//! What a replica holds of each agent: its blocks in sequence, and the order of all nodes that they name.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::graph::RowId;

use crate::block::Block;
use crate::version::{AgentId, Dot, Name, VersionVector};

/// How many facts in a row name how many nodes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) facts: u32,
    /// Of each of these facts.
    pub(crate) nodes: u32,
}

/// A settled block, as far as its facts were accepted.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) first: u64,
    /// The last fact accepted; the block may have more, which do not hold (yet).
    pub(crate) last: u64,
    pub(crate) height: u32,
    pub(crate) first_ordinal: u32,
    /// What its accepted facts name, in their order.
    pub(crate) layout: Vec<Stretch>,
    /// None where a snapshot stands for it.
    pub(crate) bytes: Option<Arc<[u8]>>,
}

/// One agent's settled blocks, in sequence without gaps. Compaction takes the first ones away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// What was before the first entry: the last sequence, and the height of its block.
    pub(crate) dropped: (u64, u32),
    pub(crate) entries: Vec<Entry>,
    /// The row of each node that the entries' facts named, in order.
    pub(crate) rows: Vec<RowId>,
    /// The ordinal of the first of these rows.
    pub(crate) first_row: u32,
    /// The hash chain over the blocks: covers every fact of the agent up to here.
    pub(crate) chain: [u8; 32],
    /// Facts up to this sequence are certified.
    pub(crate) certified: u64,
    /// The last sequence of the last block that holds other facts than certificates.
    pub(crate) claims: u64,
}

impl Log {
    /// Enters the accepted facts of a block, of which there is at least one.
    pub(crate) fn enter(&mut self, block: &Block, bytes: Arc<[u8]>, first_ordinal: u32, layout: Vec<Stretch>) {
        let last = block.first + layout.iter().map(|own| u64::from(own.facts)).sum::<u64>() - 1;
        if block.makes_claims() {
            self.claims = last;
        }
        match self.entries.last_mut() {
            // More of the block entered last has turned out to hold.
            Some(entry) if entry.bytes.as_ref() == Some(&bytes) => {
                entry.last = last;
                entry.layout.extend(layout);
            }
            _ => {
                self.chain = chain(&self.chain, &bytes);
                self.entries.push(Entry {
                    first: block.first,
                    last,
                    height: block.height,
                    first_ordinal,
                    layout,
                    bytes: Some(bytes),
                });
            }
        }
    }

    /// The sequence of the last fact; 0 for none.
    pub(crate) fn last(&self) -> u64 {
        self.entries.last().map_or(self.dropped.0, |entry| entry.last)
    }

    /// The ordinal of the next node to be named.
    pub(crate) fn next_ordinal(&self) -> u32 {
        self.first_row + self.rows.len() as u32
    }

    /// The row of a node; none if it was never named, or compaction took the name away.
    pub(crate) fn row(&self, ordinal: u32) -> Option<RowId> {
        let at = ordinal.checked_sub(self.first_row)?;
        self.rows.get(at as usize).copied()
    }

    /// The height of the last block that begins up to a sequence; 0 for none.
    pub(crate) fn height(&self, up_to: u64) -> u32 {
        let count = self.entries.partition_point(|entry| entry.first <= up_to);
        count
            .checked_sub(1)
            .map_or(self.dropped.1, |at| self.entries[at].height)
    }

    /// The block that has the fact of this sequence, if it was accepted and is still here.
    pub(crate) fn entry_of(&self, sequence: u64) -> Option<&Entry> {
        let count = self.entries.partition_point(|entry| entry.last < sequence);
        self.entries.get(count).filter(|entry| entry.first <= sequence)
    }

    /// The block that begins with this sequence.
    pub(crate) fn entry_from(&self, sequence: u64) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&sequence, |entry| entry.first);
        at.ok().map(|at| &self.entries[at])
    }

    /// The ordinal of the first node named after this sequence. O(log blocks + rules in one block).
    pub(crate) fn ordinal_after(&self, sequence: u64) -> u32 {
        let count = self.entries.partition_point(|entry| entry.last <= sequence);
        let Some(entry) = self.entries.get(count) else {
            return self.next_ordinal();
        };
        entry.first_ordinal + entry.nodes_up_to(sequence)
    }

    /// Takes away what a snapshot up to this sequence, a block's end, stands for.
    pub(crate) fn drop_up_to(&mut self, sequence: u64) {
        if sequence <= self.dropped.0 {
            return;
        }
        let ordinal = self.ordinal_after(sequence);
        self.dropped = (sequence, self.height(sequence));
        self.entries.retain(|entry| entry.last > sequence);
        self.rows.drain(..(ordinal - self.first_row) as usize);
        self.first_row = ordinal;
    }
}

impl Entry {
    /// How many nodes its facts name.
    pub(crate) fn nodes(&self) -> u32 {
        self.layout.iter().map(|own| own.facts * own.nodes).sum()
    }

    /// How many nodes its facts up to a sequence name.
    fn nodes_up_to(&self, sequence: u64) -> u32 {
        let mut facts = (sequence + 1).saturating_sub(self.first);
        let mut nodes = 0;
        for stretch in &self.layout {
            let own = facts.min(u64::from(stretch.facts));
            nodes += own as u32 * stretch.nodes;
            facts -= own;
            if facts == 0 {
                break;
            }
        }
        nodes
    }
}

/// The hash chain after one more block.
pub(crate) fn chain(before: &[u8; 32], block: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(block);
    *hasher.finalize().as_bytes()
}

/// The names of nodes that a snapshot holds: see `replica/era.rs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline<'a> {
    /// The maker of these names.
    pub(crate) agent: AgentId,
    /// What the snapshot covers.
    pub(crate) version: &'a VersionVector,
    /// The row of each of its nodes.
    pub(crate) rows: &'a [RowId],
}

/// The order of all nodes under a version vector: those of a snapshot under it, in its order, then those that the blocks above it name, by height, agent and
/// ordinal. Numbers in it are what applications refer to; every replica that has the blocks computes the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Number of the block's first node, and its name.
    starts: Vec<(u32, Name)>,
    /// By agent: first ordinal of each block and its first number.
    by_agent: BTreeMap<AgentId, Vec<(u32, u32)>>,
    total: u32,
}

impl Frame {
    /// The order under a version vector. O(blocks log blocks).
    pub(crate) fn of(logs: &BTreeMap<AgentId, Log>, baseline: Option<Baseline<'_>>, base: &VersionVector) -> Frame {
        let mut blocks: Vec<(u32, AgentId, u32, u32)> = Vec::new();
        if let Some(Baseline { agent, rows, .. }) = baseline {
            blocks.push((0, agent, 0, rows.len() as u32));
        }
        for Dot { agent, sequence } in base.iter() {
            let Some(log) = logs.get(&agent) else { continue };
            let covered = baseline.map_or(0, |baseline| baseline.version.get(agent));
            let from = log.entries.partition_point(|entry| entry.last <= covered);
            for entry in log.entries[from..].iter().take_while(|entry| entry.first <= sequence) {
                blocks.push((entry.height, agent, entry.first_ordinal, entry.nodes_up_to(sequence)));
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
    pub(crate) fn rows<'a>(&self, logs: &'a BTreeMap<AgentId, Log>, baseline: Option<Baseline<'a>>) -> Rows<'a> {
        let mut ends: Vec<u32> = self.starts.iter().skip(1).map(|&(start, _)| start).collect();
        ends.push(self.total);
        let blocks = self.starts.iter().zip(ends).map(|(&(start, first), end)| {
            let count = (end - start) as usize;
            match baseline.filter(|baseline| baseline.agent == first.agent) {
                Some(baseline) => (start, &baseline.rows[..count]),
                None => {
                    let log = &logs[&first.agent];
                    let from = (first.ordinal - log.first_row) as usize;
                    (start, &log.rows[from..from + count])
                }
            }
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
