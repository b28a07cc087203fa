//! What a network has in the broker: streams and consumers.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode};
use eqmesh_replica::AgentId;

use super::{Nats, in_time, patiently, unavailable};
use crate::broker::BrokerError;
use crate::route::{ADVISORIES, DEAD_LETTERS, Subjects, UNNAMED};

/// The least that is set aside for dead letters, and all that is for what the server says of messages that nobody settled (some hundred bytes each).
const ASIDE: u64 = 16 << 20;

/// How long and how much is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// The most bytes of messages, which the broker sets aside of its store, with an eighth as much for dead letters; beyond, what all agents have got is dropped, and if that does not help, agents have to wait with more.
    pub bytes: u64,
    /// How long a message is kept, delivered or not. An agent that was away for longer asks the others for what it lacks.
    pub age: Duration,
    /// For how long a message that is published again is noticed.
    pub window: Duration,
    /// On how many servers of a cluster.
    pub replicas: usize,
}

impl Default for Keeping {
    /// 1 GiB, a week, ten minutes, one server.
    fn default() -> Keeping {
        Keeping {
            bytes: 1 << 30,
            age: Duration::from_hours(7 * 24),
            window: Duration::from_mins(10),
            replicas: 1,
        }
    }
}

/// What a network has in the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its subjects.
    pub(crate) subjects: Subjects,
    /// The name of its stream.
    pub(crate) stream: String,
    /// How long and how much is kept.
    pub keeping: Keeping,
    /// How long the broker waits before it delivers a message again of which nothing was said. Should exceed what a delivery may take.
    pub ack_wait: Duration,
    /// How many messages an agent may have on the way to it.
    pub max_ack_pending: u32,
    /// How often a message is delivered before it is given up.
    pub max_deliver: u32,
    /// Whether streams and consumers are somebody else's to make and to look after: the user may not.
    pub restricted: bool,
}

impl Layout {
    /// What a network has that has a name, or is the only one of its broker.
    pub fn new(network: Option<&str>) -> Result<Layout, crate::BadName> {
        Ok(Layout {
            subjects: Subjects::new(network)?,
            stream: network.unwrap_or(UNNAMED).to_owned(),
            keeping: Keeping::default(),
            ack_wait: Duration::from_secs(15),
            max_ack_pending: 256,
            max_deliver: 8,
            restricted: false,
        })
    }

    /// The network's subjects.
    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// The name of the stream of messages.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The name of the stream of dead letters.
    pub fn dead_letters(&self) -> String {
        format!("{}{DEAD_LETTERS}", self.stream)
    }

    /// The name of the stream of what the server says of messages that nobody settled.
    pub fn advisories(&self) -> String {
        format!("{}{ADVISORIES}", self.stream)
    }

    /// The name of an agent's consumer.
    pub fn consumer(agent: AgentId) -> String {
        format!("agent-{}", agent.number())
    }

    /// Where the server says that nobody settled a message.
    fn advisory_subject(&self) -> String {
        format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{}.*", self.stream)
    }

    fn kept(&self, name: String, subjects: Vec<String>, bytes: u64) -> stream::Config {
        stream::Config {
            name,
            subjects,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            max_age: self.keeping.age,
            duplicate_window: self.keeping.window.min(self.keeping.age),
            num_replicas: self.keeping.replicas,
            allow_direct: true,
            ..stream::Config::default()
        }
    }

    fn streams(&self) -> [stream::Config; 3] {
        let dead = self.subjects.under("dead-letters.*");
        [
            self.kept(self.stream.clone(), self.subjects.durable(), self.keeping.bytes),
            // When there is no room for dead letters, the oldest go: what cannot be delivered must not hold up what can.
            stream::Config {
                discard: DiscardPolicy::Old,
                max_age: Duration::ZERO,
                duplicate_window: self.keeping.window,
                ..self.kept(self.dead_letters(), vec![dead], (self.keeping.bytes / 8).max(ASIDE))
            },
            stream::Config {
                discard: DiscardPolicy::Old,
                ..self.kept(self.advisories(), vec![self.advisory_subject()], ASIDE)
            },
        ]
    }

    fn consumer_config(&self, agent: AgentId) -> pull::Config {
        pull::Config {
            durable_name: Some(Layout::consumer(agent)),
            filter_subjects: self.subjects.durable_for(agent),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_ack_pending: i64::from(self.max_ack_pending),
            max_deliver: i64::from(self.max_deliver),
            ..pull::Config::default()
        }
    }

    pub(super) fn advisory_config(&self) -> pull::Config {
        pull::Config {
            durable_name: Some("gateway".to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            ..pull::Config::default()
        }
    }
}

impl Nats {
    /// Drops all messages that are kept for delivery, delivered or not. For whoever knows that they have arrived.
    pub async fn clear(&self) -> Result<(), BrokerError> {
        let name = &self.0.layout.stream;
        let stream = patiently("looking for a stream", self.0.jetstream.get_stream_no_info(name)).await?;
        patiently("emptying a stream", stream.purge()).await?;
        Ok(())
    }

    /// Removes the network from the broker: its streams with all their messages, and its consumers. For networks that are over.
    pub async fn remove(&self) -> Result<(), BrokerError> {
        for config in self.0.layout.streams() {
            patiently("removing a stream", self.0.jetstream.delete_stream(&config.name)).await?;
        }
        Ok(())
    }

    /// Fails if the broker has streams of this name, which are another's: to be asked by who is going to remove what it makes.
    pub async fn expect_none(&self) -> Result<(), BrokerError> {
        for config in self.0.layout.streams() {
            let name = config.name;
            if self.find(&name).await?.is_some() {
                return Err(BrokerError::Refused(format!(
                    "there is a stream {name} already: choose another name for this network, or remove the stream if nobody uses it any more (`nats stream rm {name}`)"
                )));
            }
        }
        Ok(())
    }

    /// A stream, if it is there.
    pub(super) async fn find(&self, name: &str) -> Result<Option<stream::Stream>, BrokerError> {
        let looked = format!("a look for the stream {name}");
        match in_time(&looked, self.0.jetstream.get_stream(name)).await? {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
                _ => Err(explain(&format!("the stream {name}"), unavailable(error))),
            },
        }
    }

    /// Makes what is missing. What is there with other settings gets these.
    pub(super) async fn make(&self, agents: &[AgentId]) -> Result<(), BrokerError> {
        let (jetstream, layout) = (&self.0.jetstream, &self.0.layout);
        if !layout.restricted {
            for config in layout.streams() {
                let (name, bytes) = (config.name.clone(), config.max_bytes);
                let request = jetstream.create_or_update_stream(config);
                let made = in_time(&format!("making the stream {name}"), request).await?;
                made.map_err(|error| not_made(&name, bytes, &error))?;
            }
        }
        for &agent in agents {
            let name = Layout::consumer(agent);
            let consumer = if layout.restricted {
                patiently(
                    "looking for a consumer",
                    jetstream.get_consumer_from_stream(&name, &layout.stream),
                )
                .await
            } else {
                let config = layout.consumer_config(agent);
                patiently(
                    "making a consumer",
                    jetstream.create_consumer_on_stream(config, &layout.stream),
                )
                .await
            };
            let consumer = consumer
                .map_err(|error| explain(&format!("the consumer {name} of stream {}", layout.stream), error))?;
            self.0.consumers.write().await.insert(agent.number(), consumer);
        }
        Ok(())
    }
}

/// Why there is no stream.
fn not_made(name: &str, bytes: i64, error: &CreateStreamError) -> BrokerError {
    match error.kind() {
        CreateStreamErrorKind::JetStream(said)
            if matches!(
                said.error_code(),
                ErrorCode::STORAGE_RESOURCES_EXCEEDED | ErrorCode::INSUFFICIENT_RESOURCES
            ) =>
        {
            BrokerError::Refused(format!(
                "its store has no {} MiB left to set aside for the stream {name} ({said}): free space on its disk, raise `max_file_store` in the section \
                 `jetstream` of its configuration, or ask for less (`eqmesh gateway --keep-mib`)",
                bytes >> 20
            ))
        }
        _ => explain(&format!("the stream {name}"), unavailable(error)),
    }
}

fn explain(what: &str, error: BrokerError) -> BrokerError {
    match error {
        BrokerError::Unavailable(why) => BrokerError::Unavailable(format!("{what}: {why}")),
        other => other,
    }
}

/// Whether a stream refused a message because it is full.
pub(super) fn is_full(error: &jetstream::Error) -> bool {
    error.error_code() == ErrorCode::STREAM_STORE_FAILED
}
