//! Messages: taking them in, whatever their order, and sending them.

use eqmesh_orchestrator::{Barrier, OrchestrationError};
use eqmesh_replica::{AgentId, Fault, VersionVector};
use eqmesh_timeline::{Entry, EventKind, Phase};

use super::{MAX_KEPT, Node, misfit};
use crate::blocks::Blocks;
use crate::body::{Ballot, Body, More, Request};
use crate::message::Message;
use crate::ports::{Graph, Log, Network, Parts};

/// So many bytes of blocks go into one message; a block that is longer travels alone.
const PARCEL: usize = 512 << 10;

/// Divides blocks into what goes into one message each, in their order.
pub(super) fn parcels(blocks: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut parcels: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut bytes = 0;
    for block in blocks {
        bytes += block.len();
        match parcels.last_mut() {
            Some(parcel) if bytes <= PARCEL => parcel.push(block),
            _ => {
                bytes = block.len();
                parcels.push(vec![block]);
            }
        }
    }
    parcels
}

impl<P: Parts> Node<P> {
    /// Takes in a message, in any order, any number of times; answers what there is to say to it.
    pub fn receive(&mut self, message: &Message, now: u64) -> Result<Vec<Message>, Fault> {
        self.not_superseded()?;
        let body = self.open(message)?;
        let mut messages = if self.free.is_some() {
            self.hear(message, body, now)?
        } else {
            self.take_in(message, body, now)?
        };
        self.settle_disputes(message);
        self.tell_refusals(now, &mut messages);
        Ok(messages)
    }

    /// Takes in a message of a network that runs in rounds.
    fn take_in(&mut self, message: &Message, body: Body, now: u64) -> Result<Vec<Message>, Fault> {
        let from = message.sender;
        if from == self.config.id {
            return Ok(Vec::new());
        }
        let mut messages = Vec::new();
        match body {
            Body::State {
                reached,
                rulesets,
                blocks,
            } => {
                let reached_as = reached.map(|(round, stage)| (round, stage.into()));
                let fresh = self.take_facts(from, reached_as, blocks.open()?, now)?;
                self.note_received(message, now);
                if !rulesets.is_empty() {
                    self.rulesets.extend(rulesets);
                    self.unlearned = true;
                }
                match (reached, fresh) {
                    (Some(_), _) => self.progress(now, &mut messages)?,
                    (None, true) => {
                        let refused = Vec::new();
                        messages.push(self.send(Some(from), &Body::Ack { refused }, now, Phase::Reconcile));
                    }
                    (None, false) => {}
                }
            }
            Body::Sync(Request::Sketched(..) | Request::Unclear(_)) => {
                return Err(Fault::Misplaced(
                    "a network that runs in rounds asks for facts by version vectors alone".to_owned(),
                ));
            }
            Body::Sync(Request::Listed) => {
                self.note_received(message, now);
                self.note(
                    EventKind::SyncStarted,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
                let rulesets: Vec<String> = self.rulesets.iter().cloned().collect();
                let mut rulesets = Some(rulesets).filter(|rulesets| !rulesets.is_empty());
                let mut parts = parcels(self.graph.delta_since(&message.version));
                if parts.is_empty() && rulesets.is_some() {
                    parts.push(Vec::new());
                }
                for blocks in parts {
                    let body = Body::State {
                        reached: None,
                        rulesets: rulesets.take().unwrap_or_default(),
                        blocks: Blocks::Plain(blocks),
                    };
                    messages.push(self.send(Some(from), &body, now, Phase::Reconcile));
                }
                self.note(
                    EventKind::SyncCompleted,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
            }
            Body::Heartbeat { digest, more } => {
                match more {
                    More::Ballot(round, ballot) => self.count_ballot(from, round, ballot, digest)?,
                    More::Nothing => {}
                    More::Pulse(_) => {
                        return Err(Fault::Misplaced("this agent runs in rounds".to_owned()));
                    }
                }
                self.note_received(message, now);
                self.note(
                    EventKind::Heartbeat,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
                if matches!(more, More::Ballot(..)) {
                    self.progress(now, &mut messages)?;
                } else if self.network.round().1.is_none() && !self.graph.version().covers(&message.version) {
                    messages.push(self.send(Some(from), &Body::Sync(Request::Listed), now, Phase::Reconcile));
                }
            }
            Body::Ack { refused } => {
                self.note_received(message, now);
                self.hear_refusals(message, refused, now);
                self.note(
                    EventKind::Acknowledged,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
            }
        }
        Ok(messages)
    }

    /// Checks a message's envelope and reads its body.
    fn open(&self, message: &Message) -> Result<Body, Fault> {
        let Message {
            kind,
            sender,
            receiver,
            topic,
            body,
            ..
        } = message;
        let expected = self.network.topic(*kind, *sender, *receiver).map_err(misfit)?;
        if *topic != expected {
            // Whether it is one at all.
            self.network.parse_topic(topic).map_err(misfit)?;
            return Err(Fault::Malformed(format!(
                "the topic of this message is `{expected}`, not `{topic}`"
            )));
        }
        let is_me = |receiver: AgentId| match self.free {
            Some(_) => receiver.number() == self.config.id.number(),
            None => receiver == self.config.id,
        };
        if let Some(other) = receiver.filter(|receiver| !is_me(*receiver)) {
            return Err(Fault::Misplaced(format!(
                "the message is for agent {}, and this is agent {}",
                other.0, self.config.id.0
            )));
        }
        Body::decode(*kind, body)
    }

    /// Takes facts in, or keeps them for their time. Answers whether facts that belong to no round were settled.
    fn take_facts(
        &mut self,
        from: AgentId,
        reached: Option<(u32, Barrier)>,
        blocks: Vec<Vec<u8>>,
        now: u64,
    ) -> Result<bool, Fault> {
        let (round, awaited) = self.network.round();
        let Some((its_round, barrier)) = reached else {
            if blocks.is_empty() {
                return Ok(false);
            }
            if awaited.is_some() {
                let bytes: usize = blocks.iter().map(Vec::len).sum();
                if self.outside_bytes + bytes > MAX_KEPT {
                    return Err(Fault::Limit(format!(
                        "at most {MAX_KEPT} bytes are kept until the round is over"
                    )));
                }
                self.outside_bytes += bytes;
                self.outside.extend(blocks);
                return Ok(false);
            }
            for block in &blocks {
                self.graph.receive(block)?;
            }
            self.settle(now, Phase::Reconcile);
            self.unlearned = true;
            return Ok(true);
        };
        let current = its_round == round && awaited == Some(barrier);
        if current {
            for block in &blocks {
                self.graph.receive(block)?;
            }
        }
        match self.network.arrive(from, its_round, barrier) {
            Ok(_) => {
                if !current {
                    self.early.entry((its_round, barrier)).or_default().extend(blocks);
                }
                Ok(false)
            }
            // A repetition, since nobody passes a barrier that somebody has not reached.
            Err(OrchestrationError::Stale(_)) => Ok(false),
            Err(error) => Err(misfit(error)),
        }
    }

    fn count_ballot(&mut self, from: AgentId, round: u32, ballot: Ballot, digest: [u8; 32]) -> Result<(), Fault> {
        for counted in [
            self.network.cast(from, round, ballot.vote(digest)),
            self.network.arrive(from, round, Barrier::Compared).map(|_| ()),
        ] {
            match counted {
                Ok(()) | Err(OrchestrationError::Stale(_)) => {}
                Err(error) => return Err(misfit(error)),
            }
        }
        Ok(())
    }

    /// Says to everybody what this agent has; whoever lacks some of it asks for it.
    pub fn heartbeat(&mut self, now: u64) -> Message {
        let body = Body::Heartbeat {
            digest: self.graph.state_digest(),
            more: More::Nothing,
        };
        self.send(None, &body, now, Phase::Reconcile)
    }

    pub(super) fn send(&mut self, receiver: Option<AgentId>, body: &Body, now: u64, phase: Phase) -> Message {
        let id = self.next_message;
        self.next_message += 1;
        let kind = body.kind();
        let (body_ref, body) = (body, body.encode());
        let topic = self.network.topic(kind, self.config.id, receiver);
        // The digest or the symbols say the same, but for who has to know what everybody has.
        let version = match body_ref {
            Body::Heartbeat {
                more: More::Pulse(pulse),
                ..
            } if pulse.cut.or(pulse.beginning).is_none() => VersionVector::default(),
            Body::Sync(Request::Sketched(..) | Request::Unclear(_)) => VersionVector::default(),
            _ => (*self.version()).clone(),
        };
        let at = self.note(EventKind::Sent, receiver, Some(id), None, body.len() as u64, now, phase);
        self.sent.0 += 1;
        self.sent.1 += body.len() as u64;
        Message {
            id,
            kind,
            sender: self.config.id,
            receiver,
            topic: topic.expect("sender and receiver are members"),
            version,
            at,
            body,
        }
    }

    pub(super) fn note_received(&mut self, message: &Message, now: u64) {
        let bytes = message.body.len() as u64;
        self.received.0 += 1;
        self.received.1 += bytes;
        let entry = Entry {
            kind: EventKind::Received,
            agent: self.config.id,
            peer: Some(message.sender),
            message: Some(message.id),
            fact: None,
            version: match self.config.timeline_capacity {
                0 => VersionVector::default(),
                _ => message.version.clone(),
            },
            bytes,
            round: self.network.round().0,
            phase: Phase::Reconcile,
        };
        self.log.record(entry, now, Some(message.at));
    }
}
