//! Questions: they change nothing, wait for nobody, and see the agent as it last was.

use std::rc::Rc;

use eqmesh_agent::timeline_of;
use eqmesh_replica::{AgentId, Fault};
use eqmesh_timeline::Log;

use crate::blob::Blob;
use crate::index::Index;
use crate::member::Member;
use crate::service::{Came, Facts, Opened, Service, ServiceError};
use crate::state::{AgentState, LeaseState, StepRules};
use crate::store::{Host, Store};

/// What an agent is at a glance.
#[derive(Debug)]
pub struct Glance {
    /// For programs,
    pub state: AgentState,
    /// and as JSON.
    pub json: Vec<u8>,
    /// The index as it was stored; none before there was one.
    of: Option<Vec<u8>>,
    /// When the lease ends, in milliseconds since 1970.
    until: u64,
}

impl Glance {
    /// Whether it would be the same if it were made anew.
    fn holds(&self, stored: Option<&[u8]>, now: u64) -> bool {
        self.of.as_deref() == stored && self.state.queue.working == (self.until > now)
    }
}

impl<S: Store, H: Host, M: Member> Service<S, H, M> {
    /// The agent at a glance, by reading one small value. Costs little more than that while nothing has changed.
    pub fn glance(&self) -> Result<Rc<Glance>, ServiceError> {
        let stored = self.stored()?;
        let now = self.milliseconds();
        let mut last = self.glance.borrow_mut();
        match &*last {
            Some(glance) if glance.holds(stored.as_deref(), now) => Ok(Rc::clone(glance)),
            _ => {
                let glance = Rc::new(self.made_of(stored, now)?);
                *last = Some(Rc::clone(&glance));
                Ok(glance)
            }
        }
    }

    fn made_of(&self, stored: Option<Vec<u8>>, now: u64) -> Result<Glance, ServiceError> {
        let damaged = |error: serde_json::Error| self.damaged(Fault::Malformed(error.to_string()));
        let index = match &stored {
            Some(bytes) => Index::decode(bytes).map_err(|fault| self.damaged(fault))?,
            None => Index::default(),
        };
        let mut state = if index.state.is_empty() {
            self.unborn()
        } else {
            serde_json::from_slice(&index.state).map_err(damaged)?
        };
        let until = index.lease.map_or(0, |lease| lease.until);
        state.queue = LeaseState {
            inbox: index.inbox.iter().map(|blob| u64::from(blob.items)).sum(),
            outbox: index.outbox.len(),
            working: until > now,
        };
        let json = serde_json::to_vec(&state).expect("it serialises into memory");
        Ok(Glance {
            state,
            json,
            of: stored,
            until,
        })
    }

    fn unborn(&self) -> AgentState {
        AgentState {
            id: u32::from(self.settings.number),
            region: self.settings.region.clone(),
            nats_url: self.settings.nats_url.clone(),
            life: "new".to_owned(),
            ..AgentState::default()
        }
    }

    /// Asks the agent with all its facts something that changes nothing.
    pub fn ask<T>(&self, question: impl FnOnce(&mut M) -> T) -> Result<T, ServiceError> {
        let asked = self.reading(|index| {
            let member = match self.left(index, Facts::Taken) {
                Some((member, _)) => Some(member),
                // It has not worked yet.
                None if index.node.is_none() => Some(self.open(&mut Index::default(), None, None)?.member),
                None => self.read(index, &[], Facts::Taken)?.map(|(opened, _)| opened.member),
            };
            Ok(member.map(|member| (member, std::mem::take(index))))
        });
        let (mut member, index) = asked?;
        let answer = question(&mut member);
        self.keep(member, Facts::Taken, &index);
        Ok(answer)
    }

    /// Reads the agent, with its facts or without, and what has come for it, all at once. None if some of that is gone, as the index is old.
    pub(crate) fn read(
        &self,
        index: &mut Index,
        inbox: &[Blob],
        facts: Facts,
    ) -> Result<Option<(Opened<M>, Came)>, ServiceError> {
        let log = match facts {
            Facts::Taken => &index.log[..],
            Facts::Left => &[],
        };
        let count = log.len();
        let blobs: Vec<&Blob> = log.iter().chain(&index.node).chain(inbox).collect();
        let Some(mut read) = self.get(&blobs)? else {
            return Ok(None);
        };
        let messages = read.split_off(count + usize::from(index.node.is_some())).concat();
        let suspended = read.split_off(count).concat().pop();
        let parts = (facts == Facts::Taken).then(|| read.concat());
        let opened = self.open(index, parts, suspended.as_deref())?;
        Ok(Some((opened, messages)))
    }

    /// What happened lately, as the agent left it when it last worked, without its facts, and what its steps applied: the cost does not depend on the size of the e-graph. None before it has worked.
    pub fn timeline(&self) -> Result<Option<(AgentId, Log, Vec<StepRules>)>, ServiceError> {
        self.reading(|index| {
            let Some(node) = &index.node else { return Ok(Some(None)) };
            let Some(mut read) = self.get(&[node])? else {
                return Ok(None);
            };
            let suspended = read.pop().unwrap_or_default().concat();
            let (agent, saved) = timeline_of(&suspended).map_err(|fault| self.damaged(fault))?;
            let mut log = Log::new(self.settings.timeline);
            log.load(&saved)
                .map_err(|error| self.damaged(Fault::Malformed(error.to_string())))?;
            let state: AgentState = serde_json::from_slice(&index.state).unwrap_or_default();
            Ok(Some(Some((agent, log, state.steps))))
        })
    }

    /// Reads what an index names, anew as long as others take it away in between.
    fn reading<T>(
        &self,
        mut read: impl FnMut(&mut Index) -> Result<Option<T>, ServiceError>,
    ) -> Result<T, ServiceError> {
        for _ in 0..16 {
            let mut index = self.look()?.unwrap_or_default();
            let revision = index.revision;
            if let Some(found) = read(&mut index)? {
                return Ok(found);
            }
            if self.look()?.is_some_and(|index| index.revision == revision) {
                return Err(self.lost());
            }
        }
        Err(self.busy("its state changes faster than it can be read", 200))
    }
}
