//! History, and how it is shortened: the facts that every active member has stored are replaced by a snapshot, and whoever comes later begins with that.
//!
//! The active member of the least number makes the cut, once there is enough to take away, and closes it, once everybody is known to have it. Then everybody takes the facts
//! away for itself. Who lacks facts that are gone is sent the snapshot with the rest; as it cannot check it, it believes the one that most of those that it hears from begin with.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_orchestrator::{Life, MemberState};
use eqmesh_replica::{AgentId, Dot, Fault, VersionVector};
use eqmesh_timeline::Phase;

use super::Node;
use super::outline::Chain;
use crate::message::Message;
use crate::ports::{Graph, Network, Parts};

/// What is to be stored: see [`Node::unstored`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unstored {
    /// Whether the parts take the place of everything that was stored before.
    pub instead: bool,
    /// Blocks, and a snapshot as the first one if some of the facts have been compacted.
    pub parts: Vec<Vec<u8>>,
}

/// More than a cut, its closing and their certificates are.
const LEAST_WORTH: u64 = 8;

/// What a member keeps for it.
#[derive(Debug, Default)]
pub(super) struct History {
    /// So many facts are worth a cut; none if history is kept.
    pub(super) worth: Option<u64>,
    /// How many facts the last cut that was made here, or tried, covered.
    pub(super) cut: u64,
    /// Whether this agent cannot begin with a snapshot, as it has made facts already.
    pub(super) outdated: bool,
}

impl<P: Parts> Node<P> {
    /// Cuts history at every so many facts that all members have stored; the facts of a cut itself are not worth another one, so at eight at least. Unless this is called, history is kept. All members
    /// choose alike.
    ///
    /// Fails with [`Fault::Misplaced`] unless the network is a mesh: elsewhere nobody hears from all others what they have stored.
    pub fn cut_after(&mut self, facts: u64) -> Result<(), Fault> {
        self.serving()?;
        if !self.free.as_ref().expect("it serves").exchange.hears_all() {
            let text =
                "history is cut in a mesh only: in other topologies nobody hears from all others what they have stored";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        self.history().worth = Some(facts.max(LEAST_WORTH));
        Ok(())
    }

    /// The digest of the snapshot of the last cut that is settled here; none before the first.
    pub fn last_cut(&self) -> Option<[u8; 32]> {
        self.graph.last_cut()
    }

    /// Whether this agent has to be started again, as another incarnation and with what it has stored: it has been away for so long that the others have compacted facts that it
    /// lacks, and has made facts of its own in the meantime. These are made again then.
    pub fn is_outdated(&self) -> bool {
        self.graph.is_void() || self.free.as_ref().is_some_and(|free| free.history.outdated)
    }

    /// Whether facts can be made here. Those of one that is still catching up may be on top of what the others have compacted.
    pub(super) fn may_state(&self) -> Result<(), Fault> {
        let joining = self.network.claim().is_some_and(|own| own.life == Life::Joining);
        if self.is_outdated() || joining && !self.active().is_empty() {
            let text = "this agent is catching up with the others: submit again when it takes part";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        Ok(())
    }

    /// What is to be stored since the last call. The host stores it before it sends any message that was answered in the meantime: what
    /// a message says is then durable. O(1) if there is nothing, else O(blocks).
    pub fn unstored(&mut self) -> Unstored {
        let version = self.version();
        let instead = std::mem::take(&mut self.shortened);
        if Arc::ptr_eq(&version, &self.stored) && !instead {
            return Unstored::default();
        }
        let parts = if instead {
            self.graph.delta_since(&VersionVector::default())
        } else {
            self.graph.delta_since(&self.stored)
        };
        self.stored = version;
        if instead {
            self.parts_stored = Chain::default();
        }
        self.parts_stored.extend(&parts);
        Unstored { instead, parts }
    }

    fn history(&mut self) -> &mut History {
        &mut self.free.as_mut().expect("it serves").history
    }

    /// Takes away what is worth nothing any more, and makes a cut where it is this agent's turn.
    ///
    /// The maker of a cut closes it when everybody else has said, each in one and the same heartbeat, that it has settled the cut and that it knows of the very members that are
    /// known here. Then nobody can come to take part without it: who joins begins with what a member has that takes part, which has the cut or is among those that were asked.
    pub(super) fn shorten(&mut self, now: u64, messages: &mut Vec<Message>) -> Result<(), Fault> {
        let kept = self.history().worth.is_none() && self.graph.last_cut().is_none();
        if kept || self.network.claim().is_none_or(|own| own.life != Life::Active) {
            return Ok(());
        }
        self.shortened |= self.graph.compact();
        // Most have nothing to do, and need not look through all members.
        let (first, open) = (self.is_first(), self.graph.open_cut());
        if !first && open.is_none_or(|cut| cut.agent != self.config.id) {
            return Ok(());
        }
        let me = self.config.id.number();
        let members = self.network.members();
        let others: Vec<u32> = members
            .iter()
            .filter(|own| own.state != MemberState::Left && own.id.number() != me)
            .map(|own| own.id.number())
            .collect();
        // Who was found lost may be there all the same, in the other half of a network that is torn: only one half has most members. Facts that the smaller half makes
        // meanwhile do not count; their makers find that out, and start again with what the others have.
        if (others.len() + 1) * 2 <= members.len() {
            return Ok(());
        }
        // Who is joining does neither.
        let made = match open {
            // If its maker is no more, somebody else closes it.
            Some(cut) if cut.agent == self.config.id || first && !self.is_alive(cut.agent) => {
                match self.known_to_all(cut, &others) {
                    Some(known) => self.graph.close(&known).is_some(),
                    None => false,
                }
            }
            Some(_) => false,
            None => {
                let stable = self.stored_by(&others);
                let facts = stable.facts();
                let history = self.history();
                let new = facts.saturating_sub(history.cut);
                let worth = first && history.worth.is_some_and(|worth| new >= worth);
                if worth {
                    history.cut = facts;
                }
                worth && self.graph.cut(&stable)?.is_some()
            }
        };
        if made && self.graph.seal().is_some() {
            self.settle(now, Phase::Reconcile);
            self.turn();
            messages.extend(self.gossip(now));
        }
        Ok(())
    }

    /// Whether nobody with a lesser number is active. O(log members) where the first ones are.
    fn is_first(&self) -> bool {
        let active = |number| {
            self.network
                .claim_of(number)
                .is_some_and(|own| own.life == Life::Active)
        };
        !(0..self.config.id.number()).any(active)
    }

    /// Whether an incarnation is the one that counts, and takes part.
    fn is_alive(&self, agent: AgentId) -> bool {
        let claim = self.network.claim_of(agent.number());
        claim.is_some_and(|own| own.incarnation == agent.incarnation() && own.life != Life::Left)
    }

    /// What all of these are known to have stored.
    pub(super) fn stored_by(&mut self, others: &[u32]) -> VersionVector {
        let version = (*self.version()).clone();
        let exchange = &self.free.as_ref().expect("it serves").exchange;
        others.iter().fold(version, |common, &number| {
            let has = exchange.has(number);
            has.map_or_else(VersionVector::default, |has| common.meet(has))
        })
    }

    /// The join of what all of these had when they said that they have settled a cut. None if some have not, or know of other members.
    fn known_to_all(&mut self, cut: Dot, others: &[u32]) -> Option<VersionVector> {
        let roster = self.network.roster_digest();
        let mut known = (*self.version()).clone();
        let exchange = &self.free.as_ref().expect("it serves").exchange;
        for &number in others {
            let said = exchange.history(number)?;
            if said.version.get(cut.agent) < cut.sequence || said.roster != roster {
                return None;
            }
            known.join(&said.version);
        }
        Some(known)
    }

    /// Begins with a snapshot that was received, if most of the neighbours that take part and have facts begin with it, and most neighbours have been heard of. Who is catching up has no
    /// say, unless nobody else has facts: it may have come back with an old state, as this agent has.
    pub(super) fn begin_anew(&mut self, now: u64) -> Result<(), Fault> {
        let offers = self.graph.offers();
        if offers.is_empty() {
            return Ok(());
        }
        let neighbours = self.neighbours();
        let exchange = &self.free.as_ref().expect("it serves").exchange;
        let mut count = 0;
        let (mut taking_part, mut catching_up) = (Vec::new(), Vec::new());
        for &number in &neighbours {
            let Some(said) = exchange.history(number) else { continue };
            count += 1;
            if said.beginning.is_some() || said.version.iter().len() > 0 {
                let claim = self.network.claim_of(number);
                let takes_part = claim.is_some_and(|own| own.life == Life::Active);
                let voters = if takes_part { &mut taking_part } else { &mut catching_up };
                voters.push(said.beginning);
            }
        }
        if count * 2 <= neighbours.len() {
            return Ok(());
        }
        let beginnings = if taking_part.is_empty() {
            catching_up
        } else {
            taking_part
        };
        let mut votes: BTreeMap<[u8; 32], usize> = BTreeMap::new();
        for beginning in beginnings.iter().flatten() {
            *votes.entry(*beginning).or_default() += 1;
        }
        let Some(digest) = offers
            .into_iter()
            .find(|offer| votes.get(offer).is_some_and(|votes| votes * 2 > beginnings.len()))
        else {
            return Ok(());
        };
        match self.graph.adopt(&digest, self.config.id) {
            Ok(_) => {
                self.standing = None;
                self.graph.seal();
                self.settle(now, Phase::Reconcile);
                self.shortened = true;
                self.unlearned = true;
                self.turn();
                Ok(())
            }
            // The cut that tells of it has not come yet.
            Err(Fault::Absent(_)) => Ok(()),
            Err(Fault::Misplaced(_)) => {
                self.history().outdated = true;
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Takes in what an earlier run of this agent stored, in any order, before it joins or takes part in a round. Parts that are broken or
    /// refused are left out, and counted in the answer. A snapshot among them is trusted, as it comes from this agent's own store.
    pub fn restore(&mut self, parts: &[Vec<u8>], now: u64) -> u64 {
        let broken = self.graph.resume(parts);
        self.restored = self.graph.version().get(self.config.id) > 0;
        self.standing = None;
        let made = self.graph.seal().is_some();
        self.settle(now, Phase::Reconcile);
        self.unlearned = true;
        self.stored = self.version();
        self.parts_stored = Chain::of(parts);
        self.shortened = made || self.graph.beginning().is_some();
        broken + self.graph.refused().len() as u64
    }
}
