//! What no delivery does: burying what nobody settled, and dropping what everybody has got.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::PullConsumer;
use eqmesh_replica::AgentId;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;

use super::connection::backoff;
use super::dead_letters::raw_message;
use super::{Nats, collect, patiently};
use crate::broker::BrokerError;

/// How often it is looked whether there is room.
const ROOM: Duration = Duration::from_secs(30);

/// What the server says of a message that was delivered as often as it may be, and never settled.
#[derive(Debug, Deserialize)]
struct Advisory {
    consumer: String,
    stream_seq: u64,
    deliveries: u64,
}

impl Nats {
    pub(super) async fn look_after(&self) {
        if self.0.layout.restricted {
            std::future::pending::<()>().await;
        }
        let mut attempt = 0;
        loop {
            match self.bury_the_unsettled(ROOM).await {
                Ok(()) => attempt = 0,
                Err(error) => {
                    attempt += 1;
                    tracing::debug!(%error, "cannot look for messages that nobody settled");
                    tokio::time::sleep(backoff(attempt)).await;
                }
            }
            if let Err(error) = self.make_room().await {
                tracing::debug!(%error, "cannot look whether there is room");
            }
        }
    }

    /// Copies what the server has given up to the dead letters. The server says so in a stream, so that nothing is missed while no gateway runs.
    /// Returns after a while.
    async fn bury_the_unsettled(&self, wait: Duration) -> Result<(), BrokerError> {
        let (jetstream, layout) = (&self.0.jetstream, &self.0.layout);
        let config = layout.advisory_config();
        let consumer: PullConsumer = patiently(
            "making a consumer",
            jetstream.create_consumer_on_stream(config, layout.advisories()),
        )
        .await?;
        let end = tokio::time::Instant::now() + wait;
        while tokio::time::Instant::now() < end {
            let next = patiently("a pull", consumer.batch().max_messages(1).expires(wait).messages()).await?;
            for said in collect(next, wait + super::PATIENCE).await? {
                let advisory: Option<Advisory> = serde_json::from_slice(&said.payload).ok();
                if let Some(advisory) = advisory {
                    self.bury_unsettled(&advisory).await?;
                }
                patiently("an acknowledgement", said.token.double_ack_with(AckKind::Ack)).await?;
            }
        }
        Ok(())
    }

    async fn bury_unsettled(&self, advisory: &Advisory) -> Result<(), BrokerError> {
        let agent = advisory
            .consumer
            .strip_prefix("agent-")
            .and_then(|number| number.parse().ok());
        let Some(agent) = agent.and_then(|number| AgentId::new(number, 0)) else {
            return Ok(());
        };
        let stream = patiently(
            "looking for a stream",
            self.0.jetstream.get_stream_no_info(&self.0.layout.stream),
        )
        .await?;
        // It may have been dropped since.
        let Some(message) = raw_message(&stream, advisory.stream_seq).await? else {
            return Ok(());
        };
        let reason = format!("delivered {} times and never settled", advisory.deliveries);
        tracing::error!(
            agent = agent.number(),
            sequence = advisory.stream_seq,
            reason,
            "a message becomes a dead letter"
        );
        self.keep_dead_letter(&message.subject, &message.payload, message.sequence, agent, &reason)
            .await
    }

    /// Once half of the room is taken, drops what every consumer is done with.
    async fn make_room(&self) -> Result<(), BrokerError> {
        let layout = &self.0.layout;
        let stream = patiently("looking for a stream", self.0.jetstream.get_stream(&layout.stream)).await?;
        if stream.cached_info().state.bytes < layout.keeping.bytes / 2 {
            return Ok(());
        }
        let consumers: Vec<_> = patiently(
            "looking for consumers",
            stream.consumers().map(|own| own).try_collect::<Vec<_>>(),
        )
        .await?;
        let Some(slowest) = consumers.iter().min_by_key(|own| own.ack_floor.stream_sequence) else {
            return Ok(());
        };
        // What this keeps begins with the first that somebody is not done with.
        let done = slowest.ack_floor.stream_sequence;
        let purged = patiently("dropping messages", stream.purge().sequence(done + 1)).await?;
        if purged.purged > 0 {
            tracing::info!(count = purged.purged, "dropped messages that all agents have got");
        } else {
            tracing::warn!(
                consumer = slowest.name,
                waiting = slowest.num_pending,
                "no message can be dropped, though half of the room is taken: this consumer has not got the oldest ones; if its agent is no more, remove it (`nats consumer rm {} {}`)",
                layout.stream,
                slowest.name
            );
        }
        Ok(())
    }
}
