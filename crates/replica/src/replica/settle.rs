//! Taking blocks in: every fact is checked against the closed e-graph before the first is applied.

use std::sync::Arc;

use super::apply::rename;
use super::check::Misfit;
use super::era::{Era, Standing};
use super::pending::Waiting;
use super::{Birth, Checked, FORKED, Held, Mark, Own, Replica, Settled, Share, version};
use crate::block::Block;
use crate::fault::Fault;
use crate::snapshot;
use crate::version::{AgentId, Dot};

/// The most bytes of blocks that wait for others.
const MAX_WAITING: usize = 512 << 20;

/// What a block comes to when it is checked.
struct Sound {
    block: Block,
    bytes: Arc<[u8]>,
    /// One for each segment of applications.
    applications: Vec<Checked>,
    /// One for each cut.
    eras: Vec<Era>,
    marks: Vec<((Dot, Share), Mark)>,
}

impl Replica {
    /// Takes in a block (or a snapshot, which is only kept: see [`Replica::adopt`]). Checks its form only; see [`Replica::settle`].
    ///
    /// Fails with [`Fault::Refused`] for facts under the name of this replica that it has not made: somebody else goes by it.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.starts_with(snapshot::MAGIC) {
            return self.keep_offer(bytes);
        }
        let block = Block::decode(bytes)?;
        let (origin, first) = (block.origin, block.first);
        let log = self.logs.get(&origin);
        let known = log.is_some_and(|log| first <= log.last()) || self.pending.get(origin, first).is_some();
        if known {
            let entry = log.and_then(|log| log.entry_from(first));
            let pending = self.pending.get(origin, first).map(|waiting| &waiting.bytes);
            let other = |own: &Arc<[u8]>| own.as_ref() != bytes;
            if entry
                .and_then(|entry| entry.bytes.as_ref())
                .or(pending)
                .is_some_and(other)
            {
                return self.note_fork(origin, first);
            }
            return Ok(());
        }
        if origin == self.options.agent {
            return self.note_fork(origin, first);
        }
        if self.pending.bytes() + bytes.len() > MAX_WAITING {
            return Err(Fault::Limit(format!(
                "at most {MAX_WAITING} bytes of facts wait for what they build on"
            )));
        }
        self.pending.insert(Waiting {
            block,
            bytes: bytes.into(),
            own: None,
        });
        Ok(())
    }

    /// Somebody has told two histories. Of this replica's name, nothing but its own one is believed.
    fn note_fork(&mut self, origin: AgentId, sequence: u64) -> Result<(), Fault> {
        let dot = Dot {
            agent: origin,
            sequence,
        };
        self.forks.entry(origin).or_insert(dot);
        if origin == self.options.agent {
            return Err(Fault::Refused(format!(
                "somebody else makes facts as agent {}, incarnation {}: fact {sequence} is not from here",
                origin.number(),
                origin.incarnation()
            )));
        }
        Ok(())
    }

    /// Applies every block whose causal past is here, in the order of (height, agent).
    ///
    /// Each fact is checked first, on the closed e-graph without its block. Of a block with a fact that does not hold, the facts before it are kept; it and its maker's later ones are held
    /// back, reported, and tried again whenever more is known: whether a fact holds can only change from no to yes, so replicas with the same facts at
    /// hand have accepted the same ones in the end.
    pub fn settle(&mut self) -> Settled {
        let mut settled = Settled::default();
        let nodes_before = self.graph.enodes() as u64;
        let mut unions = 0;
        loop {
            let mut batch = self.next_batch();
            let Some(least) = batch.first().map(|waiting| waiting.block.height) else {
                break;
            };
            if least > self.height
                && let [Waiting { own: Some(own), .. }] = batch.as_mut_slice()
                && let Some(ahead) = own.ahead.take()
                && ahead.generation == self.generation
                && let Some(Waiting { block, bytes, own }) = batch.pop()
            {
                settled.accepted += block.facts();
                // Where nothing is checked again, what is known of the matches is a burden.
                let marks = own.map(|own| own.marks);
                unions += self.go_ahead(&block, bytes, *ahead);
                self.marks.extend(marks.into_iter().flatten());
                self.refresh(least);
                continue;
            }
            // All are checked against the closed e-graph before the first is applied.
            let sound: Vec<Sound> = batch
                .into_iter()
                .filter_map(|waiting| self.sound(waiting, &mut settled))
                .collect();
            if sound.is_empty() {
                continue;
            }
            let mut changed = false;
            // Unless these blocks come late, rows that are there already have earlier names.
            let settled_rows = if least > self.height { self.graph.row_count() } else { 0 };
            for sound in sound {
                settled.accepted += sound.block.facts();
                changed |= sound.block.makes_claims();
                unions += self.apply(&sound.block, sound.bytes, sound.applications, sound.eras, settled_rows);
                self.marks.extend(sound.marks);
            }
            if changed {
                unions += self.graph.rebuild();
                self.refresh(least);
            } else {
                // Certificates change colors alone, but a copy made before does not have them.
                self.generation += 1;
            }
        }
        self.pending.drop_until(&version(&self.logs));
        settled.waiting = self.pending.len() as u32;
        settled.new_nodes = (self.graph.enodes() as u64).saturating_sub(nodes_before);
        settled.unions = unions;
        settled
    }

    /// The blocks of the least height among those whose past is here, by agent. What was held back is among them if more is known than when it was tried.
    fn next_batch(&mut self) -> Vec<Waiting> {
        let here = version(&self.logs);
        let under_cuts = self.under_pending_cuts();
        let ready = self.pending.next(&here).filter(|Waiting { block, .. }| {
            let origin = block.origin;
            let goes_on = !self.held.contains_key(&origin) && !self.refused.contains_key(&origin);
            let past = goes_on && here.covers(&block.base);
            past && (self.standing(block) != Standing::Waits || under_cuts.get(origin) >= block.last())
        });
        let mut keys: Vec<(u32, AgentId, u64)> = ready
            .map(|Waiting { block, .. }| (block.height, block.origin, block.first))
            .collect();
        let again = self.held.iter().filter(|(_, held)| held.generation != self.generation);
        keys.extend(again.map(|(&origin, held)| (held.block.height, origin, held.block.first)));
        let Some(&(least, _, _)) = keys.iter().min() else {
            return Vec::new();
        };
        keys.retain(|&(height, _, _)| height == least);
        keys.sort_unstable();
        let mut batch = Vec::with_capacity(keys.len());
        for (_, origin, first) in keys {
            if let Some(Held { block, bytes, .. }) = self.held.get(&origin) {
                batch.push(Waiting {
                    block: block.clone(),
                    bytes: bytes.clone(),
                    own: None,
                });
            } else {
                batch.extend(self.pending.remove(origin, first));
            }
        }
        batch
    }

    /// Checks a block. Answers what of it holds, and keeps the rest for later, or refuses it.
    fn sound(&mut self, waiting: Waiting, settled: &mut Settled) -> Option<Sound> {
        let Waiting { block, bytes, own } = waiting;
        let Own {
            generation,
            checked,
            marks,
            ..
        } = own.unwrap_or_default();
        let again = self.held.remove(&block.origin);
        let agent = block.origin;
        let dot = |sequence| Dot { agent, sequence };
        if again.is_none()
            && let Err(reason) = self.check_form(&block)
        {
            match reason {
                Misfit::Fork => {
                    self.forks.entry(block.origin).or_insert(dot(block.first));
                    settled.refused.push((dot(block.first), FORKED.to_owned()));
                }
                // It was made by somebody who has been away for too long; nothing is wrong with it.
                Misfit::Forgotten => {}
                Misfit::Wrong(reason) => {
                    self.refused.insert(block.origin, (dot(block.first), reason.clone()));
                    settled.refused.push((dot(block.first), reason));
                }
            }
            return None;
        }
        let known = (generation == self.generation).then_some(checked);
        let checks = self.check(&block, known);
        let Some(reason) = checks.fault else {
            return Some(Sound {
                block,
                bytes,
                applications: checks.applications,
                eras: checks.eras,
                marks,
            });
        };
        let first = block.first;
        let (block, rest) = block.split(checks.facts);
        if again.as_ref().is_none_or(|again| again.block.first != rest.first) {
            settled.refused.push((dot(rest.first), reason.clone()));
        }
        let held = Held {
            block: rest,
            bytes: bytes.clone(),
            began: again.map_or(first, |again| again.began),
            reason,
            generation: self.generation,
        };
        self.held.insert(agent, held);
        (checks.facts > 0).then_some(Sound {
            block,
            bytes,
            applications: checks.applications,
            eras: checks.eras,
            marks: Vec::new(),
        })
    }

    /// After a change of the e-graph by blocks of this height.
    fn refresh(&mut self, height: u32) {
        self.height = self.height.max(height);
        self.absorb_deaths();
        if self.graph.dead_rows() > MIN_DEAD.max(self.graph.enodes()) {
            self.drop_dead_rows();
        }
        if let Some(index) = self.index.take() {
            self.spare.index = index;
        }
        self.naming = None;
        self.generation += 1;
    }

    /// Drops the dead rows of the e-graph, which must be about to be indexed anew.
    fn drop_dead_rows(&mut self) {
        let compaction = self.spare.graph.compact_from(&self.graph);
        std::mem::swap(&mut self.graph, &mut self.spare.graph);
        let named = self.logs.values_mut().map(|log| &mut log.rows);
        let begun = self.beginning.iter_mut().filter_map(|own| own.rows.as_mut());
        for rows in named.chain(self.eras.iter_mut().map(|era| &mut era.rows)).chain(begun) {
            for row in rows {
                *row = compaction.row(*row);
            }
        }
        for label in self.labels.values_mut() {
            label.row = compaction.row(label.row);
        }
        let mut births: Vec<Option<Birth>> = vec![None; self.graph.enodes()];
        for (&birth, row) in self.births.iter().zip(compaction.rows()) {
            let own = &mut births[row.0 as usize];
            *own = Some(own.map_or(birth, |own| own.min(birth)));
        }
        self.births = births
            .into_iter()
            .map(|birth| birth.expect("every row is named"))
            .collect();
        for ((dot, _), mark) in &mut self.marks {
            self.rules[dot].matcher.renumber(&mut mark.ground, &compaction);
        }
    }

    /// A row that died leaves its name to the survivor, if it is the earlier one.
    fn absorb_deaths(&mut self) {
        let shared = self.is_shared();
        for (dead, survivor) in self.graph.take_deaths() {
            let survivor = self.graph.resolve(survivor);
            let birth = self.births[dead.0 as usize];
            rename(&mut self.graph, &mut self.births, survivor, birth, shared);
        }
    }

    /// Whether rows may change hands: any search so far was of a part only.
    pub(super) fn is_shared(&self) -> bool {
        self.marks.keys().any(|(_, share)| share.count > 1)
    }
}

/// Fewer dead rows than this are no bother.
const MIN_DEAD: usize = 1 << 10;
