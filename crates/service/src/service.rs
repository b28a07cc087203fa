//! The agent's state in the store: read, changed as a whole or not at all, and kept small.

use std::cell::RefCell;
use std::rc::Rc;

use eqmesh_agent::{Config, Diagnostic, Message};
use eqmesh_orchestrator::{Entrance, Topology};
use eqmesh_replica::{AgentId, Fault};
use serde::Deserialize;

use crate::blob::{Blob, Lasts};
use crate::index::{Index, Lease};
use crate::kept::Kept;
use crate::member::Member;
use crate::read::Glance;
use crate::store::{Host, Store, StoreError};

/// The most messages in one delivery.
const MAX_DELIVERED: usize = 1 << 10;

/// The most blobs, and bytes of them, that wait in the inbox.
const MAX_INBOX: usize = 1 << 12;
const MAX_INBOX_BYTES: u64 = 64 << 20;

/// How long a request may hold the lease, in milliseconds, at the most: hosts end requests before that. As long as this an agent stands still whose host died while it was at
/// work; so the lease is shorter where an agent's work has been short.
const LEASE: u64 = 60_000;
const LEAST_LEASE: u64 = 5_000;

/// How many times longer than the last piece of work the next one may take before others take over. Nothing breaks when it takes longer: it fails, and is done again.
const LEASED: u64 = 16;

/// Who has worked within so many milliseconds is busy, and will soon write anew what it writes.
const BUSY: u64 = 100;

/// How long others wait for who is to write the first index, in milliseconds: longer than a request can live.
const SEEDING: u64 = 2 * LEASE;

/// The time for which an agent is leased that was last at work for so many microseconds.
fn leased(took: u64) -> u64 {
    (took / 1_000).saturating_mul(LEASED).clamp(LEAST_LEASE, LEASE)
}

/// How an agent runs as a service. All agents of a network choose alike but for the first three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its number, from 0; at most [`AgentId::MAX_NUMBER`].
    pub number: u16,
    /// For people.
    pub region: String,
    /// For people: credentials are left out.
    pub nats_url: String,
    /// How many agents the network was founded with.
    pub agents: u32,
    /// How often it says that it is alive, in milliseconds.
    pub tick: u64,
    /// History is cut after so many facts; 0: never.
    pub cut_after: u64,
    /// Rules of this ruleset are run.
    pub ruleset: String,
    /// Nothing is derived once the e-graph has so many e-nodes.
    pub node_limit: u64,
    /// Events that the timeline keeps.
    pub timeline: u32,
}

/// Why a request was not served. Nothing has changed then, as far as anybody can tell.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the store is not what was written: where, and what is wrong.
    #[error(
        "the stored state of agent {0} is damaged: {1}. Restore it from a backup, or remove it: the agent then starts anew and gets all facts from the others"
    )]
    Damaged(u16, Fault),
    /// Another request is at work, or many others are. Try again after so many milliseconds.
    #[error("agent {agent} is busy: {why}")]
    Busy {
        /// Its number.
        agent: u16,
        /// With what.
        why: String,
        /// When to try again.
        after: u64,
    },
    /// A message is no message, or not for this agent: which one of the delivery, counted from 0, and why.
    #[error("message {0} of the delivery: {1}")]
    Message(usize, Fault),
    /// A text is wrong.
    #[error("{}", .0.iter().map(|own| own.message.as_str()).collect::<Vec<_>>().join("; "))]
    Text(Vec<Diagnostic>),
    /// The agent could not do it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that are durable now.
    pub messages: usize,
}

/// One agent.
#[derive(Debug)]
pub struct Service<S, H, M: Member> {
    pub(crate) store: S,
    pub(crate) host: H,
    pub(crate) maker: M::Maker,
    pub(crate) settings: Settings,
    prefix: String,
    key: String,
    /// The index as it was last seen, and its bytes.
    pub(crate) seen: RefCell<Option<(Index, Vec<u8>)>>,
    /// The agent as an earlier request has left it.
    pub(crate) kept: RefCell<Option<Kept<M>>>,
    /// What an earlier request was told.
    pub(crate) glance: RefCell<Option<Rc<Glance>>>,
}

/// What a lease takes of the state.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct LastWork {
    work_micros: u64,
    updated_at: u64,
}

impl LastWork {
    /// Whether it is over for less than this time, in milliseconds: then the next one will not be long in coming either.
    pub(crate) fn is_recent(self, now: u64) -> bool {
        now < self.updated_at.saturating_add(BUSY)
    }
}

/// The lease, and what was there when it was taken.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) token: u64,
    /// Without garbage.
    pub(crate) index: Index,
    /// What was garbage then, and is removed.
    pub(crate) removed: Vec<Blob>,
    pub(crate) last: LastWork,
}

/// Whether an agent has been taken out of the store with its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facts {
    Taken,
    Left,
}

/// Messages as they came, in their binary form.
pub(crate) type Came = Vec<Vec<u8>>;

/// An agent that was taken out of the store.
#[derive(Debug)]
pub(crate) struct Opened<M> {
    pub(crate) member: M,
    pub(crate) facts: Facts,
    /// What it said when it joined; empty if it was there before.
    pub(crate) said: Vec<Message>,
}

impl<S: Store, H: Host, M: Member> Service<S, H, M> {
    /// How it runs.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The agent of these settings, whose state lies in this store. Whoever answers several requests with it says when one [begins](Service::begin).
    pub fn new(store: S, host: H, maker: M::Maker, settings: Settings) -> Service<S, H, M> {
        let prefix = format!("agent-{}/", settings.number);
        Service {
            store,
            host,
            maker,
            key: format!("{prefix}index"),
            prefix,
            settings,
            seen: RefCell::new(None),
            kept: RefCell::new(None),
            glance: RefCell::new(None),
        }
    }

    pub(crate) fn milliseconds(&self) -> u64 {
        self.host.now() / 1000
    }

    pub(crate) fn busy(&self, why: &str, after: u64) -> ServiceError {
        ServiceError::Busy {
            agent: self.settings.number,
            why: why.to_owned(),
            after,
        }
    }

    pub(crate) fn damaged(&self, fault: Fault) -> ServiceError {
        ServiceError::Damaged(self.settings.number, fault)
    }

    /// The lease ended before the work did, and somebody else has it.
    pub(crate) fn overtaken(&self) -> ServiceError {
        self.busy("this request took too long, and another one has taken over", 200)
    }

    /// A blob that counts is not there.
    pub(crate) fn lost(&self) -> ServiceError {
        self.damaged(Fault::Malformed("a blob that the index names is gone".to_owned()))
    }

    /// The index as it is stored; none before anything was.
    pub(crate) fn stored(&self) -> Result<Option<Vec<u8>>, ServiceError> {
        Ok(self.store.read(std::slice::from_ref(&self.key))?.pop().flatten())
    }

    fn found(&self) -> Result<Option<(Index, Vec<u8>)>, ServiceError> {
        let Some(bytes) = self.stored()? else { return Ok(None) };
        let index = Index::decode(&bytes).map_err(|fault| self.damaged(fault))?;
        Ok(Some((index, bytes)))
    }

    /// The index as it is; none before anything was stored.
    pub(crate) fn look(&self) -> Result<Option<Index>, ServiceError> {
        let found = self.found()?;
        let index = found.as_ref().map(|(index, _)| index.clone());
        *self.seen.borrow_mut() = found;
        Ok(index)
    }

    /// The index as it is, written first if there is none.
    fn index(&self) -> Result<(Index, Vec<u8>), ServiceError> {
        if let Some(found) = self.found()? {
            return Ok(found);
        }
        let waiting = format!("{}seeding", self.prefix);
        let mut force = false;
        for _ in 0..50 {
            if self.store.seed(&self.key, &Index::default().encode(), force)?
                && let Some(found) = self.found()?
            {
                return Ok(found);
            }
            // Somebody else is about to write it, or died before it did.
            let since = self.store.read(std::slice::from_ref(&waiting))?.pop().flatten();
            let since = since.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
            let now = self.milliseconds();
            match since {
                None => self.store.write(vec![(waiting.clone(), now.to_le_bytes().to_vec())])?,
                Some(since) => force = now.saturating_sub(since) > SEEDING,
            }
            self.host.sleep(20);
        }
        Err(self.busy("its state is being set up", 1000))
    }

    /// Changes the index, once more whenever somebody else was quicker. `change` may refuse.
    pub(crate) fn amend<T>(
        &self,
        mut change: impl FnMut(&mut Index) -> Result<T, ServiceError>,
    ) -> Result<(Index, T), ServiceError> {
        // What was seen last is as good as a new look: if it is old, the swap fails.
        let seen = self.seen.borrow_mut().take();
        let mut current = match seen {
            Some(seen) => seen,
            None => self.index()?,
        };
        for round in 0..1000u64 {
            let mut index = current.0.clone();
            let answer = change(&mut index)?;
            index.revision = current.0.revision + 1;
            let bytes = index.encode();
            if self.store.compare_and_swap(&self.key, &current.1, &bytes)? {
                *self.seen.borrow_mut() = Some((index.clone(), bytes));
                return Ok((index, answer));
            }
            if round > 8 {
                self.host.sleep(self.host.random() % (2 * round).min(64));
            }
            current = self.index()?;
        }
        Err(self.busy("too many requests change its state", 200))
    }

    /// Waits for the lease, for so many milliseconds at most. Nobody else changes facts from then on.
    pub(crate) fn lease(&self, wait: u64) -> Result<Held, ServiceError> {
        let token = self.host.random();
        let end = self.milliseconds() + wait;
        loop {
            let taken = self.amend(|index| {
                let now = self.milliseconds();
                if let Some(lease) = index.lease.filter(|lease| lease.until > now) {
                    return Err(self.busy("another request is at work", (lease.until - now).min(200)));
                }
                let last: LastWork = serde_json::from_slice(&index.state).unwrap_or_default();
                index.lease = Some(Lease {
                    token,
                    until: now + leased(last.work_micros),
                });
                Ok(last)
            });
            match taken {
                Ok((mut index, last)) => {
                    self.collect(&index)?;
                    let removed = std::mem::take(&mut index.garbage);
                    return Ok(Held {
                        token,
                        index,
                        removed,
                        last,
                    });
                }
                Err(ServiceError::Busy { .. }) if self.milliseconds() < end => {
                    self.host.sleep(5 + self.host.random() % 20);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the lease back without having changed anything.
    pub(crate) fn release(&self, token: u64) -> Result<(), ServiceError> {
        self.amend(|index| {
            index.lease = index.lease.filter(|lease| lease.token != token);
            Ok(())
        })?;
        Ok(())
    }

    /// Changes the index as the holder of the lease, and gives it back. Fails, and changes nothing, if somebody else has taken over.
    pub(crate) fn commit(&self, token: u64, mut change: impl FnMut(&mut Index)) -> Result<Index, ServiceError> {
        let committed = self.amend(|index| {
            if index.lease.is_none_or(|lease| lease.token != token) {
                return Err(self.overtaken());
            }
            change(index);
            index.lease = None;
            Ok(())
        });
        Ok(committed?.0)
    }

    /// Removes what counts no more. The index forgets it with the next commit only, so that dying in between leaves nothing behind.
    fn collect(&self, index: &Index) -> Result<(), ServiceError> {
        let keys: Vec<String> = index.garbage.iter().flat_map(|blob| blob.keys(&self.prefix)).collect();
        Ok(self.store.remove(&keys)?)
    }

    /// Removes blobs that no index names although they were written long ago, by requests that died.
    pub(crate) fn sweep(&self, index: &Index) -> Result<(), ServiceError> {
        let now = self.milliseconds();
        let named: std::collections::BTreeSet<String> =
            index.blobs().flat_map(|blob| blob.keys(&self.prefix)).collect();
        let old = |key: &String| {
            Blob::time_of(&self.prefix, key).is_some_and(|at| at + SEEDING < now) && !named.contains(key)
        };
        let lost: Vec<String> = self.store.keys(&self.prefix)?.into_iter().filter(old).collect();
        Ok(self.store.remove(&lost)?)
    }

    /// Writes a blob that no index names yet.
    pub(crate) fn put(&self, items: &[Vec<u8>], lasts: Lasts) -> Result<Blob, ServiceError> {
        let (blob, entries) = Blob::of(&self.prefix, items, lasts, self.milliseconds(), self.host.random());
        self.store.write(entries)?;
        Ok(blob)
    }

    /// Reads blobs, all at once. None if one is gone: the index that names it is old.
    pub(crate) fn get(&self, blobs: &[&Blob]) -> Result<Option<Vec<Vec<Vec<u8>>>>, ServiceError> {
        if blobs.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let keys: Vec<String> = blobs.iter().flat_map(|blob| blob.keys(&self.prefix)).collect();
        let Some(values) = self.store.read(&keys)?.into_iter().collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let mut values = &values[..];
        let mut read = Vec::with_capacity(blobs.len());
        for blob in blobs {
            let (own, rest) = values.split_at(blob.chunks as usize);
            values = rest;
            read.push(blob.items(own).map_err(|fault| self.damaged(fault))?);
        }
        Ok(Some(read))
    }

    /// Stores messages for the agent: those of others, to it or to everybody. All or nothing. They are looked at when it next works.
    pub fn deliver(&self, messages: &[Vec<u8>]) -> Result<Delivered, ServiceError> {
        if messages.len() > MAX_DELIVERED {
            let fault = Fault::Limit(format!("a delivery has at most {MAX_DELIVERED} messages"));
            return Err(ServiceError::Message(MAX_DELIVERED, fault));
        }
        for (at, bytes) in messages.iter().enumerate() {
            let message = Message::decode(bytes).map_err(|fault| ServiceError::Message(at, fault))?;
            let me = u32::from(self.settings.number);
            if let Some(other) = message.receiver.filter(|other| other.number() != me) {
                let fault = Fault::Misplaced(format!("it is for agent {}, and this is agent {me}", other.number()));
                return Err(ServiceError::Message(at, fault));
            }
        }
        if !messages.is_empty() {
            let blob = self.put(messages, Lasts::Briefly)?;
            self.amend(|index| {
                let bytes: u64 = index.inbox.iter().map(|own| own.bytes).sum();
                if index.inbox.len() >= MAX_INBOX || bytes + blob.bytes > MAX_INBOX_BYTES {
                    return Err(self.busy("its inbox is full", 1000));
                }
                index.inbox.push(blob);
                Ok(())
            })?;
        }
        Ok(Delivered {
            messages: messages.len(),
        })
    }

    fn config(&self, incarnation: u16) -> Config {
        Config {
            id: AgentId::new(u32::from(self.settings.number), incarnation).expect("the number is an agent's"),
            agents: self.settings.agents,
            coloring: true,
            timeline_capacity: self.settings.timeline,
        }
    }

    /// Takes the agent out of what was read of the store: as it was suspended, with or without its facts, or as one that joins.
    pub(crate) fn open(
        &self,
        index: &mut Index,
        parts: Option<Vec<Vec<u8>>>,
        suspended: Option<&[u8]>,
    ) -> Result<Opened<M>, ServiceError> {
        let now = self.host.now();
        match suspended {
            Some(suspended) => {
                let facts = if parts.is_some() { Facts::Taken } else { Facts::Left };
                let mut member = M::make(&self.maker, self.config(index.incarnation));
                member
                    .resume(suspended, parts, now)
                    .map_err(|fault| self.damaged(fault))?;
                Ok(Opened {
                    member,
                    facts,
                    said: Vec::new(),
                })
            }
            None => {
                // Whoever begins counts as a founder; if there was one of its number before, that will be heard.
                index.fresh = true;
                self.enter(index, parts.unwrap_or_default(), false)
            }
        }
    }

    /// Lets the agent join, as the incarnation that the index says.
    pub(crate) fn enter(
        &self,
        index: &mut Index,
        parts: Vec<Vec<u8>>,
        joining: bool,
    ) -> Result<Opened<M>, ServiceError> {
        let now = self.host.now();
        index.session = self.host.random() | 1;
        index.born = now / 1000;
        let mut member = M::make(&self.maker, self.config(index.incarnation));
        member.restore(parts, now);
        let entrance = Entrance {
            session: index.session,
            joining,
            // Requests come when they come: what counts as regular is generous.
            interval: 3_000 * self.settings.tick.max(1),
            topology: Topology::Mesh,
        };
        let said = member.join(entrance, now)?;
        if self.settings.cut_after > 0 {
            member.cut_after(self.settings.cut_after)?;
        }
        Ok(Opened {
            member,
            facts: Facts::Taken,
            said,
        })
    }
}
