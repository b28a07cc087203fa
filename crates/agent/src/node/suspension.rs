//! Being away: an agent that runs free as bytes, so that a host can run it as a sequence of short lives.
//!
//! The facts are not among them, as they are stored anyway, but for an outline of what they amount to. A life is: [`Node::new`], [`Node::resume`], some work, [`Node::unstored`],
//! [`Node::suspend`]. A life in which nothing is asked but what the outline tells never makes the e-graph. The host stores the facts and the state that came with them before it sends any message of that life, so that a life that breaks off has never been. If it cannot
//! store both at once, it stores the facts first: facts that the state does not know of are no harm as long as nothing was sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use eqmesh_egraph::operator::Operator;
use eqmesh_replica::wire::{Reader, put, put_bytes, put_operator, put_version, read_operator, seal};
use eqmesh_replica::{AgentId, Fault, VersionVector};

use super::exchange::Exchange;
use super::free::Free;
use super::history::History;
use super::outline::{Chain, Outline};
use super::{MAX_RULESETS_KNOWN, Node, Standing, misfit};
use crate::ports::{Graph, Log, Network, Parts};

/// The first bytes of a suspended agent: a magic number and the version.
const MAGIC: &[u8; 4] = b"eqa\x02";

/// Appends a flag, and the value if there is one.
pub(super) fn put_option<T>(bytes: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    bytes.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(bytes, value);
    }
}

/// Reads what [`put_option`] appended.
pub(super) fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    reader.flag()?.then(|| read(reader)).transpose()
}

/// What an agent is besides its facts.
#[derive(Debug)]
struct Suspended {
    id: AgentId,
    agents: u32,
    coloring: bool,
    /// The facts that it had stored.
    version: Arc<VersionVector>,
    next_message: u64,
    sent: (u64, u64),
    received: (u64, u64),
    rulesets: BTreeSet<String>,
    /// Some may be known from no fact yet.
    operators: Vec<Operator>,
    /// None where the e-graph is to be made first of all.
    outline: Option<Outline>,
    free: Box<Free>,
    network: Vec<u8>,
    log: Vec<u8>,
}

fn put_free(bytes: &mut Vec<u8>, free: &Free, own: &VersionVector) {
    let subject = |bytes: &mut Vec<u8>, subject: [u8; 16]| bytes.extend(subject);
    put_option(bytes, free.stated, subject);
    put_option(bytes, free.announced, subject);
    put_bytes(bytes, free.ruleset.as_bytes());
    put(bytes, u64::from(free.doublings));
    free.exchange.put(bytes, own);
    put_option(bytes, free.history.worth, put);
    put(bytes, free.history.cut);
    bytes.push(u8::from(free.history.outdated));
}

fn read_free(reader: &mut Reader<'_>, own: &Arc<VersionVector>) -> Result<Free, Fault> {
    let (stated, announced) = (read_option(reader, Reader::array)?, read_option(reader, Reader::array)?);
    let (ruleset, doublings) = (reader.string()?, reader.small()?);
    if doublings > u64::BITS {
        return Err(reader.malformed("its budget was doubled too often"));
    }
    Ok(Free {
        stated,
        announced,
        ruleset,
        doublings,
        exchange: Exchange::read(reader, own)?,
        history: History {
            worth: read_option(reader, Reader::varint)?,
            cut: reader.varint()?,
            outdated: reader.flag()?,
        },
    })
}

fn read_rulesets(reader: &mut Reader<'_>) -> Result<BTreeSet<String>, Fault> {
    let mut rulesets = BTreeSet::new();
    for _ in 0..reader.count()? {
        let ruleset = reader.string()?;
        if rulesets.last().is_some_and(|last| *last >= ruleset) {
            return Err(reader.malformed("its rulesets are not in order"));
        }
        rulesets.insert(ruleset);
    }
    Ok(rulesets)
}

fn read_operators(reader: &mut Reader<'_>) -> Result<Vec<Operator>, Fault> {
    // An empty name would take few bytes, and more when it is read: there are none.
    let mut operators = Vec::new();
    for _ in 0..reader.count()? {
        operators.push(read_operator(reader)?);
    }
    Ok(operators)
}

impl Suspended {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        put(&mut bytes, u64::from(self.id.0));
        put(&mut bytes, u64::from(self.agents));
        bytes.push(u8::from(self.coloring));
        put_version(&mut bytes, &self.version);
        for count in [
            self.next_message,
            self.sent.0,
            self.sent.1,
            self.received.0,
            self.received.1,
        ] {
            put(&mut bytes, count);
        }
        put(&mut bytes, self.rulesets.len() as u64);
        self.rulesets
            .iter()
            .for_each(|ruleset| put_bytes(&mut bytes, ruleset.as_bytes()));
        put(&mut bytes, self.operators.len() as u64);
        self.operators
            .iter()
            .for_each(|operator| put_operator(&mut bytes, operator));
        put_option(&mut bytes, self.outline.as_ref(), |bytes, outline| outline.put(bytes));
        put_free(&mut bytes, &self.free, &self.version);
        put_bytes(&mut bytes, &self.network);
        put_bytes(&mut bytes, &self.log);
        seal(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Suspended, Fault> {
        let mut reader = Reader::open(bytes, MAGIC, "suspended agent")?;
        let (id, agents, coloring) = (AgentId(reader.small()?), reader.small()?, reader.flag()?);
        let version = Arc::new(reader.version()?);
        let suspended = Suspended {
            id,
            agents,
            coloring,
            next_message: reader.counter()?,
            sent: (reader.counter()?, reader.counter()?),
            received: (reader.counter()?, reader.counter()?),
            rulesets: read_rulesets(&mut reader)?,
            operators: read_operators(&mut reader)?,
            outline: read_option(&mut reader, Outline::read)?,
            free: Box::new(read_free(&mut reader, &version)?),
            network: reader.bytes()?.to_vec(),
            log: reader.bytes()?.to_vec(),
            version,
        };
        reader.end()?;
        if suspended.rulesets.len() > MAX_RULESETS_KNOWN {
            return Err(reader.malformed("it knows too many rulesets"));
        }
        Ok(suspended)
    }
}

/// A suspended agent that was read, and its parts.
struct Awaited<P: Parts> {
    suspended: Suspended,
    network: P::Network,
    log: P::Log,
}

impl<P: Parts> Node<P> {
    /// This agent as bytes, without its facts: see `docs/wire-format.md`. It goes on as if nothing had happened, but whoever keeps the bytes lets it end here, as only one may
    /// [go on](Node::resume). Blocks that wait for others that they build on are not among them; they will be asked for again.
    ///
    /// Fails with [`Fault::Misplaced`] unless it runs free, and as long as [`Node::unstored`] has something to be stored.
    pub fn suspend(&mut self) -> Result<Vec<u8>, Fault> {
        let version = self.version();
        let network = match &self.free {
            Some(_) => self.network.save().map_err(misfit)?,
            None => {
                let text = "only an agent that runs free is suspended";
                return Err(Fault::Misplaced(text.to_owned()));
            }
        };
        if self.shortened || *version != *self.stored {
            let text = "there is something to be stored before this agent is suspended";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        if self.graph.is_lacking() {
            let text = "this life needs facts that it was resumed without: begin it again with them";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        if self.graph.is_misled() {
            let text = "the facts that were stored are not those that this agent had when it was suspended last";
            return Err(Fault::Malformed(text.to_owned()));
        }
        let outline = self.graph.outline(self.parts_stored);
        let suspended = Suspended {
            id: self.config.id,
            agents: self.config.agents,
            coloring: self.config.coloring,
            version,
            next_message: self.next_message,
            sent: self.sent,
            received: self.received,
            rulesets: std::mem::take(&mut self.rulesets),
            operators: self.graph.operators(),
            outline,
            free: self.free.take().expect("it runs free"),
            network,
            log: self.log.save(),
        };
        let bytes = suspended.encode();
        self.rulesets = suspended.rulesets;
        self.free = Some(suspended.free);
        Ok(bytes)
    }

    /// Goes on as the agent that was [suspended](Node::suspend), in place of [`Node::join`]: with its claim, under the same incarnation, and with what it knew of the others. To be called on a
    /// new agent that is configured alike (the timeline's capacity may differ), with the parts that the host has stored. If these are what that one had stored, in the same order, its e-graph
    /// is made of them when it is first needed; else at once. If it was away for long, until `now`, the silence of its neighbours meanwhile does not count. O(bytes), or O(facts).
    ///
    /// Without parts it goes on as well, if the suspended agent has an outline, and at no cost that grows with the facts: for a life that is likely to need none. If it does need some, what it answers is void, and it
    /// [says so](Node::lacks_facts).
    ///
    /// The caller vouches that this is the last state that any message has left from. Who cannot be sure, or is refused, comes back as another incarnation: it joins.
    ///
    /// Fails with [`Fault::Malformed`] for what cannot be read, and with [`Fault::Misplaced`] if it is of another agent, incarnation or network, or this agent is not
    /// new: nothing has changed then. Fails with [`Fault::Malformed`] for parts that are broken, and with [`Fault::Absent`] if facts that were stored are not among them: those that are there have
    /// been [restored](Node::restore) then, and only a new agent can be resumed.
    pub fn resume(&mut self, state: &[u8], parts: Option<Vec<Vec<u8>>>, now: u64) -> Result<(), Fault> {
        let awaited = self.awaited(state, now)?;
        let suspended = &awaited.suspended;
        match &suspended.outline {
            Some(outline) if parts.as_ref().is_none_or(|parts| outline.chain == Chain::of(parts)) => {
                self.parts_stored = outline.chain;
                self.stored = suspended.version.clone();
                self.standing = Some(Standing {
                    digest: outline.state_digest,
                    version: suspended.version.clone(),
                });
                let (version, operators) = (suspended.version.clone(), suspended.operators.clone());
                self.graph.leave(outline.clone(), version, operators, parts);
            }
            _ => {
                let Some(parts) = parts else {
                    let text = "this agent was suspended without an outline: it has to be resumed with its facts";
                    return Err(Fault::Absent(text.to_owned()));
                };
                let broken = self.restore(&parts, now);
                if broken > 0 {
                    let text = format!("{broken} of the parts that were stored are broken or refused");
                    return Err(Fault::Malformed(text));
                }
            }
        }
        self.go_on(awaited)
    }

    /// Whether something was asked that takes facts which this agent was [resumed](Node::resume) without. What it has answered since is void: nothing of this life may be stored or sent, and it is
    /// to be begun again, with its facts.
    pub fn lacks_facts(&self) -> bool {
        self.graph.is_lacking()
    }

    /// Reads a suspended agent that this one may go on as. Changes nothing.
    fn awaited(&self, state: &[u8], now: u64) -> Result<Awaited<P>, Fault> {
        self.between_rounds()?;
        if self.next_message > 0 {
            let text = "this agent has spoken already: resume a new one";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        if self.graph.size().facts > 0 {
            let text = "this agent has facts already: resume a new one";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        let suspended = Suspended::decode(state)?;
        let Suspended {
            id, agents, coloring, ..
        } = suspended;
        if (id, agents, coloring) != (self.config.id, self.config.agents, self.config.coloring) {
            return Err(Fault::Misplaced(format!(
                "what was suspended is agent {}, incarnation {}, of {agents}: this one is set up otherwise",
                id.number(),
                id.incarnation()
            )));
        }
        let mut network = self.parts.network(id, agents, coloring);
        network.load(&suspended.network, now).map_err(misfit)?;
        let mut log = self.parts.log(self.config.timeline_capacity);
        log.load(&suspended.log)
            .map_err(|error| Fault::Malformed(error.to_string()))?;
        Ok(Awaited {
            suspended,
            network,
            log,
        })
    }

    /// Goes on as an agent that was suspended, with the facts that are here.
    fn go_on(&mut self, awaited: Awaited<P>) -> Result<(), Fault> {
        let Awaited {
            suspended,
            network,
            log,
        } = awaited;
        let version = self.version();
        if !version.covers(&suspended.version) {
            let text = "facts that this agent had stored when it was suspended have not been restored";
            return Err(Fault::Absent(text.to_owned()));
        }
        if !self.graph.is_away() {
            self.graph.declare(&suspended.operators)?;
        }
        // With the very same facts, what is stored is what is to be stored.
        self.shortened &= *version != *suspended.version;
        self.restored = false;
        self.unlearned = true;
        self.next_message = suspended.next_message;
        (self.sent, self.received) = (suspended.sent, suspended.received);
        self.rulesets = suspended.rulesets;
        self.network = network;
        self.log = log;
        self.free = Some(suspended.free);
        Ok(())
    }
}

/// Who it is that was [suspended](Node::suspend), and its timeline as [`Log::save`] answered it: without its facts, which are not among these bytes. So what happened lately can be
/// told without making the e-graph anew. O(bytes).
///
/// Fails with [`Fault::Malformed`] for what cannot be read.
pub fn timeline_of(state: &[u8]) -> Result<(AgentId, Vec<u8>), Fault> {
    let suspended = Suspended::decode(state)?;
    Ok((suspended.id, suspended.log))
}

#[cfg(test)]
mod tests;
