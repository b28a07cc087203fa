//! Publishing, and making sure that it has been kept.

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;

use super::{Nats, TRACEPARENT, layout, unavailable};
use crate::broker::{BrokerError, Outgoing};

impl Nats {
    pub(super) async fn publish_all(&self, messages: &[Outgoing]) -> Result<(), BrokerError> {
        let mut kept = Vec::with_capacity(messages.len());
        for message in messages {
            let mut headers = HeaderMap::new();
            if let Some(trace) = &message.traceparent {
                headers.insert(TRACEPARENT, trace.as_str());
            }
            let (subject, payload) = (message.subject.clone(), message.payload.clone());
            if message.fleeting {
                let sent = self.0.client.publish_with_headers(subject, headers, payload).await;
                sent.map_err(unavailable)?;
                continue;
            }
            let message = PublishMessage::build()
                .payload(payload)
                .headers(headers)
                .message_id(&message.id);
            kept.push(self.0.jetstream.send_publish(subject, message).await.map_err(failed)?);
        }
        // They are on their way all at once; each is confirmed by itself.
        for acknowledgement in kept {
            acknowledgement.await.map_err(failed)?;
        }
        Ok(())
    }
}

pub(super) fn failed(error: PublishError) -> BrokerError {
    use std::error::Error as _;
    let source = error.source();
    let because = source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    let full = source
        .and_then(|source| source.downcast_ref())
        .is_some_and(layout::is_full);
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => BrokerError::TooLong(because),
        _ if full => BrokerError::Full(because),
        PublishErrorKind::StreamNotFound => BrokerError::Refused(format!(
            "{because}: no stream has the subject, or the user may not publish there"
        )),
        _ => BrokerError::Unavailable(because),
    }
}
