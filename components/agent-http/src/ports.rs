//! What the service needs, over what the component imports.

use eqmesh_agent::{Config, Diagnostic, Dispute, Message, RoundTask, Summary, Unstored};
use eqmesh_egraph::color::{Color, ColorCounts};
use eqmesh_guest::{digest_from_wit, types, version_from_wit, version_to_wit};
use eqmesh_orchestrator::{Claim, Entrance, Member as NetworkMember};
use eqmesh_replica::{AgentId, Dot, Fault, VersionVector};
use eqmesh_service::{Host, Member, Store, StoreError};
use eqmesh_timeline::{Event, Metrics};

use crate::bindings::eqmesh::network::{agent, storage};

/// The agent that this component is composed with.
pub(crate) struct Imported(pub(crate) agent::Node);

fn message(own: agent::Message) -> Message {
    Message {
        id: own.id,
        kind: own.kind.into(),
        sender: AgentId(own.sender),
        receiver: own.receiver.map(AgentId),
        topic: own.topic,
        version: version_from_wit(own.version),
        at: own.at.into(),
        body: own.body,
    }
}

fn messages(own: Result<Vec<agent::Message>, types::Fault>) -> Result<Vec<Message>, Fault> {
    Ok(own?.into_iter().map(message).collect())
}

pub(crate) fn diagnostics(own: Vec<types::Diagnostic>) -> Vec<Diagnostic> {
    let plain = |own: types::Diagnostic| Diagnostic {
        code: own.code,
        message: own.message,
        help: own.help,
        start: own.start,
        end: own.end,
        error: own.error,
    };
    own.into_iter().map(plain).collect()
}

/// A digest of the agent beside this component, which has its 32 bytes.
fn digest(own: types::Digest) -> [u8; 32] {
    digest_from_wit(own).expect("the agent makes digests of 32 bytes")
}

impl Member for Imported {
    type Maker = ();

    fn make((): &(), config: Config) -> Imported {
        Imported(agent::Node::new(agent::Config {
            id: config.id.0,
            agents: config.agents,
            coloring: config.coloring,
            timeline_capacity: config.timeline_capacity,
        }))
    }

    fn restore(&mut self, parts: Vec<Vec<u8>>, now: u64) -> u64 {
        self.0.restore(&parts, now)
    }

    fn join(&mut self, entrance: Entrance, now: u64) -> Result<Vec<Message>, Fault> {
        messages(self.0.join(entrance.into(), now))
    }

    fn resume(&mut self, state: &[u8], parts: Option<Vec<Vec<u8>>>, now: u64) -> Result<(), Fault> {
        Ok(self.0.resume(state, parts.as_deref(), now)?)
    }

    fn lacks_facts(&self) -> bool {
        self.0.lacks_facts()
    }

    fn suspend(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(self.0.suspend()?)
    }

    fn cut_after(&mut self, facts: u64) -> Result<(), Fault> {
        Ok(self.0.cut_after(facts)?)
    }

    fn receive(&mut self, own: &Message, now: u64) -> Result<Vec<Message>, Fault> {
        let message = agent::Message {
            id: own.id,
            kind: own.kind.into(),
            sender: own.sender.0,
            receiver: own.receiver.map(|receiver| receiver.0),
            topic: own.topic.clone(),
            version: version_to_wit(&own.version),
            at: own.at.into(),
            body: own.body.clone(),
        };
        messages(self.0.receive(&message, now))
    }

    fn tick(&mut self, now: u64) -> Result<Vec<Message>, Fault> {
        messages(self.0.tick(now))
    }

    fn step(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, Fault> {
        let task = agent::RoundTask {
            ruleset: task.ruleset.clone(),
            budget: task.budget.into(),
        };
        messages(self.0.step(&task, now))
    }

    fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, Vec<Diagnostic>> {
        let said = self.0.submit(text, now).map_err(diagnostics)?;
        Ok(said.into_iter().map(message).collect())
    }

    fn unstored(&mut self) -> Unstored {
        let agent::Unstored { instead, parts } = self.0.unstored();
        Unstored { instead, parts }
    }

    fn is_outdated(&self) -> bool {
        self.0.is_outdated()
    }

    fn superseded(&self) -> Option<Claim> {
        self.0.superseded().map(Claim::from)
    }

    fn claim(&self) -> Option<Claim> {
        self.0.claim().map(Claim::from)
    }

    fn converged(&mut self) -> bool {
        self.0.converged()
    }

    fn version(&mut self) -> VersionVector {
        version_from_wit(self.0.version())
    }

    fn members(&self) -> Vec<NetworkMember> {
        self.0.members().into_iter().map(NetworkMember::from).collect()
    }

    fn summary(&self) -> Summary {
        let own = self.0.summary();
        Summary {
            id: AgentId(own.id),
            color: own.color.map(Color::from),
            size: own.size.into(),
            state_digest: digest(own.state_digest),
            messages_sent: own.messages_sent,
            bytes_sent: own.bytes_sent,
            messages_received: own.messages_received,
            bytes_received: own.bytes_received,
            refused: own.refused.into_iter().map(|(dot, why)| (dot.into(), why)).collect(),
            disputes: own
                .disputes
                .into_iter()
                .map(|own| Dispute {
                    fact: own.fact.into(),
                    by: own.by,
                    reason: own.reason,
                })
                .collect(),
        }
    }

    fn meaning_digest(&mut self) -> [u8; 32] {
        digest(self.0.meaning_digest())
    }

    fn metrics(&self) -> Metrics {
        self.0.metrics().into()
    }

    fn events(&self, from: u64, limit: u32) -> Vec<Event> {
        self.0.events(from, limit).into_iter().map(Event::from).collect()
    }

    fn color_counts(&self) -> ColorCounts {
        self.0.color_counts().into()
    }

    fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        self.0.applied(fact.into())
    }
}

/// The port `storage`.
#[derive(Debug)]
pub(crate) struct Stored;

fn failed(error: storage::StorageError) -> StoreError {
    match error {
        storage::StorageError::Unavailable(why) => StoreError::Unavailable(why),
        storage::StorageError::Limit(why) => StoreError::Limit(why),
    }
}

impl Store for Stored {
    fn read(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        storage::read(keys).map_err(failed)
    }

    fn write(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        storage::write(&entries).map_err(failed)
    }

    fn remove(&self, keys: &[String]) -> Result<(), StoreError> {
        storage::remove(keys).map_err(failed)
    }

    fn compare_and_swap(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        storage::compare_and_swap(key, expected, value).map_err(failed)
    }

    fn seed(&self, key: &str, value: &[u8], force: bool) -> Result<bool, StoreError> {
        storage::seed(key, value, force).map_err(failed)
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        storage::keys(prefix).map_err(failed)
    }
}

/// WASI's clocks and randomness.
#[derive(Debug)]
pub(crate) struct System;

impl Host for System {
    fn now(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    fn random(&self) -> u64 {
        getrandom::u64().expect("WASI always has randomness")
    }

    fn sleep(&self, milliseconds: u64) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
}
