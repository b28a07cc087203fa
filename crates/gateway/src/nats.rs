//! The broker NATS, with JetStream. `docs/gateway.md` says what is created there.

mod connection;
mod dead_letters;
mod layout;
mod maintenance;
mod publishing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, AckKind, consumer::PullConsumer};
use eqmesh_replica::AgentId;
use futures_util::StreamExt as _;
use tokio::sync::{RwLock, broadcast};
use tokio::time::timeout;

pub(crate) use connection::backoff;
pub use connection::{ConnectError, Connection, Credentials, connect};
pub use layout::{Keeping, Layout};

use crate::broker::{Broker, BrokerError, DeadLetter, Incoming, Outgoing, Settlement};
use crate::route::Subjects;

/// How long an answer of the broker may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes that are taken at once, unless a single message may have more: the gateway has as much in memory for each agent.
const MAX_TAKEN: usize = 16 << 20;

/// What the broker adds to a message's length, and more.
const AROUND: usize = 64 << 10;

/// How many signs of life wait for a slow listener.
const FLEETING: usize = 1024;

/// The header of the W3C trace context.
const TRACEPARENT: &str = "traceparent";

/// A network's messages in a NATS server.
#[derive(Clone, Debug)]
pub struct Nats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    layout: Layout,
    consumers: RwLock<BTreeMap<u32, PullConsumer>>,
    fleeting: broadcast::Sender<Outgoing>,
    /// What hands signs of life on. It ends with the broker.
    listener: tokio::task::AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Nats {
    /// A network's messages, over a connection.
    pub fn new(client: async_nats::Client, layout: Layout) -> Nats {
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(PATIENCE)
            .ack_timeout(PATIENCE)
            .build(client.clone());
        let (fleeting, _) = broadcast::channel(FLEETING);
        let listener = tokio::spawn(listen(client.clone(), layout.subjects.clone(), fleeting.clone())).abort_handle();
        Nats(Arc::new(Inner {
            client,
            jetstream,
            layout,
            consumers: RwLock::default(),
            fleeting,
            listener,
        }))
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.0.client.connection_state() == async_nats::connection::State::Connected
    }
}

/// Hands signs of life on, as long as the connection is open. A subscription outlives reconnections.
async fn listen(client: async_nats::Client, subjects: Subjects, fleeting: broadcast::Sender<Outgoing>) {
    let mut subscriptions = futures_util::stream::SelectAll::new();
    for subject in subjects.fleeting() {
        match client.subscribe(subject).await {
            Ok(subscription) => subscriptions.push(subscription),
            Err(error) => tracing::error!(%error, "signs of life will not be heard"),
        }
    }
    while let Some(message) = subscriptions.next().await {
        // That nobody listens yet is no error.
        let _ = fleeting.send(Outgoing {
            id: String::new(),
            subject: message.subject.to_string(),
            traceparent: traceparent(message.headers.as_ref()),
            payload: message.payload,
            fleeting: true,
        });
    }
}

fn traceparent(headers: Option<&async_nats::HeaderMap>) -> Option<String> {
    Some(headers?.get(TRACEPARENT)?.as_str().to_owned())
}

/// What an unspecific failure of the client says.
pub(crate) fn unavailable(error: impl std::fmt::Display) -> BrokerError {
    BrokerError::Unavailable(error.to_string())
}

/// Waits for the broker, but not for ever: a request whose answer got lost with a connection is not answered at all.
async fn patiently<T, E: std::fmt::Display>(
    what: &str,
    request: impl IntoFuture<Output = Result<T, E>>,
) -> Result<T, BrokerError> {
    in_time(what, request).await?.map_err(unavailable)
}

/// An answer of whatever kind, if it comes in time.
async fn in_time<T>(what: &str, request: impl IntoFuture<Output = T>) -> Result<T, BrokerError> {
    let answer = timeout(PATIENCE * 2, request.into_future()).await;
    answer.map_err(|_| BrokerError::Unavailable(format!("no answer to {what}")))
}

impl Broker for Nats {
    type Token = Arc<jetstream::message::Acker>;

    async fn prepare(&self, agents: &[AgentId]) -> Result<(), BrokerError> {
        self.make(agents).await
    }

    async fn publish(&self, messages: &[Outgoing]) -> Result<(), BrokerError> {
        self.publish_all(messages).await
    }

    async fn has_room(&self) -> bool {
        // What does not fit is refused, and stays in the agent's outbox.
        true
    }

    async fn pull(
        &self,
        agent: AgentId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<Incoming<Self::Token>>, BrokerError> {
        let consumer = self.0.consumers.read().await.get(&agent.number()).cloned();
        let Some(consumer) = consumer else {
            return Err(BrokerError::Unavailable(format!(
                "there is no consumer for agent {}",
                agent.number()
            )));
        };
        // What is there is taken at once; only where nothing is, the next is awaited, and then what came with it.
        let bytes = MAX_TAKEN.max(self.0.client.server_info().max_payload + AROUND);
        let mut taken = fetch(&consumer, count, bytes).await?;
        if taken.is_empty() {
            let next = patiently("a pull", consumer.batch().max_messages(1).expires(wait).messages()).await?;
            taken = collect(next, wait + PATIENCE).await?;
            if !taken.is_empty() && count > 1 {
                // What fails here fails again with the next pull.
                taken.extend(fetch(&consumer, count - 1, bytes).await.unwrap_or_default());
            }
        }
        Ok(taken)
    }

    async fn settle(&self, token: &Self::Token, settlement: Settlement) -> Result<(), BrokerError> {
        match settlement {
            Settlement::Done => patiently("an acknowledgement", token.double_ack()).await,
            Settlement::Later(wait) => patiently("a postponement", token.ack_with(AckKind::Nak(Some(wait)))).await,
            Settlement::Working => patiently("a sign of work", token.ack_with(AckKind::Progress)).await,
        }
    }

    async fn bury(&self, message: &Incoming<Self::Token>, receiver: AgentId, reason: &str) -> Result<(), BrokerError> {
        self.keep_dead_letter(&message.subject, &message.payload, message.sequence, receiver, reason)
            .await?;
        patiently("the end of a message", message.token.double_ack_with(AckKind::Term)).await
    }

    fn fleeting(&self) -> broadcast::Receiver<Outgoing> {
        self.0.fleeting.subscribe()
    }

    async fn dead_letters(&self, after: u64, count: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.list_dead_letters(after, count).await
    }

    async fn dead_letter(&self, sequence: u64) -> Result<Option<DeadLetter>, BrokerError> {
        self.read_dead_letter(sequence).await
    }

    async fn replay(&self, sequence: u64) -> Result<bool, BrokerError> {
        self.replay_dead_letter(sequence).await
    }

    async fn maintain(&self) {
        self.look_after().await;
    }
}

/// At most so many of the messages that are there, with at most so many bytes. If the next one alone had more, it would fail for ever.
async fn fetch(
    consumer: &PullConsumer,
    count: usize,
    bytes: usize,
) -> Result<Vec<Incoming<Arc<jetstream::message::Acker>>>, BrokerError> {
    let batch = patiently(
        "a pull",
        consumer.fetch().max_messages(count).max_bytes(bytes).messages(),
    )
    .await?;
    collect(batch, PATIENCE).await
}

async fn collect(
    mut batch: jetstream::consumer::pull::Batch,
    patience: Duration,
) -> Result<Vec<Incoming<Arc<jetstream::message::Acker>>>, BrokerError> {
    let mut taken = Vec::new();
    loop {
        match timeout(patience, batch.next()).await {
            Ok(Some(Ok(message))) => taken.extend(incoming(message)),
            Ok(None) => return Ok(taken),
            // What came before is worked on; whatever is wrong will show again.
            Ok(Some(Err(_))) | Err(_) if !taken.is_empty() => return Ok(taken),
            Ok(Some(Err(error))) => return Err(unavailable(error)),
            Err(_) => return Err(BrokerError::Unavailable("no answer to a pull".to_owned())),
        }
    }
}

fn incoming(message: jetstream::Message) -> Option<Incoming<Arc<jetstream::message::Acker>>> {
    let (stream, sequence, attempt) = match message.info() {
        Ok(info) => (
            info.stream.to_owned(),
            info.stream_sequence,
            u64::try_from(info.delivered).unwrap_or(1),
        ),
        Err(error) => {
            tracing::error!(%error, "a message came without what JetStream says of it");
            return None;
        }
    };
    let (message, token) = message.split();
    Some(Incoming {
        subject: message.subject.to_string(),
        traceparent: traceparent(message.headers.as_ref()),
        payload: message.payload,
        stream,
        sequence,
        attempt,
        token: Arc::new(token),
    })
}
