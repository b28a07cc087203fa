//! A run over a broker: the agents are in this process, and every message between them goes through NATS.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use eqmesh_agent::Message;
use eqmesh_gateway::{Broker as _, BrokerError, Connection, Layout, Nats, Outgoing, Settlement, connect};
use eqmesh_replica::AgentId;
use futures_util::future::try_join_all;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::carrier::{Carrier, CarrierError};

/// How long a broker may say nothing: long enough for one that is started again.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a broker is looked for.
const CONNECTING: Duration = Duration::from_secs(10);

/// How many messages are asked for at once.
const BATCH: usize = 256;

/// What the broker keeps at most; it is emptied after every wave.
const KEPT_BYTES: u64 = 256 << 20;

/// Why there is no broker to run over.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// Nothing answers there.
    #[error("no broker answers at {0}")]
    Silent(String),
    /// The broker, or the way to it, was refused.
    #[error("{0}")]
    Refused(String),
    /// This process cannot do it.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// Carries messages over NATS with JetStream, durable until they have arrived. Streams and consumers are made for this run alone, under a name of its own, and removed when it is over.
#[derive(Debug)]
pub struct NatsCarrier {
    // Before the runtime that it needs.
    broker: Nats,
    layout: Layout,
    runtime: Runtime,
}

impl NatsCarrier {
    /// Connects, and makes what a run of so many agents needs. `network` names it; where several share a broker, each needs its own. Refused where the broker has
    /// streams of that name already.
    pub fn new(connection: &Connection, network: &str, agents: u32) -> Result<NatsCarrier, NatsError> {
        let refused = |error: &dyn std::fmt::Display| NatsError::Refused(error.to_string());
        let mut layout = Layout::new(Some(network)).map_err(|error| refused(&error))?;
        layout.keeping.bytes = KEPT_BYTES;
        layout.keeping.age = Duration::from_hours(1);
        // What arrives is settled at once: if not, the broker was away, and is to deliver it again soon, however often.
        layout.ack_wait = Duration::from_secs(2);
        layout.max_deliver = 10_000;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let broker = runtime.block_on(async {
            let client = match timeout(CONNECTING, connect(connection)).await {
                Ok(client) => client.map_err(|error| refused(&error))?,
                Err(_) => return Err(NatsError::Silent(connection.url.clone())),
            };
            let broker = Nats::new(client, layout.clone());
            // All of it is removed in the end.
            broker.expect_none().await.map_err(|error| refused(&error))?;
            let agents: Vec<AgentId> = (0..agents).map(AgentId).collect();
            if let Err(error) = broker.prepare(&agents).await {
                // What could be made is not left to lie there, where it would take the next run's room.
                let _ = broker.remove().await;
                return Err(refused(&error));
            }
            Ok(broker)
        })?;
        Ok(NatsCarrier {
            broker,
            layout,
            runtime,
        })
    }

    /// Does something again while the broker does not answer.
    async fn again<T, F: Future<Output = Result<T, BrokerError>>>(
        mut what: impl FnMut() -> F,
    ) -> Result<T, CarrierError> {
        let start = Instant::now();
        loop {
            match what().await {
                Ok(done) => return Ok(done),
                Err(BrokerError::Unavailable(_)) if start.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(CarrierError(error.to_string())),
            }
        }
    }

    /// Takes in what came for an agent, until everything that it is to get is there.
    async fn collect(
        broker: &Nats,
        layout: &Layout,
        agent: AgentId,
        mut awaited: BTreeSet<(u32, u64)>,
    ) -> Result<BTreeMap<(u32, u64), Message>, CarrierError> {
        let mut arrived = BTreeMap::new();
        let mut last = Instant::now();
        while !awaited.is_empty() {
            let pulled = Self::again(|| broker.pull(agent, BATCH, Duration::from_secs(1))).await?;
            if pulled.is_empty() && last.elapsed() > PATIENCE {
                return Err(CarrierError(format!(
                    "{} messages have not reached agent {} for {} seconds: is somebody else reading from the stream {}?",
                    awaited.len(),
                    agent.number(),
                    PATIENCE.as_secs(),
                    layout.stream()
                )));
            }
            for incoming in &pulled {
                last = Instant::now();
                // Whatever else is published there is not of this run.
                if let Ok(message) = layout.subjects().read(&incoming.subject, &incoming.payload) {
                    let key = (message.sender.0, message.id);
                    if awaited.remove(&key) {
                        arrived.insert(key, message);
                    }
                }
            }
            // What cannot be settled comes again, and is not awaited then.
            let settled =
                pulled.iter().map(
                    async |incoming| match broker.settle(&incoming.token, Settlement::Done).await {
                        Ok(()) | Err(BrokerError::Unavailable(_)) => Ok(()),
                        Err(error) => Err(CarrierError(error.to_string())),
                    },
                );
            try_join_all(settled).await?;
        }
        Ok(arrived)
    }
}

/// A message as it is published. A run in rounds waits for every message, also for those that the broker keeps for nobody where agents run free: each receiver gets a copy
/// of these under the subject of messages that are delivered again.
fn outgoing(layout: &Layout, message: &Message, agents: u32) -> Vec<Outgoing> {
    let plain = Outgoing::new(layout.subjects(), message, message.encode().into(), None);
    if !plain.fleeting {
        return vec![plain];
    }
    let receivers = (0..agents).filter(|&agent| message.concerns(AgentId(agent)));
    let copies = receivers.map(|receiver| Outgoing {
        id: format!("{}-{receiver}", plain.id),
        subject: layout.subjects().replay(&plain.subject, AgentId(receiver)),
        fleeting: false,
        ..plain.clone()
    });
    copies.collect()
}

impl Carrier for NatsCarrier {
    fn carry(&mut self, wave: &[Message], agents: u32) -> Result<Vec<Vec<Message>>, CarrierError> {
        let (broker, layout) = (&self.broker, &self.layout);
        let outgoing: Vec<Outgoing> = wave
            .iter()
            .flat_map(|message| outgoing(layout, message, agents))
            .collect();
        let awaited = |agent: u32| -> BTreeSet<(u32, u64)> {
            let own = wave.iter().filter(|message| message.concerns(AgentId(agent)));
            own.map(|message| (message.sender.0, message.id)).collect()
        };
        let mut arrived = self.runtime.block_on(async {
            Self::again(|| broker.publish(&outgoing)).await?;
            let all = (0..agents).map(|agent| Self::collect(broker, layout, AgentId(agent), awaited(agent)));
            let arrived = try_join_all(all).await?;
            Self::again(|| broker.clear()).await?;
            Ok(arrived)
        })?;
        let in_order = arrived.iter_mut().zip(0..).map(|(arrived, agent)| {
            let own = wave.iter().filter(|message| message.concerns(AgentId(agent)));
            own.filter_map(|message| arrived.remove(&(message.sender.0, message.id)))
                .collect()
        });
        Ok(in_order.collect())
    }
}

impl Drop for NatsCarrier {
    fn drop(&mut self) {
        // If the broker is away, what is left there ends by its age.
        let _ = self
            .runtime
            .block_on(async { timeout(CONNECTING, self.broker.remove()).await });
    }
}
