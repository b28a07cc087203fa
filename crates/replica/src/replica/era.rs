//! Eras: compaction by causal stability.
//!
//! Once every member has acknowledged a version vector V, nobody will ever ask for the facts up to V again. A *cut* is the fact that says so. From the
//! cut on, a snapshot (a function of the facts up to V, whose digest the cut tells) stands for them, and its rows have new names, by their place in it: whoever makes
//! facts on top of the cut numbers them so. These are the facts of the new *era*. Facts that were made by somebody who had not heard of the cut belong
//! to the era before. Once everybody has settled the cut, it is *closed* with what all had then: of the facts of the era before, these count, and no others. Whoever has settled them
//! needs the old names no more, and takes the facts up to V away; the state that is left is bounded by the e-graph and the facts since.
//!
//! A cut also certifies: what every member has settled, every member has checked.
//!
//! To make the snapshot, the facts up to V are replayed in their canonical order on top of the last one, so it is the same, byte for byte, on every replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::graph::{EGraph, RowId};

use super::apply::rename;
use super::pending::Waiting;
use super::snapshots::history_of;
use super::{Birth, Options, Replica};
use crate::block::{Block, Cut, Segment};
use crate::fault::Fault;
use crate::log::{Baseline, Frame, Log};
use crate::snapshot::{Before, Snapshot};
use crate::version::{AgentId, Dot, Name, VersionVector};

/// The number that no agent has: the makers of the names that snapshots give have it.
const NOBODY: u32 = AgentId::MAX_NUMBER + 1;

/// Whether a name is one that a snapshot gave.
fn is_of_snapshot(name: Name) -> bool {
    name.agent.number() == NOBODY
}

/// The maker of the names that the snapshot of a cut gives.
fn maker(number: u32, Dot { agent, sequence }: Dot) -> AgentId {
    let mixed = (u64::from(agent.0) << 32 ^ sequence).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    AgentId((number & 0xf) << 28 | ((mixed >> 52) as u32) << 16 | NOBODY)
}

impl Before {
    /// The maker of the names that the snapshot of this era gives.
    pub(crate) fn agent(&self) -> AgentId {
        maker(self.number, self.fact)
    }
}

/// What follows a cut.
#[derive(Clone, Debug)]
pub(crate) struct Era {
    /// From 1.
    pub(super) number: u32,
    /// The height of the cut's block.
    pub(super) height: u32,
    /// The cut.
    pub(super) fact: Dot,
    /// What the snapshot covers.
    pub(super) version: VersionVector,
    /// The row of each node of the snapshot.
    pub(super) rows: Vec<RowId>,
    /// The snapshot, and its digest. None for the era before the one that this replica was loaded from.
    pub(super) snapshot: Option<(Arc<[u8]>, [u8; 32])>,
    /// What of the facts that were made without knowing of the cut counts. None before it is closed.
    pub(super) closed: Option<VersionVector>,
}

impl Era {
    /// The maker of the names that its snapshot gives.
    ///
    /// Eras whose names are in use at one time differ in it: those that follow each other by their number, and most of those that were begun side by side by their cut. Where
    /// these do not, a name stands for what it does in the era of who says it.
    pub(super) fn agent(&self) -> AgentId {
        maker(self.number, self.fact)
    }

    /// The digest of its snapshot, unless that is long gone.
    pub(super) fn digest(&self) -> Option<[u8; 32]> {
        self.snapshot.as_ref().map(|(_, digest)| *digest)
    }

    pub(super) fn baseline(&self) -> Baseline<'_> {
        Baseline {
            agent: self.agent(),
            version: &self.version,
            rows: &self.rows,
        }
    }

    fn order(&self) -> (u32, u32, Dot) {
        (self.number, self.height, self.fact)
    }

    /// Whether nodes go by a name in this era that is none of its snapshot: one that was given by facts that this does not stand for.
    pub(super) fn goes_by(&self, name: Name, logs: &BTreeMap<AgentId, Log>) -> bool {
        let since = |log: &Log| {
            let covered = self.version.get(name.agent);
            let count = log.entries.partition_point(|entry| entry.last <= covered);
            let before = count.checked_sub(1).map(|at| &log.entries[at]);
            before.map_or(log.first_row, |entry| entry.first_ordinal + entry.nodes())
        };
        !is_of_snapshot(name) && logs.get(&name.agent).is_some_and(|log| since(log) <= name.ordinal)
    }

    fn covered_by(&self, version: &VersionVector) -> bool {
        version.get(self.fact.agent) >= self.fact.sequence
    }
}

/// Where a replica's facts begin: what a snapshot stands for is gone.
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    pub(super) snapshot: Arc<[u8]>,
    pub(super) digest: [u8; 32],
    pub(super) version: VersionVector,
    /// The row of each node of the snapshot that this replica was loaded from: the cut that tells of it need not be checked. None if it was made here.
    pub(super) rows: Option<Vec<RowId>>,
}

impl Replica {
    /// The era of facts that were made on top of `base`.
    pub(super) fn era_of(&self, base: &VersionVector) -> Option<&Era> {
        covering(&self.eras, base)
    }

    /// The order of the nodes under a version vector.
    pub(crate) fn frame(&self, base: &VersionVector) -> Frame {
        Frame::of(&self.logs, self.era_of(base).map(Era::baseline), base)
    }

    /// The snapshot of a cut that is not under the one that the facts here begin with, and the maker of the names that it gives its rows.
    pub(crate) fn snapshot_of_era(&self, cut: Dot) -> Option<(AgentId, Arc<[u8]>)> {
        let era = self.eras.iter().find(|era| era.fact == cut)?;
        let (snapshot, _) = era.snapshot.as_ref()?;
        Some((era.agent(), snapshot.clone()))
    }

    /// The snapshot that the facts here begin with, and its digest.
    pub(crate) fn beginning_bytes(&self) -> Option<(Arc<[u8]>, [u8; 32])> {
        let own = self.beginning.as_ref()?;
        Some((own.snapshot.clone(), own.digest))
    }

    /// How the blocks since this snapshot, with which the facts here begin, number nodes.
    pub(crate) fn numbering(&self, snapshot: &Snapshot) -> Numbering {
        // Nothing but the places of rows matters.
        let rows: Vec<RowId> = (0..snapshot.rows() as u32).map(RowId).collect();
        let (before, mut logs) = history_of(snapshot, &rows);
        for (&agent, own) in &self.logs {
            let log = logs.entry(agent).or_default();
            let covered = log.last();
            let since = own.entries.partition_point(|entry| entry.last <= covered);
            log.entries.extend_from_slice(&own.entries[since..]);
        }
        let mut eras: Vec<Era> = before.into_iter().collect();
        let known = eras.first().map(|era| era.fact);
        eras.extend(self.eras.iter().filter(|era| Some(era.fact) != known).cloned());
        Numbering { logs, eras }
    }

    /// What of a settled block was accepted.
    pub(crate) fn accepted(&self, block: Block) -> Block {
        let last = self.logs.get(&block.origin).map_or(0, Log::last);
        if block.last() <= last {
            return block;
        }
        let facts = (last + 1).saturating_sub(block.first);
        block.split(facts).0
    }

    /// Makes a `cut` fact: all members are known to have acknowledged `stable`. Its facts, as far as they can be compacted, are replaced by their snapshot from now on; see
    /// [`Replica::compact`]. None if nothing was made since the last cut.
    ///
    /// The facts must be settled here, and `stable` a vector of a replica's life or the meet of such. Replays the facts since the last cut: O(facts).
    pub fn cut(&mut self, stable: &VersionVector) -> Result<Option<Dot>, Fault> {
        if !self.version().covers(stable) {
            return Err(Fault::Misplaced(
                "facts that are not settled here cannot be compacted".to_owned(),
            ));
        }
        let number = self.eras.last().map_or(0, |era| era.number).saturating_add(1);
        // Of two cuts, the later one covers the earlier.
        if self.eras.iter().any(|era| !era.covered_by(stable)) {
            return Ok(None);
        }
        // Whoever begins with its snapshot does not know the names of the era before the last one. Of cuts that were made side by side, the last one leaves out
        // whatever was made without knowing of it, so that it need not matter whether the others are closed.
        let last = self.eras.last().map(|era| era.closed.as_ref());
        let covers_last =
            |own: &VersionVector| last.is_none_or(|closed| closed.is_some_and(|closed| own.covers(closed)));
        if !covers_last(stable) {
            return Ok(None);
        }
        let Some((version, bytes)) = self.whole_past(stable)? else {
            return Ok(None);
        };
        if !covers_last(&version) {
            return Ok(None);
        }
        let cut = Cut {
            number,
            version,
            digest: *blake3::hash(&bytes).as_bytes(),
        };
        Ok(Some(self.draft_segment(Segment::Cut(cut), 0)))
    }

    /// The greatest version vector up to this one of which every fact was accepted, and its snapshot. None if that is what the last cut has.
    fn whole_past(&self, stable: &VersionVector) -> Result<Option<(VersionVector, Vec<u8>)>, Fault> {
        let mut version = stable.clone();
        loop {
            let last = self.eras.last();
            if last.is_some_and(|era| era.version == version) || self.eras.iter().any(|era| !era.covered_by(&version)) {
                return Ok(None);
            }
            let mut past = self.past(&version)?;
            let reached = past.version();
            if reached == version && past.held.is_empty() {
                return Ok(Some((version, past.take_snapshot().0.encode())));
            }
            // What is held back within a block, and what rests on it, is left for later.
            version = version
                .iter()
                .map(|dot| {
                    let held = past.held.get(&dot.agent).map_or(u64::MAX, |held| held.began - 1);
                    let sequence = dot.sequence.min(reached.get(dot.agent)).min(held);
                    Dot { sequence, ..dot }
                })
                .collect();
        }
    }

    /// A replica of the facts up to a version vector, as far as they hold.
    fn past(&self, version: &VersionVector) -> Result<Replica, Fault> {
        let options = Options {
            agent: AgentId(u32::MAX),
            ..self.options
        };
        let mut past = match &self.beginning {
            Some(beginning) => Replica::of_snapshot(options, beginning.snapshot.clone())?,
            None => Replica::new(options),
        };
        past.replays = true;
        for (agent, log) in &self.logs {
            let up_to = version.get(*agent);
            for entry in log.entries.iter().take_while(|entry| entry.first <= up_to) {
                if let Some(bytes) = &entry.bytes {
                    past.receive(bytes)?;
                }
            }
        }
        past.settle();
        Ok(past)
    }

    /// Checks a cut, made on top of `base` as the fact `dot` of a block of this height.
    pub(super) fn check_cut(&self, cut: &Cut, base: &VersionVector, dot: Dot, height: u32) -> Result<Era, String> {
        let covered: Vec<&Era> = self.eras.iter().filter(|era| era.covered_by(base)).collect();
        let number = covered.last().map_or(0, |era| era.number).saturating_add(1);
        if cut.number != number {
            return Err(format!("it is cut {} where {number} follows", cut.number));
        }
        if !base.covers(&cut.version) || covered.iter().any(|era| !era.covered_by(&cut.version)) {
            return Err("it cuts facts that its maker had not settled, or less than the last cut".to_owned());
        }
        let (rows, snapshot) = match &self.beginning {
            Some(Beginning {
                rows: Some(rows),
                snapshot,
                digest,
                version,
            }) if *version == cut.version && *digest == cut.digest => (rows.clone(), snapshot.clone()),
            _ => self.snapshot_of(cut)?,
        };
        Ok(Era {
            number,
            height,
            fact: dot,
            version: cut.version.clone(),
            rows,
            snapshot: Some((snapshot, cut.digest)),
            closed: None,
        })
    }

    /// Makes the snapshot of a cut, and finds its rows here. Fails if it is not the one that the cut tells of.
    fn snapshot_of(&self, cut: &Cut) -> Result<(Vec<RowId>, Arc<[u8]>), String> {
        let mut past = self.past(&cut.version).map_err(|fault| fault.to_string())?;
        if past.version() != cut.version || !past.held.is_empty() {
            return Err("it does not cut between blocks".to_owned());
        }
        let (snapshot, order) = past.take_snapshot();
        let bytes = snapshot.encode();
        if *blake3::hash(&bytes).as_bytes() != cut.digest {
            return Err("the digest of its snapshot is wrong".to_owned());
        }
        // What the past names by its era's snapshot, it means by the very same era, and not by one that was begun beside it.
        let era = past.eras.last().map(|era| era.fact);
        let era = self.eras.iter().find(|own| Some(own.fact) == era);
        let row = |row: &RowId| {
            let name = past.births[row.0 as usize].name;
            named_row(&self.graph, &self.logs, era, name).ok_or("it cuts what has been cut away")
        };
        let rows = order.iter().map(row).collect::<Result<_, _>>()?;
        Ok((rows, bytes.into()))
    }

    /// Begins an era. If it is the latest, its names are the first ones of its rows from now on, and matches may change hands.
    pub(super) fn enter_era(&mut self, era: Era) {
        let at = self.eras.partition_point(|own| own.order() < era.order());
        if at == self.eras.len() {
            self.eras.push(era);
            self.name_rows();
            let (era, logs) = (self.eras.last().expect("just entered"), &self.logs);
            for (label, own) in &mut self.labels {
                // It may also be another name of something older, or have its name from a cut that was made beside this one.
                if !era.goes_by(own.name, logs) {
                    own.name = self.births[self.graph.resolve(own.row).0 as usize].name;
                    let names = &mut self.label_names;
                    names
                        .entry(reference(Some(era), own.name))
                        .or_insert_with(|| label.clone());
                }
            }
            self.marks.clear();
        } else {
            self.eras.insert(at, era);
        }
        let era = &self.eras[at];
        // Every member has checked what a cut covers.
        for &row in &era.rows {
            self.graph.color(self.graph.resolve(row), Colors::CERTIFIED);
        }
        for dot in era.version.iter() {
            let log = self.logs.get_mut(&dot.agent).expect("covered");
            log.certified = log.certified.max(dot.sequence);
        }
    }

    /// Finds the first name of each row anew: in the latest era's snapshot if it is there, and otherwise among those that the facts since have given.
    /// O(nodes named).
    pub(super) fn name_rows(&mut self) {
        self.births.fill(Birth::NEVER);
        self.births.resize(self.graph.row_count() as usize, Birth::NEVER);
        let mut note = |row: RowId, height, agent, ordinal| {
            let row = self.graph.resolve(row);
            let name = Name { agent, ordinal };
            rename(&mut self.graph, &mut self.births, row, Birth { height, name }, false);
        };
        let era = self.eras.last();
        if let Some(era) = era {
            for (ordinal, &row) in (0..).zip(&era.rows) {
                note(row, 0, era.agent(), ordinal);
            }
        }
        for (&agent, log) in &self.logs {
            let covered = era.map_or(0, |era| era.version.get(agent));
            let since = log.entries.partition_point(|entry| entry.last <= covered);
            for entry in &log.entries[since..] {
                let from = (entry.first_ordinal - log.first_row) as usize;
                let rows = &log.rows[from..from + entry.nodes() as usize];
                for (ordinal, &row) in (entry.first_ordinal..).zip(rows) {
                    note(row, entry.height, agent, ordinal);
                }
            }
        }
    }

    /// Closes the last cut: `known` is the join of what the members had when they said that they had settled it. It need not be here. Facts that were made without
    /// knowing of the cut, and are not under it, will never count; as long as the cut is open, they wait. Makes a `close` fact; none if no cut is open.
    ///
    /// The maker of the cut does that, or somebody else if it is no more. If both do, what counts is what both speak of: whoever took in more finds that
    /// void (see [`Replica::is_void`]), whatever it hears first.
    pub fn close(&mut self, known: &VersionVector) -> Option<Dot> {
        let cut = self.open_cut()?;
        let version = known.clone();
        Some(self.draft_segment(Segment::Close { cut, version }, 0))
    }

    /// The last cut, if it is not closed.
    pub fn open_cut(&self) -> Option<Dot> {
        let open = self.eras.last().filter(|era| era.closed.is_none());
        open.map(|era| era.fact)
    }

    pub(super) fn check_close(&self, cut: Dot, block: &Block) -> Result<(), String> {
        let known = self.eras.iter().any(|era| era.fact == cut);
        let compacted = self
            .logs
            .get(&cut.agent)
            .is_some_and(|log| log.dropped.0 >= cut.sequence);
        if block.base.get(cut.agent) < cut.sequence || !known && !compacted {
            return Err("it closes what is no cut that its maker had settled".to_owned());
        }
        Ok(())
    }

    pub(super) fn close_era(&mut self, cut: Dot, version: &VersionVector) {
        let Some(at) = self.eras.iter().position(|era| era.fact == cut) else {
            return;
        };
        let closed = &mut self.eras[at].closed;
        *closed = Some(match closed.take() {
            Some(other) => other.meet(version),
            None => version.clone(),
        });
        let covered = &self.eras[at].version;
        self.void |= self.logs.iter().any(|(&agent, log)| {
            let since = log.entries.partition_point(|entry| entry.last <= covered.get(agent));
            log.entries[since..].iter().any(|entry| {
                let block = entry.bytes.as_ref().map(|bytes| Block::decode(bytes));
                matches!(block, Some(Ok(block)) if self.is_left_out(&block.base, agent, entry.last))
            })
        });
    }

    /// The eras after the latest one that begins within a version vector.
    fn later_than(&self, version: &VersionVector) -> &[Era] {
        let known = self.eras.iter().rposition(|era| era.covered_by(version));
        &self.eras[known.map_or(0, |at| at + 1)..]
    }

    /// Whether a cut was closed without the facts of an agent up to this sequence, which were made on top of `base`, and without knowing of the cut or a later one.
    pub(super) fn is_left_out(&self, base: &VersionVector, agent: AgentId, last: u64) -> bool {
        self.later_than(base).iter().any(|era| {
            let closed = era.closed.as_ref();
            closed.is_some_and(|closed| closed.get(agent) < last) && era.version.get(agent) < last
        })
    }

    /// Whether facts were accepted here that do not count, as a cut was closed without them: this replica has to begin anew, with [`Replica::resume`] of what it has stored.
    /// Happens only where an agent lost its state, or parts of it.
    pub fn is_void(&self) -> bool {
        self.void
    }

    /// Whether a block whose past is here can be settled.
    ///
    /// A replica that has settled a cut takes in facts that were made without knowing of it only up to the version vector that the cut is closed with. So nobody builds on facts that others will
    /// never accept.
    pub(super) fn standing(&self, block: &Block) -> Standing {
        if self.replays {
            return Standing::Counts;
        }
        let floor = self.floor.is_some_and(|cut| block.base.get(cut.agent) < cut.sequence);
        let cuts_behind = block
            .segments
            .iter()
            .any(|segment| matches!(segment, Segment::Cut(cut) if !self.begins_before(&cut.version)));
        if floor || cuts_behind {
            return Standing::Void;
        }
        if block.origin == self.options.agent {
            return Standing::Counts;
        }
        if self.is_left_out(&block.base, block.origin, block.last()) {
            return Standing::Void;
        }
        let unknown = self.later_than(&block.base);
        // What a later cut is closed with was known to somebody who takes part.
        if unknown.is_empty() || unknown.iter().any(|era| era.closed.is_some()) {
            Standing::Counts
        } else {
            Standing::Waits
        }
    }

    /// The cuts, and what closes them, that are yet to be settled here, and all before them. Cuts that were made side by side know nothing of each other; they must not wait
    /// for each other to be closed. Nor must what closes a cut wait for that: whoever made it, if that was not the maker of the cut, had made facts before without knowing of the
    /// cut, and the cut is closed with all that it knew.
    pub(super) fn under_pending_cuts(&self) -> VersionVector {
        let mut under = VersionVector::default();
        if self.eras.is_empty() {
            // Nothing waits for a cut.
            return under;
        }
        for Waiting { block, .. } in self.pending.cuts() {
            under.join(&block.base);
            under.raise(block.origin, block.last());
        }
        under
    }

    /// Takes away the facts that the snapshot of a closed cut stands for, and the names of the eras before, once everything is here that still needed these. Answers whether anything was taken away.
    pub fn compact(&mut self) -> bool {
        let version = self.version();
        // Of cuts that were made side by side, none goes without the others: whoever begins with one could not check the other.
        let at = (0..self.eras.len()).rev().find(|&at| {
            let (before, era, after) = (&self.eras[..at], &self.eras[at], &self.eras[at + 1..]);
            era.closed.as_ref().is_some_and(|closed| version.covers(closed))
                && era.snapshot.is_some()
                && before.iter().all(|own| own.covered_by(&era.version))
                && after.iter().all(|own| era.covered_by(&own.version))
        });
        let done = self.beginning.as_ref().map(|beginning| &beginning.version);
        match at {
            Some(at) if at > 0 || done != Some(&self.eras[at].version) => {
                self.begin_with(at);
                true
            }
            _ => false,
        }
    }

    /// Takes away what came before an era.
    pub(super) fn begin_with(&mut self, at: usize) {
        self.eras.drain(..at);
        let era = &self.eras[0];
        self.floor = Some(era.fact);
        if let Some((snapshot, digest)) = &era.snapshot {
            self.beginning = Some(Beginning {
                snapshot: snapshot.clone(),
                digest: *digest,
                version: era.version.clone(),
                rows: None,
            });
        }
        for (agent, log) in &mut self.logs {
            log.drop_up_to(era.version.get(*agent));
        }
        let (graph, logs, eras) = (&self.graph, &self.logs, &self.eras);
        self.label_names.retain(|&(cut, name), _| match cut {
            Some(cut) => eras.iter().any(|era| era.fact == cut),
            None => named_row(graph, logs, None, name).is_some(),
        });
    }

    /// Whether the facts here begin with no more than this.
    pub(super) fn begins_before(&self, version: &VersionVector) -> bool {
        let beginning = self.beginning.as_ref();
        beginning.is_none_or(|own| version.covers(&own.version))
    }

    /// Whether the cut of a snapshot is settled here.
    pub(super) fn has_entered(&self, digest: &[u8; 32]) -> bool {
        self.eras.iter().any(|era| era.digest().as_ref() == Some(digest))
    }
}

/// What the blocks since a snapshot number nodes by. Compaction takes away the names that blocks of the era before the cut refer to; the snapshot itself keeps them.
#[derive(Debug)]
pub(crate) struct Numbering {
    logs: BTreeMap<AgentId, Log>,
    eras: Vec<Era>,
}

impl Numbering {
    /// The order of the nodes under a version vector.
    pub(crate) fn frame(&self, base: &VersionVector) -> Frame {
        Frame::of(&self.logs, covering(&self.eras, base).map(Era::baseline), base)
    }
}

/// See [`Replica::standing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Counts,
    /// Until the cut is closed.
    Waits,
    Void,
}

/// The latest era that begins within a version vector.
pub(super) fn covering<'a>(eras: &'a [Era], version: &VersionVector) -> Option<&'a Era> {
    position(eras, version).map(|at| &eras[at])
}

/// Its place.
pub(super) fn position(eras: &[Era], version: &VersionVector) -> Option<usize> {
    eras.iter().rposition(|era| era.covered_by(version))
}

/// What a name stands for: those of snapshots, by the cut of their era.
pub(super) type Reference = (Option<Dot>, Name);

/// What a name stands for that is said in an era.
pub(super) fn reference(era: Option<&Era>, name: Name) -> Reference {
    let era = era.filter(|_| is_of_snapshot(name));
    (era.map(|era| era.fact), name)
}

/// The row of a node by its name, said in an era. The maker of the names that a snapshot gives does not tell for sure which one that was: what says it does.
pub(super) fn named_row(graph: &EGraph, logs: &BTreeMap<AgentId, Log>, era: Option<&Era>, name: Name) -> Option<RowId> {
    let row = if is_of_snapshot(name) {
        let era = era.filter(|era| era.agent() == name.agent)?;
        era.rows.get(name.ordinal as usize).copied()?
    } else {
        logs.get(&name.agent)?.row(name.ordinal)?
    };
    Some(graph.resolve(row))
}
