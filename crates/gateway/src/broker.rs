//! What a broker does for a gateway.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eqmesh_agent::Message;
use eqmesh_replica::AgentId;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::route::{Subjects, is_fleeting};

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Names the message: `{sender}-{number}-{checksum}`. A broker keeps one of several with the same name. The checksum is that at the message's end: two
    /// messages of one number, by an agent that has lost its memory or by somebody who wants another's to be dropped, are not the same.
    pub id: String,
    /// Where.
    pub subject: String,
    /// [`Message::encode`].
    pub payload: Bytes,
    /// Whether it is a sign of life, which is not kept.
    pub fleeting: bool,
    /// The W3C trace context that it belongs to.
    pub traceparent: Option<String>,
}

impl Outgoing {
    /// A message, given also as bytes.
    pub fn new(subjects: &Subjects, message: &Message, payload: Bytes, traceparent: Option<String>) -> Outgoing {
        let checksum = payload.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Outgoing {
            id: format!("{}-{}-{checksum:016x}", message.sender.0, message.id),
            subject: subjects.of(message),
            payload,
            fleeting: is_fleeting(message),
            traceparent,
        }
    }
}

/// A message that came from a broker, to be settled.
#[derive(Clone, Debug)]
pub struct Incoming<T> {
    /// Where it was published.
    pub subject: String,
    /// What it says.
    pub payload: Bytes,
    /// The stream that keeps it.
    pub stream: String,
    /// Its number there.
    pub sequence: u64,
    /// How often it has been delivered, this time included.
    pub attempt: u64,
    /// The W3C trace context that it belongs to.
    pub traceparent: Option<String>,
    /// What settles it.
    pub token: T,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It has arrived, or concerns nobody: it does not come again. Returns once the broker has said that it knows.
    Done,
    /// It is to come again, after a while.
    Later(Duration),
    /// It is worked on: it does not come again yet.
    Working,
}

/// A message that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Its number among dead letters.
    pub sequence: u64,
    /// When it was given up, as RFC 3339 says.
    pub at: String,
    /// For whom it was.
    pub receiver: u32,
    /// Where it was published.
    pub subject: String,
    /// The stream that it was in,
    pub stream: String,
    /// and its number there.
    pub stream_sequence: u64,
    /// Why it was given up.
    pub reason: String,
    /// What it says.
    #[serde(skip)]
    pub payload: Bytes,
}

/// Why a broker did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It cannot be reached, or does not answer. What was asked may have been done.
    #[error("the broker does not answer: {0}")]
    Unavailable(String),
    /// It has no room.
    #[error("the broker keeps no more messages: {0}")]
    Full(String),
    /// A message is longer than the broker takes.
    #[error("a message is longer than the broker takes ({0}): raise `max_payload` in its configuration")]
    TooLong(String),
    /// It refused to.
    #[error("the broker refuses: {0}")]
    Refused(String),
}

/// Keeps messages until they have been delivered to every agent that they concern.
pub trait Broker: Send + Sync + 'static {
    /// What settles a message.
    type Token: Clone + Send + Sync + 'static;

    /// Makes what is needed to deliver to these agents. Changes nothing if it is there.
    fn prepare(&self, agents: &[AgentId]) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Publishes messages. Returns once all that are not fleeting are kept durably, each once, however often it is published within the broker's window.
    fn publish(&self, messages: &[Outgoing]) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Whether there is room for more messages. Where there is not, agents are given no occasion to make any.
    fn has_room(&self) -> impl Future<Output = bool> + Send;

    /// The next messages for an agent, oldest first: at most so many, and none only after having waited so long.
    fn pull(
        &self,
        agent: AgentId,
        count: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Incoming<Self::Token>>, BrokerError>> + Send;

    /// Says what became of a message. If nothing is said for as long as the broker waits, it comes again.
    fn settle(
        &self,
        token: &Self::Token,
        settlement: Settlement,
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Gives a message up: keeps a copy with the reason, and only then says that it does not come again.
    fn bury(
        &self,
        message: &Incoming<Self::Token>,
        receiver: AgentId,
        reason: &str,
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Signs of life, from now on. Whoever is slow misses some.
    fn fleeting(&self) -> broadcast::Receiver<Outgoing>;

    /// Dead letters with numbers above `after`, at most so many, in order.
    fn dead_letters(
        &self,
        after: u64,
        count: usize,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, BrokerError>> + Send;

    /// The dead letter of a number; none if there is none (any more).
    fn dead_letter(&self, sequence: u64) -> impl Future<Output = Result<Option<DeadLetter>, BrokerError>> + Send;

    /// Has a dead letter delivered again, to the agent that did not get it, and removes it from the dead letters. Answers whether there was one.
    fn replay(&self, sequence: u64) -> impl Future<Output = Result<bool, BrokerError>> + Send;

    /// Looks after what no delivery does, for as long as the gateway runs: messages that nobody settled, and room.
    fn maintain(&self) -> impl Future<Output = ()> + Send;
}

impl<B: Broker> Broker for Arc<B> {
    type Token = B::Token;

    async fn prepare(&self, agents: &[AgentId]) -> Result<(), BrokerError> {
        B::prepare(self, agents).await
    }

    async fn publish(&self, messages: &[Outgoing]) -> Result<(), BrokerError> {
        B::publish(self, messages).await
    }

    async fn has_room(&self) -> bool {
        B::has_room(self).await
    }

    async fn pull(&self, agent: AgentId, count: usize, wait: Duration) -> Result<Vec<Incoming<B::Token>>, BrokerError> {
        B::pull(self, agent, count, wait).await
    }

    async fn settle(&self, token: &B::Token, settlement: Settlement) -> Result<(), BrokerError> {
        B::settle(self, token, settlement).await
    }

    async fn bury(&self, message: &Incoming<B::Token>, receiver: AgentId, reason: &str) -> Result<(), BrokerError> {
        B::bury(self, message, receiver, reason).await
    }

    fn fleeting(&self) -> broadcast::Receiver<Outgoing> {
        B::fleeting(self)
    }

    async fn dead_letters(&self, after: u64, count: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        B::dead_letters(self, after, count).await
    }

    async fn dead_letter(&self, sequence: u64) -> Result<Option<DeadLetter>, BrokerError> {
        B::dead_letter(self, sequence).await
    }

    async fn replay(&self, sequence: u64) -> Result<bool, BrokerError> {
        B::replay(self, sequence).await
    }

    async fn maintain(&self) {
        B::maintain(self).await;
    }
}

/// Now, as RFC 3339 says.
pub(crate) fn now() -> String {
    let now = time::OffsetDateTime::now_utc();
    now.format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}
