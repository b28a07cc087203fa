//! Exchange between members of a network that runs free: what is said at every tick, and what is made of what others say.

mod kept;
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eqmesh_orchestrator::{Greeting, Life, Topology};
use eqmesh_replica::{AgentId, Fault, VersionVector};
use eqmesh_timeline::{EventKind, Phase};

use super::messages::parcels;
use super::{MAX_RULESETS_KNOWN, Node};
use crate::blocks::Blocks;
use crate::body::{Body, MAX_CLAIMS, MAX_RULESETS, More, Pulse};
use crate::message::Message;
use crate::ports::{Graph, Network, Parts};

/// How many messages at most answer one request for facts; the rest is asked for again.
const MAX_PARCELS: usize = 8;

/// How many others are remembered besides the neighbours.
const MAX_OTHERS: usize = 64;

/// After so many ticks of being apart, facts are asked for although others are coming in.
const PATIENCE: u64 = 4;

/// At every so many-th tick an acknowledgement is said again, while not everybody is known to have everything.
const REPEAT: u64 = 16;

/// Another agent, as far as messages told.
#[derive(Clone, Debug)]
struct Peer {
    /// Which incarnation and session of it this is about.
    run: (u16, u64),
    /// Facts that it has, durably.
    has: Arc<VersionVector>,
    /// Facts that it was sent, or had when it was met first.
    sent: Arc<VersionVector>,
    /// Since which tick its digest has differed.
    apart: Option<u64>,
    /// The revision of the roster up to which it was told.
    roster: u64,
    /// What it said of its history in its last heartbeat.
    history: Option<Said>,
}

/// What a heartbeat says of its sender's history, all at one moment.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// With which snapshot its facts begin; none if they are all there.
    pub(super) beginning: Option<[u8; 32]>,
    /// Covers its roster.
    pub(super) roster: [u8; 16],
    /// All that it had, if it knows of a cut.
    pub(super) version: VersionVector,
}

/// What is known of others, and what was said to them.
#[derive(Debug)]
pub(super) struct Exchange {
    topology: Topology,
    ticks: u64,
    peers: BTreeMap<u32, Peer>,
    /// The tick in which facts were last settled here.
    settled: u64,
    /// The tick since which blocks wait for others that they build on.
    waiting: Option<u64>,
    /// The tick in which facts were last asked for.
    asked: Option<u64>,
    /// What was acknowledged last.
    acknowledged: Arc<VersionVector>,
    caught_up: bool,
    seen: Seen,
}

/// Blocks that were received: most come from several neighbours, and are not read again.
#[derive(Debug, Default)]
struct Seen(BTreeSet<[u8; 16]>);

impl Seen {
    /// So many are remembered; then it begins anew, which costs time alone.
    const MOST: usize = 1 << 16;

    /// 128 bits of its hash, so that nobody can make two that are taken for one.
    fn name(block: &[u8]) -> [u8; 16] {
        let mut name = [0; 16];
        name.copy_from_slice(&blake3::hash(block).as_bytes()[..16]);
        name
    }

    fn contains(&self, name: [u8; 16]) -> bool {
        self.0.contains(&name)
    }

    fn insert(&mut self, name: [u8; 16]) {
        if self.0.len() == Seen::MOST {
            self.0.clear();
        }
        self.0.insert(name);
    }
}

impl Exchange {
    pub(super) fn new(topology: Topology) -> Exchange {
        Exchange {
            topology,
            ticks: 0,
            peers: BTreeMap::new(),
            settled: 0,
            waiting: None,
            asked: None,
            acknowledged: Arc::default(),
            caught_up: false,
            seen: Seen::default(),
        }
    }

    /// What an agent has, as far as it said so.
    pub(super) fn has(&self, number: u32) -> Option<&VersionVector> {
        self.peers.get(&number).map(|peer| &*peer.has)
    }

    /// What an agent said of its history last.
    pub(super) fn history(&self, number: u32) -> Option<&Said> {
        self.peers.get(&number)?.history.as_ref()
    }

    /// Whether everybody says to everybody what it has.
    pub(super) fn hears_all(&self) -> bool {
        self.topology == Topology::Mesh
    }

    /// Whether this agent once had everything that another one had.
    pub(super) fn has_caught_up(&self) -> bool {
        self.caught_up
    }

    pub(super) fn end_tick(&mut self) {
        self.ticks += 1;
    }

    /// After blocks were settled: whether facts were accepted, and whether blocks wait.
    pub(super) fn note_settled(&mut self, accepted: bool, waiting: bool) {
        if accepted {
            self.settled = self.ticks;
        }
        self.waiting = waiting.then(|| self.waiting.unwrap_or(self.ticks));
    }

    /// What is known of an agent. One that is met first counts as having what is here: if it has not, its digest will show that, and it asks.
    fn meet(&mut self, number: u32, version: &Arc<VersionVector>) -> &mut Peer {
        self.peers.entry(number).or_insert_with(|| Peer {
            run: (0, 0),
            has: Arc::default(),
            sent: version.clone(),
            apart: None,
            roster: 0,
            history: None,
        })
    }

    /// What is known of the sender of a message; what was known of an earlier run of it is forgotten. None for a run that another one has followed.
    fn sender(&mut self, sender: AgentId, session: Option<u64>, version: &Arc<VersionVector>) -> Option<&mut Peer> {
        let peer = self.meet(sender.number(), version);
        let (incarnation, known) = peer.run;
        let session = session.unwrap_or(if sender.incarnation() == incarnation { known } else { 0 });
        let run = (sender.incarnation(), session);
        if run < peer.run {
            return None;
        }
        if run > peer.run {
            // A session that becomes known is no other run.
            if incarnation != run.0 || known != 0 {
                peer.has = Arc::default();
                peer.sent = version.clone();
                peer.apart = None;
                peer.roster = 0;
                peer.history = None;
            }
            peer.run = run;
        }
        Some(peer)
    }

    /// Whether to ask a peer for facts, whose digest has differed since a tick: once a tick, if nothing is coming in by itself.
    fn wants(&self, apart: u64) -> bool {
        let ago = |tick: u64| self.ticks.saturating_sub(tick);
        self.asked.is_none_or(|asked| ago(asked) > 0)
            && ago(apart) > 0
            && (ago(self.settled) > 1 || self.waiting.is_some_and(|since| ago(since) > 0) || ago(apart) >= PATIENCE)
    }
}

impl Peer {
    /// It has what a version vector says.
    fn note(&mut self, version: &VersionVector, own: &Arc<VersionVector>) {
        if self.has.covers(version) {
            return;
        }
        if *version == **own {
            self.has = own.clone();
        } else if version.covers(&self.has) {
            self.has = Arc::new(version.clone());
        } else {
            Arc::make_mut(&mut self.has).join(version);
        }
    }

    /// What need not be sent to it.
    fn known(&self) -> Arc<VersionVector> {
        if self.sent.covers(&self.has) {
            self.sent.clone()
        } else if self.has.covers(&self.sent) {
            self.has.clone()
        } else {
            let mut known = (*self.sent).clone();
            known.join(&self.has);
            Arc::new(known)
        }
    }
}

impl<P: Parts> Node<P> {
    /// The neighbours' numbers, ascending.
    pub(super) fn neighbours(&self) -> Vec<u32> {
        let neighbours = self.network.neighbours(self.config.id).unwrap_or_default();
        neighbours.into_iter().map(AgentId::number).collect()
    }

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.free.as_mut().expect("it serves").exchange
    }

    /// Says the same to all neighbours: in a mesh, to everybody at once.
    fn tell(&mut self, neighbours: &[u32], body: &Body, now: u64, messages: &mut Vec<Message>) {
        if self.exchange().topology == Topology::Mesh {
            messages.push(self.send(None, body, now, Phase::Reconcile));
        } else {
            for &number in neighbours {
                messages.push(self.send(Some(AgentId(number)), body, now, Phase::Reconcile));
            }
        }
    }

    /// Hands on the facts that neighbours are not known to have and were not sent, in as few messages as possible.
    pub(super) fn gossip(&mut self, now: u64) -> Vec<Message> {
        let neighbours = self.neighbours();
        let version = self.version();
        let exchange = self.exchange();
        // Most neighbours lack the same.
        let mut lacking: Vec<(Arc<VersionVector>, Vec<u32>)> = Vec::new();
        for &number in &neighbours {
            let peer = exchange.meet(number, &version);
            if Arc::ptr_eq(&peer.sent, &version) {
                continue;
            }
            let known = peer.known();
            peer.sent = version.clone();
            if known.covers(&version) {
                continue;
            }
            match lacking
                .iter_mut()
                .find(|(other, _)| Arc::ptr_eq(other, &known) || *other == known)
            {
                Some((_, numbers)) => numbers.push(number),
                None => lacking.push((known, vec![number])),
            }
        }
        let everybody = matches!(lacking.as_slice(), [(_, numbers)] if numbers.len() == neighbours.len());
        let mut messages = Vec::new();
        for (known, numbers) in lacking {
            for body in self.parcels_since(&known) {
                if everybody {
                    self.tell(&numbers, &body, now, &mut messages);
                } else {
                    for &number in &numbers {
                        messages.push(self.send(Some(AgentId(number)), &body, now, Phase::Reconcile));
                    }
                }
            }
        }
        messages
    }

    /// The facts above a version vector as bodies of messages; not all, if that is very much.
    fn parcels_since(&mut self, version: &VersionVector) -> Vec<Body> {
        let rulesets: Vec<String> = self.rulesets.iter().take(MAX_RULESETS).cloned().collect();
        let parcels = parcels(self.graph.delta_since(version)).into_iter().take(MAX_PARCELS);
        let body = |blocks| Body::State {
            reached: None,
            rulesets: rulesets.clone(),
            blocks: Blocks::pack(blocks),
        };
        parcels.map(body).collect()
    }

    /// Says that this agent is alive: to its neighbours, and to one of those who have left, lest two halves of a network that took each other for lost
    /// stay apart for ever.
    pub(super) fn pulse(&mut self, now: u64, messages: &mut Vec<Message>) {
        let neighbours = self.neighbours();
        let version = self.version();
        let exchange = self.exchange();
        while exchange.peers.len() > neighbours.len() + MAX_OTHERS {
            let other = exchange
                .peers
                .keys()
                .copied()
                .find(|number| neighbours.binary_search(number).is_err());
            match other {
                Some(number) => exchange.peers.remove(&number),
                None => break,
            };
        }
        let told = neighbours
            .iter()
            .map(|&number| exchange.meet(number, &version).roster)
            .min();
        let (claims, upto) = self.network.claims_since(told.unwrap_or(0), MAX_CLAIMS as u32);
        for number in &neighbours {
            if let Some(peer) = self.exchange().peers.get_mut(number) {
                peer.roster = peer.roster.max(upto);
            }
        }
        let body = self.pulse_with(claims);
        self.tell(&neighbours, &body, now, messages);
        if let Some(absent) = self.network.next_absent() {
            messages.push(self.pulse_to(absent, now));
        }
    }

    /// A heartbeat for one that is no neighbour.
    fn pulse_to(&mut self, number: u32, now: u64) -> Message {
        let version = self.version();
        let told = self.exchange().meet(number, &version).roster;
        let (mut claims, upto) = self.network.claims_since(told, MAX_CLAIMS as u32 - 1);
        // What is said of itself it must hear, whatever else.
        claims.extend(self.network.claim_of(number).map(|claim| (number, claim)));
        self.exchange().meet(number, &version).roster = upto;
        let body = self.pulse_with(claims);
        self.send(Some(AgentId(number)), &body, now, Phase::Reconcile)
    }

    fn pulse_with(&mut self, claims: Vec<eqmesh_orchestrator::RosterEntry>) -> Body {
        self.turn();
        let (subject, vouchers) = self.network.statement();
        let pulse = Pulse {
            claim: self.network.claim().unwrap_or_default(),
            roster: self.network.roster_digest(),
            claims,
            subject,
            vouchers,
            beginning: self.graph.beginning(),
            cut: self.graph.last_cut().filter(|cut| Some(*cut) != self.graph.beginning()),
        };
        Body::Heartbeat {
            digest: self.state_digest(),
            more: More::Pulse(Box::new(pulse)),
        }
    }

    /// Says what this agent has, once nothing new has come for a tick.
    pub(super) fn acknowledge(&mut self, now: u64, messages: &mut Vec<Message>) {
        let version = self.version();
        let exchange = self.exchange();
        let quiet = exchange.ticks.saturating_sub(exchange.settled) == 1 && exchange.acknowledged != version;
        let again = exchange.ticks % REPEAT == REPEAT - 1;
        if !quiet && !again || version.iter().len() == 0 {
            return;
        }
        exchange.acknowledged = version.clone();
        let everybody_has = |exchange: &Exchange, numbers: &[u32]| {
            let mut has = numbers.iter().map(|&number| exchange.has(number));
            has.all(|has| has.is_some_and(|has| has.covers(&version)))
        };
        let neighbours = self.neighbours();
        if quiet || !everybody_has(self.exchange(), &neighbours) {
            let refused = Vec::new();
            self.tell(&neighbours, &Body::Ack { refused }, now, messages);
        }
    }

    /// Takes in a message of a network that runs free.
    pub(super) fn hear(&mut self, message: &Message, body: Body, now: u64) -> Result<Vec<Message>, Fault> {
        let from = message.sender;
        let number = from.number();
        let session = match &body {
            Body::Heartbeat {
                more: More::Pulse(pulse),
                ..
            } if pulse.claim.incarnation == from.incarnation() => Some(pulse.claim.session),
            Body::Heartbeat { .. } => {
                return Err(Fault::Malformed(
                    "this heartbeat does not belong to a network that runs free".to_owned(),
                ));
            }
            Body::State { reached: Some(_), .. } => {
                return Err(Fault::Misplaced("a network that runs free has no rounds".to_owned()));
            }
            _ => None,
        };
        let own = self.network.claim().unwrap_or_default();
        if number == self.config.id.number()
            && session.is_none_or(|session| session == own.session)
            && from == self.config.id
        {
            return Ok(Vec::new());
        }
        self.note_received(message, now);
        let version = self.version();
        if number != self.config.id.number()
            && let Some(peer) = self.exchange().sender(from, session, &version)
        {
            peer.note(&message.version, &version);
        }
        let mut messages = Vec::new();
        match body {
            Body::State { rulesets, blocks, .. } => {
                let mut fresh = false;
                for block in &blocks.open()? {
                    let name = Seen::name(block);
                    if self.exchange().seen.contains(name) {
                        continue;
                    }
                    if self.graph.receive(block).is_ok() {
                        self.exchange().seen.insert(name);
                        fresh = true;
                    } else {
                        self.note_of(EventKind::Refused, message, now);
                    }
                }
                if fresh {
                    self.settle(now, Phase::Reconcile);
                    self.unlearned = true;
                    // At once: an agent that is suspended before its next tick forgets what it was offered.
                    self.begin_anew(now)?;
                }
                for ruleset in rulesets {
                    if self.rulesets.len() < MAX_RULESETS_KNOWN && self.rulesets.insert(ruleset) {
                        self.unlearned = true;
                    }
                }
            }
            Body::Sync(request) => self.answer(message, request, now, &mut messages)?,
            Body::Heartbeat { digest, more } => {
                self.note_of(EventKind::Heartbeat, message, now);
                if let More::Pulse(pulse) = more {
                    self.feel(message, digest, &pulse, now, &mut messages);
                }
            }
            Body::Ack { refused } => {
                self.note_of(EventKind::Acknowledged, message, now);
                self.hear_refusals(message, refused, now);
            }
        }
        self.not_superseded()?;
        Ok(messages)
    }

    /// Notes an event that a message brings.
    fn note_of(&mut self, kind: EventKind, message: &Message, now: u64) {
        let (from, id) = (message.sender, message.id);
        self.note(kind, Some(from), Some(id), None, 0, now, Phase::Reconcile);
    }

    /// Takes in the heartbeat of another one.
    fn feel(&mut self, message: &Message, digest: [u8; 32], pulse: &Pulse, now: u64, messages: &mut Vec<Message>) {
        let (number, had) = (message.sender.number(), &message.version);
        let greeting = self.network.greet(number, pulse.claim);
        self.network.learn(&pulse.claims);
        if number == self.config.id.number() || greeting == Greeting::Superseded {
            // It is told, so that it stops.
            messages.push(self.pulse_to(number, now));
            return;
        }
        self.network.hear(number, now);
        let subject = self.turn();
        self.network.count(pulse.subject, &pulse.vouchers);
        self.announce(subject, now);
        let takes_part = pulse.claim.life != Life::Joining;
        let differs = self.network.roster_digest() != pulse.roster;
        let level = self.state_digest() == digest;
        let version = self.version();
        let told = self.exchange().meet(number, &version).roster;
        let told_all = self.network.claims_since(told, 1).0.is_empty();
        let exchange = self.exchange();
        let ticks = exchange.ticks;
        let peer = exchange.meet(number, &version);
        peer.history = Some(Said {
            beginning: pulse.beginning,
            roster: pulse.roster,
            version: had.clone(),
        });
        // Once it has been told everything, it is told again from the beginning: something was lost.
        if differs && told_all {
            peer.roster = 0;
        }
        if level {
            peer.has = version.clone();
            peer.sent = version.clone();
            peer.apart = None;
            exchange.caught_up |= takes_part;
            return;
        }
        let apart = *peer.apart.get_or_insert(ticks);
        exchange.caught_up |= takes_part && peer.has.iter().len() > 0 && version.covers(&peer.has);
        if exchange.wants(apart) {
            exchange.asked = Some(ticks);
            let request = self.request_to(number);
            messages.push(self.send(Some(AgentId(number)), &Body::Sync(request), now, Phase::Reconcile));
        }
    }
}
