//! Keeping a replica, and beginning with what another one has.
//!
//! A replica is its facts: the snapshot that stands for the first of them, and the blocks since. So to keep it, to copy it, and to start one with what others have is all
//! the same.

use std::sync::Arc;

use eqmesh_egraph::program;

use super::{KnownRule, Options, Replica};
use crate::block::{Block, Segment};
use crate::fault::Fault;
use crate::pack::unpack;
use crate::snapshot::Snapshot;
use crate::version::{AgentId, VersionVector};
use crate::wire::{Reader, put, put_bytes, seal};

/// The first bytes of a kept replica: a magic number and the version.
const MAGIC: &[u8; 4] = b"eqi\x01";

/// The most snapshots of others that are kept until one is adopted.
const MAX_OFFERS: usize = 4;

impl Replica {
    /// Everything that is settled, as bytes: the snapshot, if there is one, and the blocks since. Small where [`Replica::compact`] has been at work. O(bytes).
    pub fn save(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let parts = self.delta_since(&VersionVector::default());
        put(&mut bytes, parts.len() as u64);
        for part in parts {
            put_bytes(&mut bytes, &part);
        }
        seal(bytes)
    }

    /// A replica that holds what [`Replica::save`] kept, [packed](crate::pack) or not.
    ///
    /// It makes facts as `options.agent`. If that agent has made some of the facts that were saved, it goes on behind them: only who is sure that no later ones of its own have ever left
    /// may do so. Everybody else takes an incarnation that was never used (see [`AgentId`]).
    ///
    /// Fails with [`Fault::Malformed`] for what cannot be read, and [`Fault::Refused`] for facts that do not hold. The snapshot is trusted, the blocks are checked.
    pub fn load(options: Options, bytes: &[u8]) -> Result<Replica, Fault> {
        let bytes = unpack(bytes)?;
        let mut reader = Reader::open(&bytes, MAGIC, "kept replica")?;
        let mut parts = Vec::new();
        for _ in 0..reader.count()? {
            parts.push(reader.bytes()?);
        }
        reader.end()?;
        let mut parts = parts.into_iter().peekable();
        let snapshot = parts.next_if(|part| part.starts_with(crate::snapshot::MAGIC));
        let mut replica = match snapshot {
            Some(snapshot) => Replica::of_snapshot(options, snapshot.into())?,
            None => Replica::new(options),
        };
        replica.replays = true;
        for part in parts {
            replica.restore(part)?;
        }
        let settled = replica.settle();
        replica.replays = false;
        if let Some((dot, reason)) = settled.refused.into_iter().next() {
            return Err(Fault::Refused(format!(
                "fact {} of agent {} does not hold: {reason}",
                dot.sequence,
                dot.agent.number()
            )));
        }
        replica.own_up();
        Ok(replica)
    }

    /// Takes in what this agent stored, in any order, and answers how many parts are broken or refused. What it had accepted is accepted again; a snapshot is
    /// trusted. Where some of it has been found void in the meantime (see [`Replica::is_void`]), it begins anew.
    ///
    /// To be called on an empty replica, which makes facts under an incarnation that was never used. Who is sure that none of its later facts have ever left may go on under one that has
    /// made some of the facts; it does not begin anew then, as it would make other facts under the same dots.
    pub fn resume<B: AsRef<[u8]>>(&mut self, parts: &[B]) -> u64 {
        let mut broken = 0;
        for part in parts {
            broken += u64::from(self.restore(part.as_ref()).is_err());
        }
        let offered: Vec<[u8; 32]> = self.offers().copied().collect();
        for digest in offered {
            self.replays = true;
            let adopted = self.adopt(&digest, self.options.agent);
            broken += u64::from(!matches!(adopted, Ok(_) | Err(Fault::Absent(_))));
        }
        self.replays = true;
        self.settle();
        self.replays = false;
        self.own_up();
        if self.is_void() && self.own_facts == 0 {
            // What does not count is left out, and what the user said among it is made again.
            match self.renewed() {
                Ok(new) => _ = self.go_over(new),
                Err(_) => broken += 1,
            }
        }
        broken
    }

    /// A replica that begins with what this one began with, and has of its facts those that count.
    fn renewed(&mut self) -> Result<Replica, Fault> {
        let mut new = match &self.beginning {
            Some(own) => Replica::of_snapshot(self.options, own.snapshot.clone())?,
            None => Replica::new(self.options),
        };
        new.replays = true;
        let blocks = self.counting();
        self.hand_over(&mut new, blocks);
        Ok(new)
    }

    /// The blocks of which every fact counts, whatever cuts were closed.
    fn counting(&self) -> Vec<Arc<[u8]>> {
        let mut blocks: Vec<(u32, AgentId, u64, &Arc<[u8]>)> = Vec::new();
        let mut version = VersionVector::default();
        for (&agent, log) in &self.logs {
            version.raise(agent, log.dropped.0);
            for entry in &log.entries {
                match &entry.bytes {
                    Some(bytes) => blocks.push((entry.height, agent, entry.last, bytes)),
                    None => version.raise(agent, entry.last),
                }
            }
        }
        // Nothing is before what it builds on.
        blocks.sort_unstable_by_key(|&(height, agent, last, _)| (height, agent, last));
        let mut counting = Vec::with_capacity(blocks.len());
        for (_, agent, last, bytes) in blocks {
            let Ok(block) = Block::decode(bytes) else { continue };
            let next = version.get(agent) + 1 == block.first;
            if next && version.covers(&block.base) && !self.is_left_out(&block.base, agent, last) {
                version.raise(agent, last);
                if last == block.last() {
                    counting.push(bytes.clone());
                }
            }
        }
        counting
    }

    /// Takes in a block from a store of its own, where its own facts may be, too.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let agent = std::mem::replace(&mut self.options.agent, AgentId(u32::MAX));
        let taken = self.receive(bytes);
        self.options.agent = agent;
        taken
    }

    /// Goes on behind the facts of its own that are here.
    pub(super) fn own_up(&mut self) {
        if let Some(log) = self.logs.get(&self.options.agent) {
            self.own_facts = log.last();
            self.own_nodes = log.next_ordinal();
            self.own_height = log.height(u64::MAX);
            self.own_chain = log.chain;
        }
    }

    /// The digest of the snapshot that this replica begins with, if its first facts have been compacted. The cut that made it tells the same.
    pub fn beginning(&self) -> Option<[u8; 32]> {
        self.beginning.as_ref().map(|own| own.digest)
    }

    /// The digest of the snapshot of the last cut that is settled here; none before the first.
    pub fn last_cut(&self) -> Option<[u8; 32]> {
        self.eras
            .last()
            .and_then(super::era::Era::digest)
            .or_else(|| self.beginning())
    }

    /// Keeps a snapshot of somebody else's until it is known whether to trust it.
    pub(super) fn keep_offer(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let (snapshot, digest) = Snapshot::decode_hashed(bytes)?;
        if self.version().covers(&snapshot.version()) {
            return Ok(());
        }
        if self.offers.len() == MAX_OFFERS && !self.offers.contains_key(&digest) {
            self.offers.pop_first();
        }
        self.offers.insert(digest, bytes.into());
        Ok(())
    }

    /// The digests of the snapshots that were received and tell more than is known here.
    pub fn offers(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.offers.keys()
    }

    /// Begins anew with a snapshot that was received. Its digest must be one that can be trusted, such as most members name: what it says cannot be checked, since the facts are gone.
    ///
    /// The blocks that are known here and not covered are taken in again. Facts that nobody can check any more, since they were made too long ago, are made
    /// again: rules, terms and equalities by `agent`, a new incarnation, in a draft to be sealed. Those of others, too, as their makers may have lost them. Answers how many could not
    /// be.
    ///
    /// Fails with [`Fault::Absent`] if there is no such snapshot, or its cut was not received, and with [`Fault::Misplaced`] if `agent` has made facts before; then nothing has changed.
    pub fn adopt(&mut self, digest: &[u8; 32], agent: AgentId) -> Result<u64, Fault> {
        let bytes: Arc<[u8]> = self
            .offers
            .get(digest)
            .cloned()
            .ok_or_else(|| Fault::Absent("no snapshot of this digest was received".to_owned()))?;
        if self.logs.contains_key(&agent) {
            return Err(Fault::Misplaced(format!(
                "incarnation {} of agent {} has made facts before",
                agent.incarnation(),
                agent.number()
            )));
        }
        let options = Options { agent, ..self.options };
        let mut new = Replica::of_snapshot(options, bytes)?;
        new.replays = self.replays;
        let blocks = self.delta_since(&new.version());
        self.hand_over(&mut new, blocks);
        if !new.has_entered(digest) {
            self.offers = new.offers;
            return Err(Fault::Absent("the cut of this snapshot was not received".to_owned()));
        }
        new.offers.remove(digest);
        let taken = new.version();
        let mut lost = 0;
        if new.is_void() {
            // What came before the cut was settled, and does not count. What was waiting here, as all does that is resumed, is known to it alone.
            let renewed = new.renewed()?;
            lost = new.go_over(renewed);
        } else {
            new.own_up();
        }
        lost += self.make_again(&mut new, &taken);
        *self = new;
        Ok(lost)
    }

    /// Gives another replica what was received here, with these of the blocks that were settled.
    fn hand_over(&mut self, new: &mut Replica, blocks: Vec<Arc<[u8]>>) {
        new.offers = std::mem::take(&mut self.offers);
        for block in blocks {
            // What nobody can read any more is no loss: others know it, or it is made again.
            let _forgotten = new.restore(&block);
        }
        for waiting in self.pending.blocks() {
            let _forgotten = new.restore(&waiting.bytes);
        }
        new.settle();
        new.replays = false;
    }

    /// Becomes another replica, which makes again what it lacks. Answers how many facts it could not make.
    fn go_over(&mut self, mut new: Replica) -> u64 {
        new.own_up();
        let version = new.version();
        let lost = self.make_again(&mut new, &version);
        *self = new;
        lost
    }

    /// Has another replica make the facts of this one beyond a version vector. Answers how many it could not.
    fn make_again(&self, new: &mut Replica, version: &VersionVector) -> u64 {
        let mut lost = 0;
        for (agent, log) in &self.logs {
            let known = version.get(*agent);
            for entry in log.entries.iter().filter(|entry| entry.first > known) {
                let Some(Ok(block)) = entry.bytes.as_ref().map(|bytes| Block::decode(bytes)) else {
                    continue;
                };
                let era = self.era_of(&block.base);
                let label = |name| self.label_of(era, name);
                let text = |body: &crate::block::Body| body.text(&block.operators, label);
                for segment in &block.segments {
                    let made = match segment {
                        Segment::Rule(program) => {
                            let known = |own: &KnownRule| program::encode_rule(&own.rule) == *program;
                            new.rules.values().any(known) || new.add_rule(program).is_ok()
                        }
                        Segment::Term { label, color, body } => text(body).is_some_and(|text| {
                            let label = label.as_deref().filter(|label| !new.is_bound(label));
                            new.declare(&block.operators).is_ok() && new.insert(&text, label, *color).is_ok()
                        }),
                        Segment::Equal { left, right } => text(left).zip(text(right)).is_some_and(|(left, right)| {
                            new.declare(&block.operators).is_ok() && new.unite(&left, &right).is_ok()
                        }),
                        // Whatever holds is found again.
                        Segment::Apply { .. } | Segment::Certify(_) | Segment::Cut(_) | Segment::Close { .. } => true,
                    };
                    lost += u64::from(!made);
                }
            }
        }
        lost
    }
}
