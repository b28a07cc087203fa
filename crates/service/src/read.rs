//! Questions: they change nothing, wait for nobody, and see the agent as it last was.

use eqmesh_agent::timeline_of;
use eqmesh_replica::{AgentId, Fault};
use eqmesh_timeline::Log;

use crate::blob::Blob;
use crate::index::Index;
use crate::member::Member;
use crate::service::{Service, ServiceError};
use crate::state::{AgentState, LeaseState, StepRules};
use crate::store::{Host, Store};

impl<S: Store, H: Host, M: Member> Service<S, H, M> {
    /// The agent at a glance, by reading one small value.
    pub fn state(&self) -> Result<AgentState, ServiceError> {
        let Some(index) = self.look()? else {
            return Ok(self.unborn());
        };
        let mut state = if index.state.is_empty() {
            self.unborn()
        } else {
            let damaged = |error: serde_json::Error| self.damaged(Fault::Malformed(error.to_string()));
            serde_json::from_slice(&index.state).map_err(damaged)?
        };
        let now = self.milliseconds();
        state.queue = LeaseState {
            inbox: index.inbox.iter().map(|blob| u64::from(blob.items)).sum(),
            outbox: index.outbox.len(),
            working: index.lease.is_some_and(|lease| lease.until > now),
        };
        Ok(state)
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

    /// The agent with all its facts, to be asked. Nothing that is done to it is kept.
    pub fn copy(&self) -> Result<M, ServiceError> {
        match self.kept()? {
            Some(member) => Ok(member),
            None => Ok(self.open(&mut Index::default(), None, None)?.member),
        }
    }

    /// The same, but none before it has worked.
    fn kept(&self) -> Result<Option<M>, ServiceError> {
        self.reading(|index| {
            if index.node.is_none() {
                return Ok(Some(None));
            }
            let blobs: Vec<&Blob> = index.log.iter().chain(&index.node).collect();
            let Some(mut read) = self.get(&blobs)? else {
                return Ok(None);
            };
            let suspended = read.split_off(index.log.len()).concat().pop();
            Ok(Some(Some(
                self.open(index, Some(read.concat()), suspended.as_deref())?.member,
            )))
        })
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
