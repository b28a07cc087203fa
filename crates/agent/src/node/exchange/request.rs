//! Asking for what is lacking, and answering that.
//!
//! A version vector says it all, in bytes that grow with the agents that ever made facts. Where these are many, the set of its entries is reconciled in its place, by
//! a rateless invertible Bloom lookup table (see [`eqmesh_reconcile`]): then bytes grow with the entries in which the two vectors differ. The first request has as many
//! symbols as the difference is likely to need, by what its receiver is known to have. Whoever cannot read it says so, and is sent four times as many, or the vector itself
//! once symbols would be longer than that. So neither side has to keep anything in between, and an answer comes after half a round trip, or a few.
//!
//! The key is the hash of the asker's state, session and message number: nobody who makes facts knows what the key of a request to come will be. Who did could make requests
//! unclear, and so as long as the vectors that they stand for; nothing else follows.

use std::collections::BTreeMap;

use eqmesh_reconcile::wire::Symbols;
use eqmesh_reconcile::{Decoder, Head, Key, Sketch};
use eqmesh_replica::wire::put_version;
use eqmesh_replica::{AgentId, Dot, Fault, VersionVector};
use eqmesh_timeline::{EventKind, Phase};

use super::PATIENCE;
use crate::body::{Body, MAX_SYMBOLS, Request};
use crate::message::Message;
use crate::node::Node;
use crate::ports::{Network, Parts};

/// The fewest symbols of a request: what a difference of some thirty entries needs, in 1.5 KB.
const FEWEST: usize = 64;

/// How many bytes a symbol takes.
const SYMBOL: usize = 24;

/// Of entries that fewer agents have made, symbols would save little.
const LISTED: usize = 512;

/// An entry of a version vector as an item. The chain of its facts is left out: agents know each other's by the state digest.
fn head(entry: Dot) -> Option<Head> {
    Head::new(entry.agent.0, entry.sequence, [0; 6]).ok()
}

/// The first symbols of the set of a vector's entries. None if an entry is too great for an item. O(entries log symbols).
fn sketch(version: &VersionVector, key: Key, symbols: usize) -> Option<Sketch> {
    let mut sketch = Sketch::new(key, symbols);
    for entry in version.iter() {
        sketch.insert(head(entry)?.into());
    }
    Some(sketch)
}

/// The vector whose entries have these symbols, by what it has in common with a vector that is at hand; none if there are too few of them.
/// O(entries log symbols).
fn resolve(own: &VersionVector, key: Key, symbols: &Symbols) -> Result<Option<VersionVector>, Fault> {
    let list = symbols.symbols();
    let Some(sketch) = sketch(own, key, list.len()) else {
        return Ok(None);
    };
    let mut decoder = Decoder::new(key, list.len());
    for (remote, local) in list.iter().zip(sketch.symbols(0..list.len())) {
        // What is inconsistent is unclear as well.
        if decoder.is_decoded() || decoder.add(*remote, *local).is_err() {
            break;
        }
    }
    let Some(difference) = decoder.difference() else {
        return Ok(None);
    };
    let mut entries: BTreeMap<AgentId, u64> = own.iter().map(|entry| (entry.agent, entry.sequence)).collect();
    for &item in &difference.here {
        entries.remove(&AgentId(Head::from(item).agent()));
    }
    for &item in &difference.there {
        let head = Head::from(item);
        let agent = AgentId(head.agent());
        let sound = head.last() > 0 && head.chain() == [0; 6] && agent.number() <= AgentId::MAX_NUMBER;
        if !sound || entries.insert(agent, head.last()).is_some() {
            return Err(Fault::Malformed(
                "a request has symbols of no version vector".to_owned(),
            ));
        }
    }
    let entry = |(agent, sequence)| Dot { agent, sequence };
    Ok(Some(entries.into_iter().map(entry).collect()))
}

impl<P: Parts> Node<P> {
    /// A request for what is lacking, with as many symbols as are likely to tell its receiver, by what that is known to have.
    pub(super) fn request_to(&mut self, number: u32) -> Request {
        let version = self.version();
        let known = self.exchange().meet(number, &version).known();
        let differing = version.iter().filter(|entry| known.get(entry.agent) != entry.sequence);
        // Of an entry that both sides have, both items differ.
        self.request_with((differing.count() * 3 + FEWEST).next_multiple_of(FEWEST))
    }

    /// A request with so many symbols; by the version vector if that is not longer.
    fn request_with(&mut self, symbols: usize) -> Request {
        let version = self.version();
        if version.iter().len() < LISTED || symbols > MAX_SYMBOLS {
            return Request::Listed;
        }
        let mut listed = Vec::new();
        put_version(&mut listed, &version);
        if symbols * SYMBOL >= listed.len() {
            return Request::Listed;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"eqmesh request");
        hasher.update(&self.state_digest());
        hasher.update(&self.config.id.0.to_le_bytes());
        hasher.update(&self.network.claim().unwrap_or_default().session.to_le_bytes());
        hasher.update(&self.next_message.to_le_bytes());
        let mut key = Key([0; 16]);
        key.0.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let sketch = sketch(&version, key, symbols);
        match sketch.and_then(|sketch| Symbols::of(&sketch, 0..symbols).ok()) {
            Some(symbols) => Request::Sketched(key, symbols),
            None => Request::Listed,
        }
    }

    /// Answers a request with the facts that it asks for, or takes in that one of this agent's own was unclear.
    pub(super) fn answer(
        &mut self,
        message: &Message,
        request: Request,
        now: u64,
        messages: &mut Vec<Message>,
    ) -> Result<(), Fault> {
        let from = message.sender;
        let to = Some(AgentId(from.number()));
        let resolved = match request {
            Request::Listed => None,
            Request::Sketched(key, symbols) => {
                let version = self.version();
                let Some(theirs) = resolve(&version, key, &symbols)? else {
                    let unclear = Request::Unclear(symbols.symbols().len() as u32);
                    messages.push(self.send(to, &Body::Sync(unclear), now, Phase::Reconcile));
                    return Ok(());
                };
                if from.number() != self.config.id.number()
                    && let Some(peer) = self.exchange().sender(from, None, &version)
                {
                    peer.note(&theirs, &version);
                }
                Some(theirs)
            }
            Request::Unclear(symbols) => {
                // It answers a request of late, or nothing is said: each is worth one message.
                let exchange = self.exchange();
                let recent = |asked: u64| exchange.ticks.saturating_sub(asked) <= PATIENCE;
                if exchange.asked.is_some_and(recent) {
                    let request = self.request_with((symbols as usize).saturating_mul(4).max(FEWEST));
                    messages.push(self.send(to, &Body::Sync(request), now, Phase::Reconcile));
                }
                return Ok(());
            }
        };
        self.note_of(EventKind::SyncStarted, message, now);
        for body in self.parcels_since(resolved.as_ref().unwrap_or(&message.version)) {
            messages.push(self.send(to, &body, now, Phase::Reconcile));
        }
        self.note_of(EventKind::SyncCompleted, message, now);
        Ok(())
    }
}
