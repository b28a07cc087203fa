//! Dead letters: a stream of their own.

use async_nats::HeaderMap;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use eqmesh_replica::AgentId;

use super::{Nats, patiently, publishing, unavailable};
use crate::broker::{BrokerError, DeadLetter};

const SUBJECT: &str = "eqmesh-subject";
const RECEIVER: &str = "eqmesh-receiver";
const SEQUENCE: &str = "eqmesh-sequence";
const REASON: &str = "eqmesh-reason";

/// The longest reason that is kept, in bytes.
const MAX_REASON: usize = 1000;

impl Nats {
    /// Keeps a copy, once for each message and receiver.
    pub(super) async fn keep_dead_letter(
        &self,
        subject: &str,
        payload: &Bytes,
        sequence: u64,
        receiver: AgentId,
        reason: &str,
    ) -> Result<(), BrokerError> {
        let layout = &self.0.layout;
        // A header is one line.
        let reason: String = reason
            .chars()
            .map(|own| if own.is_control() { ' ' } else { own })
            .collect();
        let end = (0..=MAX_REASON.min(reason.len()))
            .rev()
            .find(|&end| reason.is_char_boundary(end))
            .unwrap_or(0);
        let mut headers = HeaderMap::new();
        headers.insert(SUBJECT, subject);
        headers.insert(RECEIVER, receiver.number().to_string().as_str());
        headers.insert(SEQUENCE, sequence.to_string().as_str());
        headers.insert(REASON, reason[..end].trim());
        let id = format!("{}-{sequence}-{}", layout.stream, receiver.number());
        let message = PublishMessage::build()
            .payload(payload.clone())
            .headers(headers)
            .message_id(id);
        let sent = self
            .0
            .jetstream
            .send_publish(layout.subjects.dead_letters(receiver), message)
            .await;
        sent.map_err(publishing::failed)?.await.map_err(publishing::failed)?;
        Ok(())
    }

    async fn graves(&self) -> Result<Stream, BrokerError> {
        let name = self.0.layout.dead_letters();
        let found = self.find(&name).await?;
        found.ok_or_else(|| {
            BrokerError::Refused(format!(
                "the stream {name} is not there yet; the first gateway makes it"
            ))
        })
    }

    pub(super) async fn list_dead_letters(&self, after: u64, count: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let graves = self.graves().await?;
        let state = &graves.cached_info().state;
        let mut letters = Vec::new();
        let mut sequence = state.first_sequence.max(after.saturating_add(1));
        while letters.len() < count && sequence <= state.last_sequence {
            letters.extend(self.read(&graves, sequence).await?);
            sequence += 1;
        }
        Ok(letters)
    }

    pub(super) async fn read_dead_letter(&self, sequence: u64) -> Result<Option<DeadLetter>, BrokerError> {
        self.read(&self.graves().await?, sequence).await
    }

    async fn read(&self, graves: &Stream, sequence: u64) -> Result<Option<DeadLetter>, BrokerError> {
        match raw_message(graves, sequence).await? {
            None => Ok(None),
            Some(message) => Ok(Some(self.letter(message))),
        }
    }

    fn letter(&self, message: StreamMessage) -> DeadLetter {
        let header = |name: &str| {
            message
                .headers
                .get(name)
                .map(|value| value.as_str().to_owned())
                .unwrap_or_default()
        };
        DeadLetter {
            sequence: message.sequence,
            at: message.time.to_string(),
            receiver: header(RECEIVER).parse().unwrap_or_default(),
            subject: header(SUBJECT),
            stream: self.0.layout.stream.clone(),
            stream_sequence: header(SEQUENCE).parse().unwrap_or_default(),
            reason: header(REASON),
            payload: message.payload,
        }
    }

    pub(super) async fn replay_dead_letter(&self, sequence: u64) -> Result<bool, BrokerError> {
        let graves = self.graves().await?;
        let Some(letter) = self.read(&graves, sequence).await? else {
            return Ok(false);
        };
        let subject = self.0.layout.subjects.replay(&letter.subject, AgentId(letter.receiver));
        // The same again after a failure half-way is published once.
        let message = PublishMessage::build()
            .payload(letter.payload)
            .message_id(format!("replay-{sequence}"));
        let sent = self
            .0
            .jetstream
            .send_publish(subject, message)
            .await
            .map_err(publishing::failed)?;
        sent.await.map_err(publishing::failed)?;
        patiently("removing a dead letter", graves.delete_message(sequence)).await
    }
}

/// A message of a stream; none if it is not there (any more).
pub(super) async fn raw_message<I>(stream: &Stream<I>, sequence: u64) -> Result<Option<StreamMessage>, BrokerError> {
    match tokio::time::timeout(super::PATIENCE * 2, stream.get_raw_message(sequence)).await {
        Ok(Ok(message)) => Ok(Some(message)),
        Ok(Err(error)) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Ok(Err(error)) => Err(unavailable(error)),
        Err(_) => Err(BrokerError::Unavailable("no answer to a look at a message".to_owned())),
    }
}
